"""Files of rule tests: what they can say, and that every mistake is told at its place with all others."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from triaged.core.events import Acknowledged, CloseAsked, MergeAsked, Record, ReopenAsked, ResolveAsked, SeverityChosen
from triaged.core.model import CloseReason, Severity
from triaged.errors import ConfigError, Finding
from triaged.replay.ruletests.acting import FIELDS, NEEDED
from triaged.replay.ruletests.cases import Case, Do, Fire, Post, Resolve, Says
from triaged.replay.ruletests.expecting import DUE, KEYS
from triaged.replay.ruletests.reading import FIRING_KEYS, MOST_FINDINGS, START, STEP_KEYS, TEST_KEYS, read, read_all
from triaged.replay.ruletests.wording import moment, offset
from triaged.rulefiles.marks import LARGEST

DOCUMENT = Path(__file__).parents[2] / "docs" / "testing-rules.md"
STEPS = "- test: t\n  steps:\n"
SEEN = "  - {at: 9h, expect: {state: open}}\n"


def cases(text: str) -> tuple[Case, ...]:
    findings: list[Finding] = []
    found = read("t.yaml", text, findings)
    assert findings == []
    return found


def findings_of(text: str) -> list[str]:
    findings: list[Finding] = []
    read("t.yaml", text, findings)
    return [str(finding) for finding in findings]


def does(step: str) -> Fire | Post | Resolve | Do | Says | None:
    (case,) = cases(f"{STEPS}  - {step}\n{SEEN}")
    return case.steps[0].does


# ---------------------------------------------------------------- what files can say


def test_a_test_of_a_verdict_is_one_alert_that_fires_at_the_start_and_what_is_expected_then() -> None:
    text = """
- test: t
  at: 2026-11-23T03:00:00+01:00
  source: grafana
  annotations: {summary: slow}
  alert: {alertname: DiskFull, env: ''}
  expect: {severity: sev2}
