"""Rule tests as they run: through the real intake, in virtual time, each in a world of its own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from xml.etree import ElementTree as Xml

import pytest

from building import named
from severities import severities
from triaged.app import rules_of
from triaged.core.model import DeadlineKind, Incident
from triaged.replay.ruletests.coverage import coverage, lines
from triaged.replay.ruletests.expecting import EXPECTATIONS
from triaged.replay.ruletests.junit import junit
from triaged.replay.ruletests.outcomes import Result
from triaged.replay.ruletests.reading import START, read
from triaged.replay.ruletests.running import Runner
from triaged.replay.ruletests.telling import told
from triaged.rulefiles import RuleFiles
from triaged.rulefiles import read as read_rules

TRIAGE = """
matrix:
  extensive:   [sev1, sev1, sev2, sev3]
  significant: [sev1, sev2, sev3, sev3]
  moderate:    [sev2, sev3, sev3, sev4]
  minor:       [sev3, sev3, sev4, sev4]
default: {impact: moderate, urgency: high, category: error, team: platform}
key: [alertname, service]
storm: {opened: 3, within: 5m, severity: sev2}
rules:
- {name: heartbeat, match: ['alertname="Watchdog"'], drop: It always fires., because: It proves that it can.}
- name: down
  match: ['alertname="Down"']
  impact: significant
  urgency: high
  category: outage
  repository: acme/down
  labels: [down]
  close: person
  because: It does not answer.
  grows:
  - {when: {distinct: {pod: 2}}, impact: extensive, because: Two pods.}
  - {when: {firing_for: 1d}, urgency: critical, because: A whole day.}
