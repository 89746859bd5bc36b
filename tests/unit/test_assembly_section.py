"""Who runs a major incident, and where they meet, as the issue shows it."""

from __future__ import annotations

from typing import Any

import pytest
from markdown_it import MarkdownIt
from msgspec.structs import replace

from building import episode, incident, minutes, report
from triaged.backends.issue import render
from triaged.core.model import Incident, Process, Role, State
from triaged.core.reports import SOURCE


def shown(found: Incident, **more: Any) -> str:
    block = render(report(incident=found, **{"roles": tuple(Role), "meets": True, **more})).block
    _, heading, rest = block.partition("#### Who runs it\n\n")
    return rest.partition("\n\n")[0] if heading else ""


def test_all_roles_stand_there_and_what_gives_those_that_nobody_holds() -> None:
    process = Process(bridge="https://meet.example.com/INC-12", roles={"commander": "ann", "scribe": "bob"})
    assert shown(incident(process=process)).splitlines() == [
        "- **Bridge:** [meet here](https://meet.example.com/INC-12)",
        "- **Incident commander:** ann",
        "- **Technical lead:** nobody yet: `triaged incidents role INC-12 technical NAME`",
        "- **Communications lead:** nobody yet: `triaged incidents role INC-12 communications NAME`",
        "- **Scribe:** bob",
    ]


def test_where_comments_are_read_one_gives_a_role() -> None:
    held = Process(roles={"commander": "ann", "technical": "bob", "communications": "eve"})
    said = shown(incident(process=held), by_comment=True, meets=False)
    assert said.splitlines()[-1] == "- **Scribe:** nobody yet: comment `/role scribe NAME`"


def test_before_there_is_a_bridge_it_says_whether_there_will_be_one() -> None:
    assert "**Bridge:** being made" in shown(incident())
    assert "**Bridge:** none, see the timeline" in shown(incident(process=Process(assembled_at=minutes(2))))
    assert "Bridge" not in shown(incident(), meets=False)


def test_when_it_is_over_only_who_did_it_stands_there() -> None:
    process = Process(bridge="https://meet.example.com/INC-12", roles={"commander": "ann"})
    over = incident(state=State.RESOLVED, firing=0, process=process)
    assert shown(over) == "- **Incident commander:** ann"
    assert "Who runs it" not in render(report(incident=replace(over, process=Process()), roles=tuple(Role))).block


def test_a_severity_that_asks_for_no_roles_and_what_is_folded_has_no_such_section() -> None:
    process = Process(roles={"commander": "ann"})
    assert shown(incident(process=process), roles=()) == ""
    assert shown(incident(process=process, parent=3)) == ""
    assert "**Roles:** incident commander ann" in render(report(incident=incident(process=process))).block


@pytest.mark.parametrize("text", ["@everyone", "<b>", "[x](https://evil.example.com)", "a\n#### b", "`x`"])
def test_names_and_links_of_others_form_nothing(text: str) -> None:
    process = Process(bridge=f"https://meet.example.com/{text}", roles={"commander": text})
    section = shown(incident(process=process))
    tokens = [one for token in MarkdownIt().parse(section) for one in (token, *(token.children or ()))]
    assert len(section.splitlines()) == 5
    assert "@everyone" not in section
    assert not [one for one in tokens if one.type in ("html_inline", "html_block", "heading_open")]
    assert all(str(one.attrGet("href")).startswith("https://meet.") for one in tokens if one.type == "link_open")


def test_where_a_report_says_more_is_to_be_seen_is_one_of_the_places() -> None:
    notes = {"reference_url": "https://tickets.example.com/7", "reference_2_url": "javascript:alert(1)"}
    reported = episode(source=SOURCE, annotations=notes)
    block = render(report(episodes=(reported,))).block
    assert "[reference](https://tickets.example.com/7)" in block
    assert "javascript" not in block
    assert "[reference]" not in render(report(episodes=(replace(reported, source="alertmanager"),))).block
