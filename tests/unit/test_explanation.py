"""The trace of a verdict and what a deadline follows from: every value seen, every step of the sum."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from building import entry, incident, minutes, policy, verdict
from triaged import rulefiles
from triaged.core import trace
from triaged.core.model import (
    Alert,
    AlertStatus,
    DeadlineKind,
    Entry,
    Impact,
    Incident,
    Key,
    Objective,
    Outcome,
    Severity,
    State,
    Tried,
    Urgency,
)
from triaged.core.rules import RuleSet
from triaged.explaining.deadlines import decided, due
from triaged.explaining.incident import shortened
from web_desk import RULES

MONDAY = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
SUNDAY = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


def rules(text: str) -> RuleSet:
    """The rules of the desk's tests with these in place of its own."""
    head = RULES["triage.yaml"].partition("rules:\n")[0]
    return rulefiles.read({**RULES, "triage.yaml": f"{head}rules:\n{text}"}).rules


def alert(**changes: Any) -> Alert:
    labels = changes.pop("labels", {"alertname": "Broken", "app": "checkout", "pod": "a"})
    return Alert(
        **{
            "fingerprint": "f",
            "source": "alertmanager",
            "status": AlertStatus.FIRING,
            "labels": labels,
            "annotations": {"summary": "It burns."},
            "starts_at": None,
            "ends_at": None,
            "generator_url": "",
            "digest": b"",
            "raw": b"",
            **changes,
        }
    )


# ---------------------------------------------------------------- each rule tried


EVERY_CONDITION = """
- name: all
  match: ['alertname=~"Bro.*"', 'absent=""']
  service: ['name="checkout"', 'team!="platform"']
  source: ['name=~"alert.*"']
  annotations: ['summary=~".*burns.*"']
  until: 2026-12-01
  during: business
  impact: extensive
  because: It burns.
- {name: night, match: ['alertname="Broken"'], outside: business, urgency: low}
"""


def test_a_rule_that_matched_tells_every_condition_with_the_value_that_it_saw() -> None:
    first, _ = trace.trace(rules(EVERY_CONDITION), alert(), MONDAY).tried
    assert first.matched
    assert first.held == (
        ("until 2026-12-01", "not over"),
        ('alertname=~"Bro.*"', "Broken"),
        ('absent=""', ""),
        ('service name="checkout"', "checkout"),
        ('service team!="platform"', "payments"),
        ('source name=~"alert.*"', "alertmanager"),
        ('annotation summary=~".*burns.*"', "It burns."),
        ("during business", "open"),
    )


def test_a_rule_that_did_not_match_tells_the_first_condition_that_failed() -> None:
    first, night = trace.trace(rules(EVERY_CONDITION), alert(), SUNDAY).tried
    assert (first.matched, first.failed, first.saw, first.held) == (False, "during business", "closed", ())
    assert night.held == (('alertname="Broken"', "Broken"), ("outside business", "closed"))


@given(st.dictionaries(st.sampled_from(["alertname", "grave", "slow", "app", "intruder"]), st.sampled_from("124yes")))
def test_the_trace_has_the_verdict_that_judges_and_every_rule_once_in_order(labels: dict[str, str]) -> None:
    found = rulefiles.read(RULES).rules
    labels = {"alertname": "X", **labels}
    traced = trace.trace(found, alert(labels=labels), MONDAY)
    assert traced.verdict == found.judge(alert(labels=labels), MONDAY)
    assert [one.rule for one in traced.tried] == [rule.name for rule in found.rules]
    assert tuple(one.rule for one in traced.tried if one.matched) == traced.verdict.matched
    assert all(bool(one.held) == one.matched for one in traced.tried)


def test_endless_values_are_cut_in_a_trace() -> None:
    endless = alert(labels={"alertname": "B" * 10_000})
    found = rules("- {name: a, match: ['alertname=~\"B+\"']}\n- {name: b, match: ['alertname=\"x\"']}")
    held, failed = trace.trace(found, endless, MONDAY).tried
    assert held.held[0][1] == failed.saw == "B" * 199 + "…"


def test_what_led_to_a_stored_verdict_is_told_without_its_alert() -> None:
    found = rules("- {name: a, impact: minor, because: Small.}\n- {name: b, urgency: low}")
    one, two = trace.matched(found, verdict(matched=("a", "b", "gone")))
    assert (one.rule, one.sets, one.because) == ("a", {"impact": "minor"}, "Small.")
    assert two.sets == {"urgency": "low"}


# ---------------------------------------------------------------- the arithmetic