- {name: slow, match: ['alertname="Slow"'], delay: 15m, impact: minor, urgency: low, because: It may pass.}
- {name: noted, annotations: ['summary=~".*breach.*"'], category: security, because: It says so itself.}
- {name: checkout, match: ['alertname=~"Down|Slow"'], service: ['tier="1"'], team: payments, because: We sell there.}
"""
FILES = {
    "triage.yaml": TRIAGE,
    "services.yaml": "services: {checkout: {tier: 1}, search: {}}\nteams: {platform: {}, payments: {}}\n",
    "severities.yaml": severities(
        verify_for=(20,) * 4,
        targets=(("15m", "4h"), ("1h", "8h"), ("4h", "3d"), ("1d", "5d")),
        more="  acknowledgement_for: 2h\n",
    ),
}
FILES["sources/tool.yaml"] = """
alerts: list
status: {from: up, firing: ['false'], resolved: ['true'], default: firing}
labels: {alertname: name, age: age, at: at}
identity: [alertname]
"""
RULES: RuleFiles = read_rules(FILES)
STEPS = "- test: t\n  steps:\n"
FIRES = f"{STEPS}  - {{at: 0m, fire: {{alertname: Down, service: checkout, pod: a}}}}\n"


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    with Runner(rules_of(RULES), RULES.sources) as one:
        yield one


def results(runner: Runner, text: str) -> list[Result]:
    findings: list[object] = []
    cases = read("t.yaml", text, findings)  # type: ignore[arg-type]  # it only appends to it
    assert findings == []
    return [runner.run(case) for case in cases]


def result(runner: Runner, text: str) -> Result:
    (only,) = results(runner, text)
    return only


def problems(runner: Runner, text: str) -> list[str]:
    failure = result(runner, text).failure
    return [] if failure is None else [str(problem.text) for problem in failure.problems]


def written(runner: Runner, text: str) -> str:
    one = result(runner, text)
    assert one.failure is not None
    return "\n".join(told(one.case, one.failure, RULES.rules))


# ---------------------------------------------------------------- every expectation can hold, and can fail

HOLDS = {
    "severity": "sev2",
    "judged": "sev2",
    "impact": "significant",
    "urgency": "high",
    "category": "outage",
    "service": "checkout",
    "team": "payments",
    "repository": "acme/down",
    "close": "person",
    "restricted": "false",
    "labels": "[down]",
    "matched": "[down, checkout]",
    "because": "does not answer",
    "key": "[service, alertname]",
    "delay": "none",
    "dropped": "false",
    "state": "open",
    "issue": "open",
    "round": "1",
    "firing": "1",
    "incidents": "1",
    "issues": "1",
    "parent": "none",
    "fold": "none",
    "acknowledged_by": "none",
    "level": "0",
    "owner": "none",
    "bridge": "none",
    "roles": "none",
    "review": "none",
    "actions": "0",
    "at_risk": "[]",
    "breached": "[]",
    "met": "[]",
    "not_required": "[]",
    "response": "none",
    "resolution": "none",
    "timeline": "[opened as sev2, Down fires]",
    "notified": "[]",
    **{f"due.{kind}": "none" for kind in DeadlineKind},
    "due.response": "1h",
    "due.response_at_risk": "45m",
    "due.resolution": "2026-01-07T20:00:00Z",
    "due.resolution_at_risk": "6h",
    "due.growth": "1d",
}
FAILS = {
    "severity": ("sev1", "sev1, got sev2"),
    "judged": ("none", "none, got sev2"),
    "impact": ("minor", "minor, got significant"),
    "urgency": ("low", "low, got high"),
    "category": ("error", "error, got outage"),
    "service": ("none", "none, got checkout"),
    "team": ("data", "data, got payments"),
    "repository": ("none", "none, got acme/down"),
    "close": ("daemon", "daemon, got person"),
    "restricted": ("true", "true, got false"),
    "labels": ("[down, up]", "[down, up], got [down]"),
    "matched": ("[checkout, down]", "[checkout, down], got [down, checkout]"),
    "because": ("[does not answer, nowhere]", "[does not answer, nowhere], got [It does not answer.]"),
    "key": (
        "{alertname: Down, service: ''}",
        '{alertname: Down, service: ""}, got {alertname: Down, service: checkout}',
    ),
    "delay": ("15m", "15m, got none"),
    "dropped": ("true", "true, got none"),
    "state": ("pending", "pending, got open"),
    "issue": ("none", "none, got open"),
    "round": ("2", "2, got 1"),
    "firing": ("0", "0, got 1"),
    "incidents": ("2", "2, got 1"),
    "issues": ("0", "0, got 1"),
    "parent": ("{alertname: Down}", "{alertname: Down}, got none"),
    "fold": ("storm", "storm, got none"),
    "acknowledged_by": ("ann", "ann, got none"),
    "level": ("1", "1, got 0"),
    "owner": ("ann", "ann, got none"),
    "bridge": ("here", "here, got none"),
    "roles": ("{commander: ann}", "{commander: ann}, got none"),
    "review": ("open", "open, got none"),
    "actions": ("1", "1, got 0"),
    "at_risk": ("[response]", "[response], got []"),
    "breached": ("[response]", "[response], got []"),
    "met": ("[resolution]", "[resolution], got []"),
    "not_required": ("[response, resolution]", "[response, resolution], got []"),
    "response": ("met", "met, got none"),
    "resolution": ("breached", "breached, got none"),
    "timeline": ("closed", "[closed], got no such entry"),
    "notified": ("[ann]", "[ann], got []"),
    **{f"due.{kind}": ("3m", "3m, got none") for kind in DeadlineKind},
    "due.response": ("none", "none, got 1h"),
    "due.response_at_risk": ("-10m", "-10m, got 45m"),
    "due.resolution": ("8h1m", "8h1m, got 8h"),
    "due.resolution_at_risk": ("8h", "8h, got 6h"),
    "due.growth": ("none", "none, got 1d"),
}


def expecting(name: str, value: str) -> str:
    inner = f"{name}: {value}" if "." not in name else f"due: {{{name.partition('.')[2]}: {value}}}"
    return f"{FIRES}  - {{at: 0m, expect: {{{inner}}}}}\n"


@pytest.mark.parametrize("name", EXPECTATIONS)
def test_every_expectation_holds_where_it_should_and_says_what_came_where_it_does_not(
    runner: Runner, name: str
) -> None:
    assert problems(runner, expecting(name, HOLDS[name])) == []
    value, text = FAILS[name]
    assert problems(runner, expecting(name, value)) == [f"{name}: expected {text}"]


@pytest.mark.parametrize(
    ("name", "value", "holds"),
    [
        ("key", "{alertname: Down, service: checkout}", True),
        ("key", "[alertname]", False),
        ("because", "[does not, answer]", True),
        ("dropped", "It always fires", False),
        ("labels", "[]", False),
        ("repository", "acme/up", False),
    ],
)
def test_an_expectation_may_be_written_in_more_than_one_way(runner: Runner, name: str, value: str, holds: bool) -> None:
    assert (problems(runner, expecting(name, value)) == []) is holds


# ---------------------------------------------------------------- what tests can play


def test_the_verdict_of_a_dropped_alert_can_be_asked_and_there_is_no_incident(runner: Runner) -> None:
    text = """
