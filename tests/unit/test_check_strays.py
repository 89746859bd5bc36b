"""Files in a rules folder that nobody reads: each that looks meant to be read is told, and no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from triaged import defaults
from triaged.replay.ruletests.reading import files_in
from triaged.rulefiles import strays
from triaged.rulefiles.folder import USED
from triaged.rulefiles.strays import DEEPEST, MOST_SEARCHED

PLACES = f"{', '.join(USED)}, sources/NAME.yaml, tests/NAME.yaml or templates/NAME.txt"


def told_of(folder: Path, *names: str) -> list[str]:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")
    return [str(finding) for finding in strays(folder)]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("triage.yml", f"not read: expected {PLACES}; did you mean triage.yaml?"),
        ("service.yaml", f"not read: expected {PLACES}; did you mean services.yaml?"),
        ("Calendars.YAML", f"not read: expected {PLACES}; did you mean calendars.yaml?"),
        ("foo.yml", f"not read: expected {PLACES}"),
        ("sources/deep/backups.yaml", "not read: expected sources/NAME.yaml; call it sources/backups.yaml"),
        ("sources/backups.yml", "not read: expected sources/NAME.yaml; call it sources/backups.yaml"),
        ("source/backups.yaml", f"not read: expected {PLACES}; did you mean sources?"),
        ("test/backups.yaml", f"not read: expected {PLACES}; did you mean tests?"),
        ("team-a/triage.yaml", f"not read: expected {PLACES}"),
        ("heartbeat.yaml", f"not read: expected {PLACES}; did you mean heartbeats.yaml?"),
    ],
)
def test_a_file_that_looks_meant_to_be_read_is_told_with_what_would_be(
    tmp_path: Path, name: str, expected: str
) -> None:
    assert told_of(tmp_path, name) == [f"{name}:1:1: {expected}"]


def test_what_is_read_or_is_no_yaml_or_hidden_is_not_told(tmp_path: Path) -> None:
    read = (*USED, "sources/a.yaml", "tests/a.yaml")
    others = ("README.md", "payload.json", ".yamllint.yaml", ".git/x.yaml", "..2026/triage.yaml", "sources/.#a.yaml")
    assert told_of(tmp_path, *read, *others, "tests/b.yml", "tests/deep/c.yaml") == []
    assert told_of(tmp_path, "templates/raised.txt", "templates/raised.md") == []
    assert told_of(tmp_path, "templates/a.yaml") == [
        "templates/a.yaml:1:1: not read: expected templates/NAME.txt or templates/NAME.md"
    ]
    (tmp_path / "templates/a.yaml").unlink()
    assert strays(defaults.RULES) == []


def test_what_bears_the_name_of_a_folder_and_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "tests").symlink_to(tmp_path / "nowhere")
    assert told_of(tmp_path, "sources", "triage.yaml") == [
        "sources:1:1: not read: expected a folder with sources/NAME.yaml, got none",
        "tests:1:1: not read: expected a folder with tests/NAME.yaml, got none",
    ]


def test_a_folder_that_is_not_there_or_cannot_be_listed_has_none(tmp_path: Path) -> None:
    assert strays(tmp_path / "nowhere") == []


def test_links_to_folders_are_followed_but_not_for_ever(tmp_path: Path) -> None:
    (tmp_path / "volume").mkdir()
    rules = tmp_path / "rules"
    rules.mkdir()
    (tmp_path / "volume" / "a.yml").write_text("")
    (rules / "sources").symlink_to(tmp_path / "volume")
    (tmp_path / "volume" / "again").symlink_to(tmp_path / "volume")
    found = [finding.file for finding in strays(rules)]
    assert found == ["sources/a.yml", "sources/again/a.yml", "sources/again/again/a.yml"][: DEEPEST - 1]


def test_of_a_folder_with_very_many_files_only_so_many_are_looked_at(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for number in range(MOST_SEARCHED):
        (tmp_path / "a" / f"{number}.yml").touch()
    assert len(strays(tmp_path)) == MOST_SEARCHED - 1


def test_tests_are_found_in_subfolders_and_hidden_ones_are_not(tmp_path: Path) -> None:
    told_of(tmp_path, "tests/b.yaml", "tests/a/x.yml", "tests/.c.yaml", "tests/..data/d.yaml", "tests/e.txt")
    assert [path.relative_to(tmp_path).as_posix() for path in files_in(tmp_path / "tests")] == [
        "tests/a/x.yml",
        "tests/b.yaml",
    ]