"""
    (case,) = cases(text)
    (step,) = case.steps
    assert step.at == case.start == datetime(2026, 11, 23, 2, tzinfo=UTC)
    assert isinstance(step.does, Fire)
    (firing,) = step.does.firings
    assert (firing.labels, firing.annotations, firing.source) == (
        {"alertname": "DiskFull", "env": ""},
        {"summary": "slow"},
        "grafana",
    )
    assert [(want.name, want.value, str(want.place)) for want in step.wants] == [("severity", "sev2", "t.yaml:7:22")]


def test_several_alerts_are_as_many_tests_named_by_their_labels() -> None:
    found = cases("- {test: t, alerts: [{alertname: A, pod: x}, {source: falco}], expect: {severity: sev2}}")
    assert [case.name for case in found] == ["t: A, pod=x", "t: source=falco"]
    assert {case.start for case in found} == {START}


def test_an_alert_in_its_long_form_has_annotations_a_source_and_a_start_of_its_own() -> None:
    found = does("{at: 1h, fire: {labels: {alertname: A}, annotations: {x: y}, source: s, starts_at: -10m}}")
    assert isinstance(found, Fire)
    (firing,) = found.firings
    assert (firing.source, firing.annotations, firing.starts_at) == ("s", {"x": "y"}, START - timedelta(minutes=10))


def test_a_label_may_be_called_labels() -> None:
    found = does("{at: 0m, fire: {labels: some, alertname: A}}")
    assert isinstance(found, Fire)
    assert found.firings[0].labels == {"labels": "some", "alertname": "A"}


@pytest.mark.parametrize(
    ("written", "among"),
    [("all", ({},)), ("{pod: a}", ({"pod": "a"},)), ("[{pod: a}, {pod: b}]", ({"pod": "a"}, {"pod": "b"}))],
)
def test_everything_ends_or_what_has_these_labels(written: str, among: tuple[dict[str, str], ...]) -> None:
    assert does(f"{{at: 0m, resolve: {written}}}") == Resolve(among=among)


def test_a_silence_in_a_test_is_refused_with_the_reason() -> None:
    (found,) = findings_of(f"{STEPS}  - {{at: 0m, act: silence, by: ann, for: 2h, reason: known}}\n{SEEN}")
    assert found.endswith("expected an act on the incident alone: silence asks an Alertmanager, and a test has none")


def test_people_act_with_the_fields_of_the_api() -> None:
    def act(fields: str) -> object:
        found = does(f"{{at: 0m, {fields}}}")
        assert isinstance(found, Do)
        return found.act

    ack = act("act: ack, by: ann, for: 4h")
    assert isinstance(ack, Acknowledged)
    assert (ack.actor.name, ack.lasting) == ("ann", timedelta(hours=4))
    chosen = act("act: severity, severity: sev1, reason: VIP")
    assert isinstance(chosen, SeverityChosen)
    assert (chosen.actor.name, chosen.severity, chosen.reason) == ("local", Severity.SEV1, "VIP")
    resolved = act("act: resolve, fix: restarted it")
    assert isinstance(resolved, ResolveAsked)
    assert resolved.record == Record(fix="restarted it")
    closed = act("act: close, reason: false_alarm, root_cause: none")
    assert isinstance(closed, CloseAsked)
    assert (closed.reason, closed.record.root_cause) == (CloseReason.FALSE_ALARM, "none")
    reopened = act("act: reopen, reason: again")
    assert isinstance(reopened, ReopenAsked)
    assert reopened.reason == "again"
    assert isinstance(act("act: merge, into: {alertname: B}"), MergeAsked)
    assert does("{at: 0m, act: merge, into: {alertname: B}}").into == {"alertname": "B"}  # type: ignore[union-attr]  # seen above


@given(st.timedeltas(min_value=timedelta(days=-300), max_value=timedelta(days=300)))
def test_an_offset_is_written_as_it_is_read(length: timedelta) -> None:
    at = START + timedelta(seconds=int(length.total_seconds()))
    assert moment(offset(at, START), START) == at


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("- {test: t, alerts: [], expect: {state: open}}", "alerts: expected at least one alert, got an empty list"),
        ("- {test: t, alert: {a: b}, expect: null}", "expected at least one thing that is expected, got nothing"),
        ("- {test: t, alert: {a: b}, expect: {due: {}}}", "due: expected at least one deadline, got an empty mapping"),
        ("- {test: t, alert: {a: b}, expect: {because: []}}", "because: expected at least one text, got an empty list"),
        ("- {test: t, alert: {a: b}, expect: {timeline: ''}}", 'timeline: expected text, got empty text ("")'),
        ("- {test: t, alert: {a: b}, expect: {dropped: ''}}", "dropped: expected true, false or a part of the reason"),
        ("- {test: t, alert: {a: b}, expect: {key: {}}}", "key: expected at least one name in the key"),
        ("- {test: t, alert: {a: b}, expect: {key: []}}", "key: expected at least one name in the key"),
        ("- {test: t, alert: {a: b}, expect: {parent: {}}}", "parent: expected at least one label"),
        ("- {test: t, alert: {'': b}, expect: {state: open}}", "expected a name as key, got an empty one"),
        (f"{STEPS}  - {{at: 0m, resolve: {{}}}}\n{SEEN}", "resolve: expected all, the labels of alerts that end, or"),
        (f"{STEPS}  - {{at: 0m, resolve: [{{}}]}}\n{SEEN}", "resolve[0]: expected at least one label"),
        (f"{STEPS}  - {{at: 0m, act: ack, of: {{}}}}\n{SEEN}", "of: expected at least one label"),
        (f"{STEPS}  - {{at: 0m, act: merge, into: {{}}}}\n{SEEN}", "into: expected at least one label"),
    ],
)
def test_what_is_empty_and_would_be_true_of_everything_is_refused(text: str, expected: str) -> None:
    assert any(expected in found for found in findings_of(text)), findings_of(text)


def test_of_very_many_mistakes_only_so_many_are_looked_for() -> None:
    assert len(findings_of("- {x: 1}\n" * 30_000)) < 2 * MOST_FINDINGS


def test_an_empty_file_has_no_tests() -> None:
    assert cases("") == ()
    assert cases("# nothing yet\n") == ()


# ---------------------------------------------------------------- what is wrong with files


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("test: t", "t.yaml:1:1: expected a list, got a mapping"),
        ("- tset: t", "t.yaml:1:3: [0].tset: expected test, at, source,"),
        ("- tset: t", "got an unknown key; did you mean test?"),
        ("- {alert: {a: b}, expect: {state: open}}", "t.yaml:1:3: [0]: expected a key test, got none"),
        ("- {test: t, expect: {state: open}}", "[0]: expected `alert`, `alerts` or `steps`, got none of them"),
        ("- {test: t, alert: {a: b}}", "[0]: expected a key expect, got none"),
        (
            "- {test: t, alert: {a: b}, alerts: [], expect: {state: open}}",
            "expected either `alert` or `alerts`, got both",
        ),
        (
            "- {test: t, alert: {a: b}, steps: []}",
            "t.yaml:1:20: [0].alert: expected either `steps` or `alert`, got both",
        ),
        ("- {test: t, steps: []}", "[0].steps: expected at least one step with `expect`"),
        (
            "- {test: t, alert: {a: b}, expect: }",
            "[0].expect: expected at least one thing that is expected, got nothing",
        ),
        (
            "- {test: t, alert: {a: b}, expect: {}}",
            "expected at least one thing that is expected, got an empty mapping",
        ),
        ("- {test: t, alert: {a: b}, expect: open}", "[0].expect: expected a mapping, got open"),
        ("- {test: t, alert: {a: b}, expect: {sate: open}}", "got an unknown key; did you mean state?"),
        ("- {test: t, alert: {a: b}, expect: {notify: [ann]}}", "[0].expect.notify: expected severity, judged,"),
        ("- {test: t, alert: {a: b}, expect: {severity: sev5}}", "expected sev1, sev2, sev3, sev4 or none, got sev5"),
        ("- {test: t, alert: {a: b}, expect: {state: opened}}", "got opened; did you mean open?"),
        ("- {test: t, alert: {a: b}, expect: {due: {respones: 1h}}}", "got an unknown key; did you mean response?"),
        (
            "- {test: t, alert: {a: b}, expect: {due: {response: soon}}}",
            "expected a time since the test's start like 15m",
        ),
        ("- {test: t, alert: {a: b}, expect: {breached: [answer]}}", "expected response or resolution, got answer"),
        ("- {test: t, alert: {a: b}, expect: {incidents: two}}", "expected a whole number from 0"),
        ("- {test: t, alert: {a: b}, expect: {because: no}}", 'YAML takes it for true or false: quote it: "no"'),
        ("- {test: t, alert: {a: 5}, expect: {state: open}}", 'YAML takes it for a number: quote it: "5"'),
        ("- {test: t, alert: {a: ''}, expect: {state: open}}", "expected at least one label with a value"),
        ("- {test: t, alert: {}, expect: {state: open}}", "expected at least one label with a value"),
        ("- {test: t, at: 25:00, alert: {a: b}, expect: {state: open}}", "[0].at: expected a date with time"),
        (f"{STEPS}  - {{fire: {{a: b}}}}\n{SEEN}", "[0].steps[0]: expected a key at, got none"),
        (f"{STEPS}  - {{at: 1x, fire: {{a: b}}}}\n{SEEN}", "[0].steps[0].at: expected a duration like 15m"),
        (f"{STEPS}{SEEN}  - {{at: 8h, fire: {{a: b}}}}\n", "t.yaml:4:5: [0].steps[1]: expected steps in their order"),
        (f"{STEPS}  - {{at: 0m}}\n{SEEN}", "expected fire, post, resolve, act, health or expect, got none of them"),
        (
            f"{STEPS}  - {{at: 0m, fire: {{a: b}}, resolve: all}}\n{SEEN}",
            "expected one of fire, post, resolve, act or health in a step",
        ),
        (
            f"{STEPS}  - {{at: 0m, fire: []}}\n{SEEN}",
            "expected an alert's labels, or a list of such, got an empty list",
        ),
        (f"{STEPS}  - {{at: 0m, fire: {{a: b}}, of: {{a: b}}}}\n{SEEN}", "expected `of` only beside `act` or `expect`"),
        (f"{STEPS}  - {{at: 0m, resolve: everything}}\n{SEEN}", "expected all, the labels of alerts that end"),
        (f"{STEPS}  - {{at: 0m, post: {{a: .nan}}}}\n{SEEN}", "[0].steps[0].post: expected JSON, got a number that it"),
        (f"{STEPS}  - {{at: 0m, post: [{'9' * 5000}]}}\n{SEEN}", "[0].steps[0].post: expected JSON, got a number that"),
        (f"{STEPS}  - {{at: 0m, act: akc}}\n{SEEN}", "got akc; did you mean ack?"),
        (
            f"{STEPS}  - {{at: 0m, act: ack, severity: sev1}}\n{SEEN}",
            "[0].steps[0].severity: expected at, fire, post, resolve,",
        ),
        (f"{STEPS}  - {{at: 0m, act: severity}}\n{SEEN}", "expected a key severity beside it, got none"),
        (
            f"{STEPS}  - {{at: 0m, act: severity, severity: high}}\n{SEEN}",
            "expected sev1, sev2, sev3 or sev4, got high",
        ),
        (f"{STEPS}  - {{at: 0m, act: close, reason: done}}\n{SEEN}", "expected completed, false_alarm, not_planned"),
        (f"{STEPS}  - {{at: 0m, act: merge}}\n{SEEN}", "expected a key into beside it, got none"),
        (
            f"{STEPS}  - {{at: 0m, fire: {{labels: {{a: b}}, start: 1m}}}}\n{SEEN}",
            "got an unknown key; did you mean starts_at?",
        ),
        (
            f"{STEPS}{SEEN}- {{test: t, alert: {{a: b}}, expect: {{state: open}}}}",
            "expected every test once, got 't' here and in line 1",
        ),
        ("- &a {test: t}", "expected no anchors and aliases"),
        ("- {test: t, test: u}", "expected every key once, got test here and in line 1"),
        ("- [unfinished", "no valid YAML"),
        ("[" * 200, "expected at most 30 levels"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_what_was_expected(text: str, finding: str) -> None:
    told = findings_of(text)
    assert any(finding in line for line in told), told
    assert all(re.match(r"t\.yaml:\d+:\d+: ", line) for line in told)


WORDS = st.sampled_from(
    ["all", "none", "0m", "-10m", "9999999d", "2026-11-23", "2999-12-31T23:59:59+14:00", "ack", "sev1", "true", "5", ""]
)
KEYWORDS_OF_ALL = st.sampled_from([*TEST_KEYS, *STEP_KEYS, *FIRING_KEYS, *KEYS, *DUE, "by", "for", "into"])
ANYTHING = st.recursive(
    WORDS | st.none() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYWORDS_OF_ALL, inner, max_size=5),
    max_leaves=20,
)


@given(st.lists(st.dictionaries(st.sampled_from(TEST_KEYS), ANYTHING, max_size=8), max_size=3))
def test_whatever_stands_in_a_file_is_read_or_told(found: list[dict[str, object]]) -> None:
    findings: list[Finding] = []
    read("t.yaml", yaml.safe_dump(found, allow_unicode=True), findings)
    assert all(finding.line >= 1 and finding.message for finding in findings)


def test_a_mistake_in_the_only_expectation_is_told_once() -> None:
    (only,) = findings_of(f"{STEPS}  - {{at: 0m, expect: {{state: opened}}}}\n")
    assert "did you mean open?" in only


def test_all_mistakes_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    paths = [tmp_path / "a.yaml", tmp_path / "b.yaml", tmp_path / "c.yaml", tmp_path / "d.yaml"]
    paths[0].write_text("- {test: t, alert: {a: b}, expect: {severity: sev0, state: shut}}")
    paths[1].write_bytes(b"- test: \xff")
    paths[2].write_text(f"# {'x' * LARGEST}")
    with pytest.raises(ConfigError) as error:
        read_all(paths)
    told = str(error.value).splitlines()
    assert [line.split(":", 3)[:2] for line in told] == [
        [str(paths[0]), "1"],
        [str(paths[0]), "1"],
        [str(paths[1]), "1"],
        [str(paths[2]), "1"],
        [str(paths[3]), "1"],
    ]
    assert "expected UTF-8, got the byte 0xff" in told[2]
    assert f"expected at most {LARGEST:,} bytes" in told[3]
    assert "No such file" in told[4]


# ---------------------------------------------------------------- what is documented


KEYWORDS = {*TEST_KEYS, *STEP_KEYS, *FIRING_KEYS, *FIELDS, *NEEDED.values(), *KEYS, *DUE}
KEYWORDS |= {field for fields in FIELDS.values() for field in fields}


@pytest.mark.parametrize("keyword", sorted(KEYWORDS))
def test_every_keyword_of_the_tests_is_documented(keyword: str) -> None:
    assert re.search(rf"(?<![\w-]){keyword}(?![\w-])", DOCUMENT.read_text(encoding="utf-8"))
