"""maintenance.yaml: what is read, what is refused with its line, what `triaged check` doubts."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from building import RULES
from triaged.core.maintenance import Window
from triaged.errors import ConfigError
from triaged.rulefiles import read
from triaged.rulefiles.doubts import History, unmet
from triaged.rulefiles.folder import RuleFiles
from triaged.rulefiles.maintenance import FILE, LONGEST_REASON, MOST

ONE = """
- match: ['cluster="eu-1"', 'team!=ops']
  from: 2026-12-01T22:00+01:00
  to: 2026-12-02T02:00+01:00
  reason: Kernel upgrade
"""
TODAY = date(2026, 11, 23)


def folder(text: str, *, today: date | None = TODAY) -> RuleFiles:
    """The shipped severities and the smallest rules, with these windows."""
    rules = """
matrix:
  extensive:   [sev1, sev1, sev2, sev3]
  significant: [sev1, sev2, sev3, sev3]
  moderate:    [sev2, sev3, sev3, sev4]
  minor:       [sev3, sev3, sev4, sev4]
default: {impact: moderate, urgency: high, category: error, team: platform}
key: [alertname]
rules:
- {name: all, match: ['cluster=~".*"'], because: Everything is judged.}
"""
    severities = (RULES / "severities.yaml").read_text(encoding="utf-8")
    calendars = (RULES / "calendars.yaml").read_text(encoding="utf-8")
    texts = {"triage.yaml": rules, "severities.yaml": severities, "calendars.yaml": calendars, FILE: text}
    return read(texts, today=today)


def refused(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        folder(text)
    return [str(finding) for finding in caught.value.findings]


def doubted(found: RuleFiles) -> list[str]:
    return [str(one) for one in found.warnings if one.file == FILE]


def test_a_window_is_read_in_utc_with_all_that_it_says() -> None:
    (window,) = folder(ONE).rules.windows
    assert window == Window(
        id=window.id,
        match=('cluster="eu-1"', 'team!="ops"'),
        begins_at=datetime(2026, 12, 1, 21, tzinfo=UTC),
        ends_at=datetime(2026, 12, 2, 1, tzinfo=UTC),
        reason="Kernel upgrade",
        by=FILE,
    )
    assert doubted(folder(ONE)) == []


def test_a_window_that_is_edited_is_another_one_and_one_that_is_written_twice_is_one() -> None:
    (window,) = folder(ONE).rules.windows
    (edited,) = folder(ONE.replace("upgrade", "update")).rules.windows
    assert folder(ONE + ONE).rules.windows == (window,)
    assert window.id != edited.id
    assert folder(ONE + "  all: true\n").rules.windows[0].all


@pytest.mark.parametrize("text", ["", "# nothing is planned\n", "[]\n"])
def test_a_file_without_windows_has_none(text: str) -> None:
    assert folder(text).rules.windows == ()


def test_a_change_of_the_file_is_another_rule_set() -> None:
    assert folder(ONE).hash != folder("").hash


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "2026-12-01T22:00+01:00",
            "2026-12-01T22:00",
            "maintenance.yaml:3:9: [0].from: expected a date with time and offset like 2026-12-24T08:00+01:00, "
            "got 2026-12-01T22:00",
        ),
        (
            "2026-12-01T22:00+01:00",
            "2026-12-01",
            "maintenance.yaml:3:9: [0].from: expected a date with time and offset",
        ),
        ("2026-12-01T22:00+01:00", "tonight", "maintenance.yaml:3:9: [0].from: expected a date with time and offset"),
        (
            "2026-12-01T22:00+01:00",
            "0001-01-01T00:00+14:00",
            "maintenance.yaml:3:9: [0].from: expected a date from 1970",
        ),
        ("to: 2026-12-02", "to: 2026-11-02", "maintenance.yaml:4:7: [0].to: expected an end after `from`"),
        ("  reason: Kernel upgrade\n", "", "maintenance.yaml:2:3: [0]: expected a key reason, got none"),
        (
            "Kernel upgrade",
            "x" * (LONGEST_REASON + 1),
            "maintenance.yaml:5:11: [0].reason: expected one line of at most",
        ),
        ("Kernel upgrade", '" "', "maintenance.yaml:5:11: [0].reason: expected one line"),
        ("Kernel upgrade", "7", "maintenance.yaml:5:11: [0].reason: expected one line that says what is done, got 7"),
        ("reason:", "all: yes\n  reason:", "maintenance.yaml:5:8: [0].all: expected true or false, got yes"),
        ("reason:", "al: true\n  reason:", "maintenance.yaml:5:3: [0].al: expected match, from, to, reason or all"),
        (
            """['cluster="eu-1"', 'team!=ops']""",
            "[]",
            "maintenance.yaml:2:10: [0].match: expected at least one matcher",
        ),
        ("team!=ops", "team", "maintenance.yaml:2:29: [0].match[1]: expected an operator"),
    ],
)
def test_what_is_wrong_is_refused_with_its_line(old: str, new: str, expected: str) -> None:
    assert ONE.count(old) == 1
    (found, *_) = refused(ONE.replace(old, new))
    assert found.startswith(expected)


def test_a_mapping_or_too_many_windows_are_refused() -> None:
    assert refused("kernel: {}")[0].startswith("maintenance.yaml:1:1: expected a list, got a mapping")
    assert refused(ONE * (MOST + 1))[0].startswith(
        f"maintenance.yaml:2:1: expected at most {MOST} windows, got {MOST + 1}"
    )


def test_check_warns_of_a_window_that_is_over_or_can_hold_nothing_back() -> None:
    past = folder(ONE, today=date(2026, 12, 3))
    assert doubted(past) == ["maintenance.yaml:2:3: [0]: the window was over on 2026-12-02; remove it"]
    assert doubted(folder(ONE, today=date(2026, 12, 2))) == []
    never = folder(ONE.replace("team!=ops", 'cluster="us-1"'))
    assert doubted(never) == [
        "maintenance.yaml:2:10: [0].match: the window can never hold an alert back: its matchers clash"
    ]


def test_check_warns_of_a_window_that_covers_none_of_the_recorded_alerts() -> None:
    found = folder(ONE)
    (window,) = found.rules.windows
    seen = History(alerts=9, since=datetime(2026, 11, 1, tzinfo=UTC), rules=["all"], services=[])
    told = [str(one) for one in unmet(found.sheet, seen)]
    assert told == [
        "maintenance.yaml:2:3: [0]: the window would hold back none of the 9 alerts recorded since 2026-11-01"
    ]
    covering = History(alerts=9, since=seen.since, rules=["all"], services=[], windows={window.id})
    assert not [*unmet(found.sheet, covering)]
