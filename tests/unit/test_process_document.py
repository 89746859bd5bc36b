"""docs/process.md maps each sentence of the incident process to a test that exists, or says that people do it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MISSION = ROOT / "tests" / "fixtures" / "mission" / "incident-management-workflow.md"
ITEM = re.compile(r"\s*(?:[-*]|\d+\.)\s+(.*)")
HEADING = re.compile(r"\*\*[^*]+:\*\*|[^*]+:")
"""An item that only announces those below it."""
PROOF = re.compile(r"`([\w/]+\.py)::(test_\w+)`")
ROW = re.compile(r"\| (.+?) \| (.+?) \| (.+?) \|")


def sentences() -> list[str]:
    """Every item of the document's lists; its diagrams and templates are no sentences."""
    text = re.sub(r"^```.*?^```", "", MISSION.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    items = [found[1].strip() for line in text.splitlines() if (found := ITEM.fullmatch(line))]
    return [item for item in items if not HEADING.fullmatch(item)]


def rows() -> list[tuple[str, str, str]]:
    """Sentence, what becomes of it, proof."""
    lines = (ROOT / "docs" / "process.md").read_text(encoding="utf-8").splitlines()
    found = [match.groups() for line in lines if (match := ROW.fullmatch(line))]
    return [(row[0], row[1], row[2]) for row in found if row[0] not in ("the guide says", "---")]


def test_every_sentence_of_the_process_stands_in_the_table_in_its_order() -> None:
    assert [row[0] for row in rows()] == sentences()


@pytest.mark.parametrize(("sentence", "does", "proof"), rows())
def test_a_sentence_is_proven_by_tests_that_exist_or_is_said_to_be_peoples(
    sentence: str, does: str, proof: str
) -> None:
    named = PROOF.findall(proof)
    assert named or does.startswith("People"), f"{sentence}: expected a test, or that it is people's"
    for file, name in named:
        text = (ROOT / "tests" / file).read_text(encoding="utf-8")
        assert re.search(rf"^def {name}\(", text, re.MULTILINE), f"{file} has no test {name}"
