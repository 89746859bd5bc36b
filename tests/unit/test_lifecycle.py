"""The life of an incident: born pending or open, and on to its closing, as the product's States say."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from msgspec.structs import replace

from building import START, minutes, verdict
from playing import Play, ack, comments, counted, entries, publishes, tallies, told
from triaged.core.effects import CommentKind, PublishIssue
from triaged.core.events import GrowthAwaited
from triaged.core.model import (
    ActorKind,
    Category,
    CloseReason,
    DeadlineKind,
    Entry,
    Impact,
    Key,
    Outcome,
    Severity,
    State,
    Verdict,
)

SEV1, SEV2, SEV3, SEV4 = Severity
PAGES = {"severity": "sev2", "team": "payments"}


def held_back(severity: Severity = SEV3, minutes: float = 15) -> Verdict:
    return verdict(severity=severity, delay=timedelta(minutes=minutes), matched=("staging", "crash-loop"))


# ---- opening


def test_an_alert_opens_an_incident_at_once() -> None:
    play = Play()
    opened = play.fire(since=-5)
    incident = play.incident

    assert (incident.state, incident.name, incident.round) == (State.OPEN, "INC-1", 1)
    assert (incident.severity, incident.judged, incident.chosen) == (SEV2, SEV2, None)
    assert (incident.alerts, incident.firing) == (1, 1)
    assert (incident.started_at, incident.opened_at, incident.round_at) == (minutes(-5), START, START)
    assert tallies(opened) == [("incidents_opened_total", PAGES, None)]
    assert publishes(opened) == [PublishIssue(incident_id=1, urgent=True)]
    assert comments(opened) == []


def test_an_incident_is_what_its_first_verdict_says() -> None:
    says = verdict(labels=("edge",), restricted=True, repository="acme/secret", close="daemon", because=("It leaks.",))
    play = Play()
    play.fire(says=says)
    incident = play.incident

    assert (incident.service, incident.team, incident.category) == ("checkout", "payments", Category.DEGRADATION)
    assert (incident.labels, incident.restricted, incident.repository) == (("edge",), True, "acme/secret")
    assert (incident.close, incident.because, incident.matched) == ("daemon", ("It leaks.",), ("revenue-degraded",))
    assert (incident.key, incident.policy, incident.rule_set) == (says.key.digest, "policy", "rules")


def test_the_timeline_tells_why_it_opened() -> None:
    assert told(Play().fire(), Entry.OPENED) == ["opened as sev2: Some purchases fail or take too long."]


def test_the_timeline_of_an_incident_that_no_rule_matched_says_so() -> None:
    opened = Play().fire(says=verdict(because=(), matched=()))
    assert told(opened, Entry.OPENED) == ["opened as sev2: no rule matched, so the defaults hold"]


def test_a_title_is_the_alerts_name_with_the_other_values_of_its_key() -> None:
    pairs = (("alertname", "HighErrorRate"), ("cluster", "eu-1"), ("namespace", ""), ("service", "checkout"))
    play = Play()
    play.fire(says=verdict(key=Key(digest="k", pairs=pairs)))
    assert play.incident.title == "HighErrorRate · eu-1 · checkout"


def test_a_starts_at_in_the_future_does_not_start_the_incident_in_the_future() -> None:
    play = Play()
    play.fire(since=10)
    assert play.incident.started_at == START


def test_the_earliest_starts_at_of_its_alerts_is_when_it_started() -> None:
    play = Play()
    play.fire("A", since=-5)
    play.fire("B", since=-9)
    assert play.incident.started_at == minutes(-9)
    play.fire("A", since=-20)
    play.fire("C", since=-1)
    assert play.incident.started_at == minutes(-20)


def test_alerts_with_one_key_are_one_incident() -> None:
    play = Play()
    for name in "ABC":
        play.fire(name)
    play.resolve("B")
    assert len(play.incidents) == 1
    assert (play.incident.alerts, play.incident.firing) == (3, 2)


def test_a_repeat_changes_nothing_and_asks_for_nothing() -> None:
    play = Play()
    play.fire()
    before = play.incident
    (repeat,) = play.fire(since=0)
    assert play.incident == before
    assert (repeat.decision.effects, repeat.decision.timeline) == ((), ())


def test_an_alert_that_joins_is_told_and_published_without_hurry() -> None:
    play = Play()
    play.fire("A")
    joined = play.fire("B")
    assert told(joined) == ["B fires since 2026-11-23 03:00 UTC"]
    assert publishes(joined) == [PublishIssue(incident_id=1)]
    assert tallies(joined) == []


# ---- pending


def test_an_incident_that_its_rule_delays_is_pending() -> None:
    play = Play()
    play.fire(says=held_back())
    assert play.incident.state is State.PENDING
    assert play.due() == {DeadlineKind.OPENING: minutes(15)}


def test_a_pending_incident_has_no_clock_and_no_issue_and_is_not_counted_as_opened() -> None:
    play = Play()
    play.fire("A", held_back())
    play.fire("B", held_back())
    play.resolve("A")
    play.fire("B", held_back(), since=-5)
    incident = play.incident

    assert (incident.opened_at, incident.round, incident.response_due_at, incident.resolution_due_at) == (
        None,
        0,
        None,
        None,
    )
    assert (publishes(play.played), comments(play.played), tallies(play.played)) == ([], [], [])


def test_the_timeline_tells_how_long_it_is_held_back_and_does_not_guess_by_which_of_its_rules() -> None:
    assert told(Play().fire(says=held_back()), Entry.PENDING) == ["held back for 15 min by rule staging or crash-loop"]


def test_a_pending_incident_opens_at_its_deadline_if_it_still_fires() -> None:
    play = Play()
    play.fire(says=held_back())
    opened = play.to(15)
    incident = play.incident

    assert (incident.state, incident.opened_at, incident.pending_until) == (State.OPEN, minutes(15), None)
    assert (incident.response_due_at, incident.started_at) == (minutes(15 + 240), START)
    assert told(opened) == ["opened as sev3: still fires after 15 min"]
    assert counted(opened, "incidents_opened_total") == [{"severity": "sev3", "team": "payments"}]
    assert PublishIssue(incident_id=1, urgent=True) in publishes(opened)


def test_a_pending_incident_that_does_not_fire_at_its_deadline_ends_counted() -> None:
    play = Play()
    play.fire(says=held_back())
    play.to(5)
    play.resolve()
    assert play.incident.state is State.PENDING
    ended = play.to(15)
    incident = play.incident

    assert (incident.state, incident.close_reason, incident.closed_at) == (
        State.CLOSED,
        CloseReason.UNOPENED,
        minutes(15),
    )
    assert (incident.closed_by_kind, incident.opened_at, play.due()) == (ActorKind.DAEMON, None, {})
    labels = {"severity": "sev3", "team": "payments", "reason": "unopened", "by": "daemon"}
    assert tallies(ended) == [("incidents_closed_total", labels, None)]
    assert publishes(ended) == []
    assert told(ended) == ["never opened: nothing fired when its delay had passed"]


def test_a_pending_incident_that_flaps_opens_at_its_deadline_when_it_fires_then() -> None:
    play = Play()
    play.fire(says=held_back())
    play.to(5)
    play.resolve()
    play.to(14)
    play.fire(says=held_back())
    play.to(15)
    assert (play.incident.state, play.incident.alerts, play.incident.firing) == (State.OPEN, 2, 1)


@pytest.mark.parametrize("severity", [SEV1, SEV2])
def test_what_is_judged_sev1_or_sev2_is_not_held_back(severity: Severity) -> None:
    play = Play()
    play.fire(says=held_back(severity))
    assert play.incident.state is State.OPEN


@pytest.mark.parametrize("severity", [SEV1, SEV2])
def test_a_pending_incident_opens_at_once_when_a_joining_alert_is_judged_sev1_or_sev2(severity: Severity) -> None:
    play = Play()
    play.fire("A", held_back())
    play.to(3)
    opened = play.fire("B", held_back(severity))

    assert (play.incident.state, play.incident.severity, play.incident.opened_at) == (State.OPEN, severity, minutes(3))
    assert counted(opened, "incidents_opened_total") == [{"severity": str(severity), "team": "payments"}]
    assert comments(opened) == []


def test_a_pending_incident_opens_at_once_when_its_alert_is_judged_anew_as_sev2() -> None:
    play = Play()
    play.fire(says=held_back())
    play.fire(says=held_back(SEV2), since=0)
    assert (play.incident.state, play.incident.severity) == (State.OPEN, SEV2)


def test_a_pending_incident_opens_at_once_when_it_grows_to_sev2() -> None:
    play = Play()
    play.fire(says=held_back(SEV4))
    play.grow(SEV3, ref="crash-loop#0")
    assert (play.incident.state, play.incident.severity) == (State.PENDING, SEV3)
    play.grow(SEV2, ref="crash-loop#1")
    assert (play.incident.state, play.incident.severity) == (State.OPEN, SEV2)


def test_a_pending_incident_opens_at_once_when_an_alert_joins_that_no_rule_delays() -> None:
    play = Play()
    play.fire("A", held_back())
    opened = play.fire("B", SEV4)
    assert (play.incident.state, play.incident.severity) == (State.OPEN, SEV3)
    assert told(opened, Entry.OPENED) == ["opened as sev3: B does not wait"]


def test_a_pending_incident_waits_no_longer_than_the_shortest_delay_of_its_alerts() -> None:
    play = Play()
    play.fire("A", held_back(minutes=15))
    play.to(2)
    play.fire("B", held_back(minutes=5))
    play.fire("C", held_back(minutes=60))
    assert play.due() == {DeadlineKind.OPENING: minutes(7)}


def test_a_pending_incident_asks_for_growth_in_time() -> None:
    play = Play()
    play.fire(says=held_back())
    play.tell(GrowthAwaited(at=minutes(10)))
    assert play.due() == {DeadlineKind.OPENING: minutes(15), DeadlineKind.GROWTH: minutes(10)}


def test_what_fires_after_an_incident_that_never_opened_is_a_new_one_that_follows_none() -> None:
    play = Play()
    play.fire(says=held_back())
    play.resolve()
    play.to(20)
    play.fire(since=0)
    assert (len(play.incidents), play.incident.state, play.incident.follows) == (2, State.OPEN, None)
    assert (play.incident.alerts, play.incident.firing) == (1, 1)


# ---- whole lives


def test_an_acknowledged_sev2_that_becomes_a_sev1_needs_a_new_acknowledgement() -> None:
    play = Play()
    play.fire("a", SEV2)
    assert (play.incident.severity, play.incident.state) == (SEV2, State.OPEN)
    assert (play.due()[DeadlineKind.RESPONSE], play.due()[DeadlineKind.RESOLUTION]) == (minutes(60), minutes(480))

    play.to(5)
    play.act(ack())
    assert (play.incident.state, play.incident.response_outcome) == (State.ACKNOWLEDGED, Outcome.MET)

    play.to(6)
    play.fire("b", SEV2)
    play.fire("c", SEV2)
    play.grow(SEV1)
    assert (play.incident.severity, play.incident.state) == (SEV1, State.OPEN)
    assert (play.due()[DeadlineKind.RESPONSE], play.due()[DeadlineKind.RESOLUTION]) == (minutes(21), minutes(246))

    play.to(22)
    assert play.incident.response_outcome is Outcome.BREACHED

    play.to(40)
    for name in "abc":
        play.resolve(name)
    assert (play.incident.state, play.due()) == (State.VERIFYING, {DeadlineKind.VERIFICATION: minutes(70)})

    play.to(70)
    assert (play.incident.state, play.incident.resolution_outcome) == (State.RESOLVED, Outcome.MET)
    assert Counter((metric, labels["severity"]) for metric, labels, _ in tallies(play.played)) == {
        ("incidents_opened_total", "sev2"): 1,
        ("incident_acknowledge_duration_seconds", "sev2"): 1,
        ("sla_met_total", "sev2"): 1,
        ("sla_breached_total", "sev1"): 1,
        ("sla_met_total", "sev1"): 1,
        ("incident_resolve_duration_seconds", "sev1"): 1,
        ("incidents_resolved_total", "sev1"): 1,
    }


def test_a_quiet_sev3_opens_resolves_and_closes_without_a_person() -> None:
    play = Play()
    play.fire(says=SEV3)
    play.to(30)
    play.resolve()
    play.to(45)
    assert play.incident.state is State.CLOSED
    assert [entry for entry in entries(play.played) if entry is not Entry.NOT_REQUIRED] == [
        Entry.FIRED,
        Entry.OPENED,
        Entry.RESOLVED_ALERT,
        Entry.VERIFYING,
        Entry.MET,
        Entry.RESOLVED,
        Entry.CLOSED,
        Entry.FIGURES,
    ]
    assert [kind for kind, _ in comments(play.played)] == [CommentKind.RESOLVED]


def test_labels_of_joining_alerts_are_added_once_up_to_a_limit() -> None:
    play = Play()
    play.fire("A", verdict(labels=("one",)))
    joined = play.fire("B", verdict(labels=("one", "two")))
    play.fire("C", verdict(labels=tuple(f"n{i}" for i in range(30))))
    assert play.incident.labels[:3] == ("one", "two", "n0")
    assert len(play.incident.labels) == 20
    assert publishes(joined)


def test_an_incident_that_one_alert_restricts_stays_restricted() -> None:
    play = Play()
    play.fire("A")
    play.fire("B", verdict(restricted=True))
    play.fire("C", verdict(restricted=False))
    assert play.incident.restricted


def test_what_belongs_to_the_gravest_verdict_moves_with_it() -> None:
    play = Play()
    play.fire("A", SEV3)
    graver = verdict(
        severity=SEV1, impact=Impact.EXTENSIVE, category=Category.OUTAGE, because=("All is down.",), matched=("down",)
    )
    play.fire("B", graver)
    play.fire("C", replace(graver, severity=SEV2, category=Category.ERROR))
    incident = play.incident
    assert (incident.impact, incident.category, incident.because, incident.matched) == (
        Impact.EXTENSIVE,
        Category.OUTAGE,
        ("All is down.",),
        ("down",),
    )