- test: t
  alert: {alertname: Watchdog}
  expect:
    dropped: always fires
    matched: [heartbeat]
    state: none
    severity: none
    issue: none
    incidents: 0
    round: 0
    key: {alertname: Watchdog, service: ''}
    due: {response: none}
"""
    assert problems(runner, text) == []


def test_annotations_and_source_reach_the_rules(runner: Runner) -> None:
    text = """
- {test: t, annotations: {summary: a breach}, alert: {alertname: A}, expect: {matched: [noted], restricted: true}}
- test: u
  source: falco
  steps:
  - {at: 0m, fire: {labels: {alertname: A}, annotations: {summary: a breach}}, expect: {category: security}}
"""
    assert [one.failure for one in results(runner, text)] == [None, None]


def test_a_whole_life_in_virtual_time(runner: Runner) -> None:
    text = f"""{FIRES}
  - {{at: 44m, expect: {{at_risk: []}}}}
  - {{at: 45m, expect: {{at_risk: [response], due: {{response: 1h, response_at_risk: none}}}}}}
  - {{at: 50m, act: ack, by: ann, for: 30m}}
  - {{at: 50m, expect: {{state: acknowledged, acknowledged_by: ann, met: [response], due: {{acknowledgement: 1h20m}}}}}}
  - {{at: 80m, expect: {{state: open, timeline: 'the acknowledgement by ann expired'}}}}
  - {{at: 2h, fire: {{alertname: Down, service: checkout, pod: b}}}}
  - {{at: 2h, expect: {{severity: sev1, due: {{resolution: 6h}}}}}}
  - {{at: 3h, resolve: {{pod: a}}, expect: {{firing: 1, state: open}}}}
  - {{at: 4h, resolve: all, expect: {{state: verifying, due: {{verification: 4h20m, resolution: none}}}}}}
  - {{at: 5h, expect: {{state: resolved, resolution: met, issue: open}}}}
  - {{at: 5h, act: close, by: ann, fix: restarted, expect: {{state: closed, issue: closed}}}}
  - {{at: 6h, act: reopen, by: ann, expect: {{state: open, round: 2, issue: open}}}}
  - {{at: 7h, act: severity, severity: sev4, by: bob, expect: {{severity: sev4, judged: sev1}}}}
  - {{at: 8h, act: resolve, by: bob, expect: {{state: verifying}}}}
"""
    one = result(runner, text)
    assert one.failure is None
    assert one.matched == {"down", "checkout"}
    assert named(RULES.rules, one.grown) == ("down#0",)


def test_a_firing_told_again_keeps_its_start_and_one_after_a_resolve_has_its_own(runner: Runner) -> None:
    again = "{alertname: Down, service: checkout, pod: a}"
    text = f"""{FIRES}
  - {{at: 10m, fire: {again}, expect: {{firing: 1, timeline: Down fires since 2026-01-07 12:00 UTC}}}}
  - {{at: 20m, resolve: all}}
  - {{at: 30m, fire: {again}, expect: {{round: 1, timeline: Down fires since 2026-01-07 12:30 UTC}}}}
  - {{at: 35m, resolve: all}}
  - {{at: 36m, fire: {{labels: {again}, starts_at: 30m}}, expect: {{firing: 1}}}}
"""
    assert problems(runner, text) == []


POSTS = """
- test: t
  source: tool
  steps:
  - {at: 0m, post: {list: [{name: Down, up: false, age: 1.5, at: 2026-01-07}, {name: Odd, up: null}]}}