SUM = """
- {name: small, match: ['alertname="Broken"'], impact: minor, urgency: low}
- name: grave
  match: ['alertname="Broken"']
  impact: extensive
  urgency: high
  grows:
  - {when: {alerts: 5, distinct: {pod: 3}, firing_for: 10m, refires: {count: 2, within: 1h}}, urgency: critical,
     because: More.}
  - {when: {alerts: 1}, impact: extensive}
- {name: staging, match: ['env="staging"'], at_most: sev3}
- {name: test, match: ['env="staging"'], at_most: sev4}
"""


def test_the_sum_names_the_rules_that_set_each_axis_and_the_cell_of_the_matrix() -> None:
    found = rules(SUM)
    judged = found.judge(alert(), MONDAY)
    assert trace.arithmetic(found, judged) == trace.Arithmetic(
        impact=Impact.EXTENSIVE,
        impact_by=("grave",),
        urgency=Urgency.HIGH,
        urgency_by=("grave",),
        cell=Severity.SEV1,
        at_most=None,
        at_most_by=(),
        severity=Severity.SEV1,
    )
    words = "impact extensive (rule grave) × urgency high (rule grave) = sev1"
    assert trace.in_words(trace.arithmetic(found, judged)) == words


def test_the_lowest_limit_is_told_with_the_rule_that_set_it() -> None:
    found = rules(SUM)
    judged = found.judge(alert(labels={"alertname": "Broken", "env": "staging"}), MONDAY)
    told = trace.arithmetic(found, judged)
    assert (told.cell, told.at_most, told.at_most_by, told.severity) == (
        Severity.SEV1,
        Severity.SEV4,
        ("test",),
        Severity.SEV4,
    )
    assert trace.in_words(told).endswith("= sev1, at most sev4 (rule test): sev4")


def test_growth_that_held_takes_part_in_the_sum() -> None:
    found = rules(SUM)
    judged = found.judge(alert(), MONDAY)
    told = trace.arithmetic(found, judged, (*judged.growing, "forgotten#v1:0"))
    assert told.urgency is Urgency.CRITICAL
    assert told.urgency_by == ("grave#0",)
    assert told.impact_by == ("grave", "grave#1")
    assert "rules grave, grave#1" in trace.in_words(told)


def test_an_axis_that_no_rule_sets_is_the_defaults() -> None:
    found = rules("- {name: a, labels: [x]}")
    told = trace.in_words(trace.arithmetic(found, found.judge(alert(), MONDAY)))
    assert told == "impact moderate (the default) × urgency high (the default) = sev3"


def test_a_growth_condition_is_told_in_words_with_what_it_sets() -> None:
    found = rules(SUM)
    judged = found.judge(alert(), MONDAY)
    first, second = trace.growing(found, judged, judged.growing[1:])
    assert first.when == "5 alerts, 3 different values of pod, firing for 10 min, 2 refires within 1 h"
    assert (first.name, first.sets, first.because, first.held) == ("grave#0", {"urgency": "critical"}, "More.", False)
    assert (second.when, second.sets, second.held) == ("1 alert", {"impact": "extensive"}, True)


# ---------------------------------------------------------------- then and now


def test_equal_verdicts_do_not_differ_and_reasons_in_words_do_not_count() -> None:
    assert trace.differences(verdict(), verdict(because=("Other words.",), growing=("a#0",))) == ()


@pytest.mark.parametrize(
    ("change", "then", "now"),
    [
        ({"severity": Severity.SEV4}, "sev2", "sev4"),
        ({"delay": timedelta(minutes=15)}, "", "15 min"),
        ({"dropped": "Noise."}, "", "Noise."),
        ({"matched": ("a", "b")}, "revenue-degraded", "a, b"),
        ({"restricted": True}, "no", "yes"),
        (
            {"key": Key(digest="v1:1", pairs=(("team", "payments"),))},
            'service="checkout", cluster="eu-1"',
            'team="payments"',
        ),
    ],
)
def test_a_difference_is_told_in_words_with_what_was_and_what_is(change: dict[str, Any], then: str, now: str) -> None:
    (name,) = change
    assert trace.differences(verdict(), verdict(**change)) == (trace.Difference(of=name, then=then, now=now),)


def test_a_verdict_that_drops_differs_in_that_alone() -> None:
    drops = verdict(dropped="Noise.", severity=Severity.SEV4, matched=("noise",))
    assert [one.of for one in trace.differences(verdict(), drops)] == ["dropped"]
    assert [one.of for one in trace.differences(drops, verdict())] == ["dropped"]
    assert [one.of for one in trace.differences(drops, verdict(dropped="Odd."))] == ["severity", "matched", "dropped"]


def test_of_many_rules_those_that_matched_are_always_shown() -> None:
    tried = tuple(Tried(rule=str(n), matched=n in (3, 8)) for n in range(10))
    assert [one.rule for one in shortened(tried, 4)] == ["0", "1", "3", "8"]
    assert shortened(tried, 10) == tried
    assert [one.rule for one in shortened(tried, 1)] == ["3"]