"""


def test_a_body_of_a_mapped_source_can_be_posted(runner: Runner) -> None:
    text = POSTS + (
        "  - {at: 0m, of: {alertname: Down, age: '1.5', at: '2026-01-07'}, expect: {state: open, firing: 1}}\n"
        "  - {at: 1m, post: {list: [{name: Down, up: true}]}}\n"
        "  - {at: 1m, of: {alertname: Down}, expect: {state: verifying}}\n"
        "  - {at: 1m, of: {alertname: Odd}, expect: {state: open}}\n"
    )
    assert problems(runner, text) == []


@pytest.mark.parametrize(
    ("post", "problem"),
    [
        ("post: {}", "post: expected alerts at list, as sources/tool.yaml says, got nothing"),
        ("post: {list: [5]}", "post: an alert is unreadable: expected a JSON object, got a number"),
    ],
)
def test_a_body_that_cannot_be_read_fails_the_test(runner: Runner, post: str, problem: str) -> None:
    assert problems(runner, f"{POSTS}  - {{at: 1m, {post}}}\n  - {{at: 2m, expect: {{state: open}}}}\n") == [problem]


def test_a_post_needs_a_mapped_source(runner: Runner) -> None:
    text = POSTS.replace("source: tool", "source: tol") + "  - {at: 1m, expect: {incidents: 1}}\n"
    assert problems(runner, text) == ["post: expected source: one of sources/ (tool), got tol"]


def test_an_alert_may_have_begun_before_the_test(runner: Runner) -> None:
    text = (
        f"{STEPS}  - {{at: 0m, fire: {{labels: {{alertname: Down}}, starts_at: -23h}}, expect: {{severity: sev2}}}}\n"
    )
    assert problems(runner, f"{text}  - {{at: 1h, expect: {{severity: sev1, because: A whole day}}}}\n") == []


def test_what_is_held_back_has_no_issue_and_counts_as_no_incident_until_it_opens(runner: Runner) -> None:
    text = f"""{STEPS}
  - {{at: 0m, fire: {{alertname: Slow}}}}
  - {{at: 0m, expect: {{state: pending, delay: 15m, issue: none, incidents: 0, issues: 0, due: {{opening: 15m}}}}}}
  - {{at: 15m, expect: {{state: open, issue: open, incidents: 1}}}}
"""
    assert problems(runner, text) == []


TWO = f"""{FIRES}
  - {{at: 1m, fire: {{alertname: Odd, service: search}}, expect: {{incidents: 2}}}}
"""


def test_of_says_which_incident_is_meant(runner: Runner) -> None:
    text = f"""{TWO}
  - {{at: 2m, of: {{service: search}}, act: ack, by: ann}}
  - {{at: 2m, of: {{service: search}}, expect: {{state: acknowledged, severity: sev3}}}}
  - {{at: 2m, of: {{alertname: Down}}, expect: {{state: open, severity: sev2}}}}
"""
    assert problems(runner, text) == []


def test_people_merge_and_split(runner: Runner) -> None:
    text = f"""{TWO}
  - {{at: 2m, of: {{service: search}}, act: merge, into: {{alertname: Down}}, by: ann}}
  - {{at: 2m, of: {{service: search}}, expect: {{parent: {{alertname: Down, pod: a}}, fold: merge, issue: closed}}}}
  - {{at: 3m, of: {{service: search}}, act: split, by: ann, expect: {{parent: none, fold: none, issue: open}}}}
"""
    assert problems(runner, text) == []


def test_a_storm_is_an_incident_that_of_can_name(runner: Runner) -> None:
    text = f"""{STEPS}
  - {{at: 0m, fire: [{{alertname: A}}, {{alertname: B}}, {{alertname: C}}, {{alertname: D}}]}}
  - {{at: 0m, of: {{alertname: D}}, expect: {{parent: {{alertname: IncidentStorm}}, fold: storm, issue: none}}}}
  - {{at: 0m, of: {{alertname: IncidentStorm}}, act: ack, by: ann, expect: {{severity: sev2, state: acknowledged}}}}
"""
    assert problems(runner, text) == []


def test_tests_know_nothing_of_each_other(runner: Runner) -> None:
    text = "\n".join(
        f"- {{test: t{n}, alert: {{alertname: Down}}, expect: {{incidents: 1, round: 1, firing: 1}}}}" for n in range(3)
    )
    assert [one.failure for one in results(runner, text)] == [None, None, None]
    ids = {incident.id for one in results(runner, text.replace("firing: 1", "firing: 2")) if (incident := _of(one))}
    assert ids == {1}


def _of(one: Result) -> Incident | None:
    return None if one.failure is None else one.failure.incident


# ---------------------------------------------------------------- what goes wrong while a test runs


@pytest.mark.parametrize(
    ("steps", "problem"),
    [
        ("{at: 2m, expect: {state: open}}", "expected one incident, got INC-1, INC-2: say which by its alerts"),
        ("{at: 2m, act: ack}", "expected one incident, got"),
        ("{at: 2m, of: {alertname: Nothing}, expect: {state: open}}", "no alert with Nothing has fired"),
        ("{at: 2m, resolve: {pod: z}, of: {pod: a}, expect: {state: open}}", "resolve: nothing fires with pod=z"),
        ("{at: 2m, of: {pod: a}, act: reopen}", "INC-1 is open"),
        ("{at: 2m, of: {pod: a}, act: merge, into: {pod: a}}", "INC-1 cannot be merged into itself"),
    ],
)
def test_a_step_that_cannot_be_done_fails_the_test_and_says_why(runner: Runner, steps: str, problem: str) -> None:
    found = problems(runner, f"{TWO}  - {steps}\n")
    assert len(found) == 1
    assert problem in found[0]


@pytest.mark.parametrize(
    ("step", "problem"),
    [
        ("{at: 0m, act: ack}", "there is no incident to act on"),
        ("{at: 0m, resolve: all}", "resolve: nothing fires any more"),
        ("{at: 0m, fire: {alertname: Watchdog}, expect: {state: open}}", "state: expected open, got none"),
        (f"{{at: 0m, fire: {{a: {'x' * 20_000}}}}}", "labels.a: expected at most 16,384 characters"),
    ],
)
def test_a_first_step_that_cannot_be_done_fails_the_test_too(runner: Runner, step: str, problem: str) -> None:
    (found,) = problems(runner, f"{STEPS}  - {step}\n  - {{at: 1h, expect: {{state: none}}}}\n")
    assert problem in found


def test_after_the_first_step_that_fails_no_other_runs(runner: Runner) -> None:
    text = (
        f"{FIRES}  - {{at: 1m, expect: {{state: closed, severity: sev1}}}}\n  - {{at: 2m, expect: {{state: closed}}}}\n"
    )
    failure = result(runner, text).failure
    assert failure is not None
    assert failure.step.at == START + timedelta(minutes=1)
    assert [str(problem.place) for problem in failure.problems] == ["t.yaml:4:30", "t.yaml:4:48"]


# ---------------------------------------------------------------- what a failure tells


def test_a_failure_tells_the_rules_the_arithmetic_the_key_and_the_timeline(runner: Runner) -> None:
    text = written(runner, f"{FIRES}  - {{at: 2h, expect: {{severity: sev1, breached: []}}}}\n")
    assert text == (
        "2h after the start, at 2026-01-07 14:00 UTC:\n"
        "  t.yaml:4:33: severity: expected sev1, got sev2\n"
        "  t.yaml:4:49: breached: expected [], got [response]\n"
        "\n"
        "Down, service=checkout, pod=a\n"
        "  + down  impact: significant, urgency: high, category: outage, repository: acme/down, close: person, "
        "labels: down\n"
        "  + checkout  team: payments\n"
        "  severity  impact significant (rule down) × urgency high (rule down) = sev2\n"
        '  key       alertname="Down", service="checkout"\n'
        "  may grow  down#0: 2 different values of pod\n"
        "  may grow  down#1: firing for 1 d\n"
        "\n"
        "INC-1 so far:\n"
        "        0m  Down fires since 2026-01-07 12:00 UTC\n"
        "        0m  opened as sev2: It does not answer.\n"
        "       45m  response objective at risk, due 2026-01-07 13:00 UTC\n"
        "        1h  response objective breached, due 2026-01-07 13:00 UTC"
    )


def test_a_rule_that_nearly_matched_and_one_that_was_expected_say_what_they_saw(runner: Runner) -> None:
    text = written(
        runner, "- {test: t, alert: {alertname: Down, service: search}, expect: {matched: [heartbeat, slow, checkout]}}"
    )
    assert '  - checkout  service tier="1"\n' in text
    assert "  - slow  alertname=\"Slow\", saw 'Down'\n" in text
    assert "  - heartbeat  alertname=\"Watchdog\", saw 'Down'\n" in text
    assert "noted" not in text


def test_a_failure_tells_what_was_dropped_what_grew_and_what_no_rule_knew(runner: Runner) -> None:
    dropped = written(runner, "- {test: t, alert: {alertname: Watchdog}, expect: {state: open}}")
    assert "  dropped   It always fires." in dropped
    assert "so far" not in dropped
    grown = written(
        runner,
        f"{FIRES}  - {{at: 0m, fire: {{alertname: Down, service: checkout, pod: b}}, expect: {{severity: sev2}}}}\n",
    )
    assert "  grew      down#0: 2 different values of pod" in grown
    assert "impact extensive (growth down#0)" in grown or "impact extensive (rule down#0)" in grown
    unknown = written(runner, "- {test: t, alert: {alertname: Odd}, expect: {severity: sev1}}")
    assert "no rule matched, so the defaults hold" in unknown


def test_of_many_alerts_and_entries_only_the_last_are_told(runner: Runner) -> None:
    fires = ", ".join(f"{{alertname: Down, service: checkout, pod: p{n}}}" for n in range(60))
    text = written(runner, f"{STEPS}  - {{at: 0m, fire: [{fires}], expect: {{state: closed}}}}\n")
    assert "… and 57 alerts that fired before" in text
    assert "pod=p59" in text
    assert "pod=p56\n" not in text
    assert "before\n" in text
    assert len(text.splitlines()) < 90


# ---------------------------------------------------------------- coverage and JUnit


def test_coverage_counts_rules_that_matched_and_growth_conditions_that_held(runner: Runner) -> None:
    met = coverage(RULES.rules, [result(runner, expecting("state", "open"))])
    assert (met.rules, met.growths) == (5, 2)
    assert met.rules_left == ("heartbeat", "slow", "noted")
    assert met.growths_left == ("down#0", "down#1")
    assert met.share == pytest.approx(2 / 7)
    assert met.percent == "28.5 %"


def test_the_lines_of_rules_and_growth_conditions_are_those_of_the_file() -> None:
    found = lines(TRIAGE)
    text = TRIAGE.splitlines()
    assert list(found) == ["heartbeat", "down", "down#0", "down#1", "slow", "noted", "checkout"]
    assert "name: down" in text[found["down"] - 1]
    assert "A whole day" in text[found["down#1"] - 1]


def test_junit_has_a_suite_a_file_and_every_attribute_that_readers_ask_for(runner: Runner) -> None:
    failing = result(runner, '- {test: "t \\x01 <é>", alert: {alertname: Down}, expect: {severity: sev1}}')
    passing = result(runner, expecting("state", "open"))
    document = Xml.fromstring(junit([("tests/a.yaml", [failing, passing])], RULES.rules, START))
    (suite,) = document
    assert {
        name: suite.get(name) for name in ("name", "tests", "failures", "errors", "timestamp", "id", "hostname")
    } == {
        "name": "tests/a.yaml",
        "tests": "2",
        "failures": "1",
        "errors": "0",
        "timestamp": "2026-01-07T12:00:00",
        "id": "0",
        "hostname": "localhost",
    }
    assert [element.tag for element in suite] == ["properties", "testcase", "testcase", "system-out", "system-err"]
    failed, passed = suite.findall("testcase")
    assert failed.attrib.keys() == {"classname", "name", "time"}
    assert failed.get("name") == "t � <é>"
    assert list(passed) == []
    (failure,) = failed
    assert failure.get("message") == "severity: expected sev1, got sev2"
    assert "impact significant (rule down)" in (failure.text or "")