# ---------------------------------------------------------------- what a deadline follows from


def derived(found: Incident, *timeline: Any) -> dict[str, str]:
    return {str(one.kind): one.derived for one in due(found, policy(), timeline)}


def opened(**changes: Any) -> Incident:
    """A Sev-2 whose clocks are those of the shipped policy."""
    found = incident(**changes)
    shipped = policy()
    return replace(
        found,
        response_due_at=shipped.due(found.severity, Objective.RESPONSE, minutes(1)),
        resolution_due_at=shipped.due(found.severity, Objective.RESOLUTION, minutes(1)),
        response_at_risk_at=minutes(46),
    )


def test_a_deadline_names_the_opening_the_target_and_how_time_counts() -> None:
    told = derived(opened())
    assert told["response"] == "opened 2026-11-23 03:01 UTC + 1h (sev2, elapsed time)"
    assert told["resolution"] == "opened 2026-11-23 03:01 UTC + 8h (sev2, elapsed time)"
    assert told["response_at_risk"].startswith("75% of the way to the end of the response objective, 2026-11-23 04:01")


def test_a_target_of_working_days_names_the_calendar() -> None:
    told = derived(opened(severity=Severity.SEV4))
    assert told["response"] == "opened 2026-11-23 03:01 UTC + 1bd (sev4, open time of calendar business)"


def test_a_deadline_after_a_raise_names_the_raise() -> None:
    raised = replace(
        opened(severity=Severity.SEV1), response_due_at=minutes(35), resolution_due_at=minutes(20 + 4 * 60)
    )
    told = derived(raised, entry("severity raised", after=20, entry=Entry.SEVERITY))
    assert told["response"] == "severity changed 2026-11-23 03:20 UTC + 15m (sev1, elapsed time)"


def test_a_deadline_that_was_earlier_than_the_raises_is_told_as_kept() -> None:
    kept = replace(opened(), severity=Severity.SEV1)
    told = derived(kept, entry("severity raised", after=59, entry=Entry.SEVERITY))
    assert told["response"] == "opened 2026-11-23 03:01 UTC + 1h (sev2, elapsed time, the earlier one is kept)"


def test_a_later_round_and_a_response_asked_for_anew_say_so() -> None:
    again = opened(round=2)
    assert derived(again)["response"].startswith("reopened ")
    anew = replace(again, response_started_at=minutes(30), response_due_at=minutes(90))
    assert derived(anew)["response"].startswith("asked for anew 2026-11-23 03:30 UTC + 1h")


def test_a_deadline_that_nothing_known_leads_to_admits_it() -> None:
    odd = replace(opened(), response_due_at=minutes(77))
    assert derived(odd)["response"] == "it follows from a severity that was chosen or judged meanwhile"
    assert derived(replace(odd, response_started_at=None))["response"].startswith("it follows")


@pytest.mark.parametrize(
    ("changes", "kind", "told"),
    [
        ({"state": State.PENDING, "pending_until": minutes(16)}, DeadlineKind.OPENING, "first fired 2026-11-23 03:01"),
        ({"state": State.PENDING, "grows_at": minutes(5)}, DeadlineKind.GROWTH, "a growth condition may hold"),
        ({"state": State.VERIFYING, "restored_at": minutes(9)}, DeadlineKind.VERIFICATION, "quiet since 2026-11-23"),
        (
            {"state": State.ACKNOWLEDGED, "acknowledged_by": "ann", "acknowledged_until": minutes(99)},
            DeadlineKind.ACKNOWLEDGEMENT,
            "the acknowledgement by ann ends",
        ),
        ({"storm_until": minutes(5)}, DeadlineKind.STORM, "it is asked then whether the storm goes on"),
    ],
)
def test_other_deadlines_say_what_they_wait_for(changes: dict[str, Any], kind: DeadlineKind, told: str) -> None:
    assert derived(incident(**changes))[kind].startswith(told)


def test_deadlines_come_in_the_order_in_which_they_are_due() -> None:
    instants = [one.due_at for one in due(opened(grows_at=minutes(2)), policy(), ())]
    assert instants == sorted(instants)
    assert instants[0] == minutes(2)


def test_an_objective_keeps_its_derivation_when_it_is_decided() -> None:
    met = opened(response_outcome=Outcome.MET, state=State.ACKNOWLEDGED)
    response, resolution = decided(met, policy(), ())
    assert (response.outcome, response.derived[:6]) == (Outcome.MET, "opened")
    assert resolution.outcome is None
    waiting = replace(met, response_due_at=None, resolution_due_at=None)
    assert decided(waiting, policy(), ()) == ()
