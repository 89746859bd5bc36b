"""What alerts do to an open incident: raise it, make it grow, fall silent, fire again."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from building import minutes, verdict
from playing import (
    Play,
    ack,
    close,
    comments,
    counted,
    entries,
    publishes,
    tallies,
    told,
    verifying,
)
from triaged.core.effects import CommentKind, PublishIssue
from triaged.core.events import GrowthAwaited
from triaged.core.model import (
    DeadlineKind,
    Entry,
    Outcome,
    Severity,
    State,
)

SEV1, SEV2, SEV3, SEV4 = Severity
PAGE = {"severity": "sev2", "team": "payments"}


# ---- severity


def test_a_graver_verdict_raises_the_severity_and_says_so_once_to_everybody() -> None:
    play = Play()
    play.fire("A", SEV3)
    raised = play.fire("B", SEV1)
    text = "everity raised from sev3 to sev1: B fires. Some purchases fail or take too long."
    assert (play.incident.severity, play.incident.judged) == (SEV1, SEV1)
    assert told(raised, Entry.SEVERITY) == ["s" + text]
    assert comments(raised) == [(CommentKind.SEVERITY_RAISED, "S" + text)]
    assert PublishIssue(incident_id=1, urgent=True) in publishes(raised)
    assert tallies(raised) == []


@pytest.mark.parametrize("says", [SEV2, SEV3, SEV4])
def test_the_daemon_never_lowers_a_severity(says: Severity) -> None:
    play = Play()
    play.fire("A", SEV2)
    play.fire("B", says)
    play.fire("A", says, since=0)
    play.resolve("A")
    assert (play.incident.severity, play.incident.judged) == (SEV2, SEV2)
    assert Entry.SEVERITY not in entries(play.played)


def test_an_alert_that_is_judged_anew_raises_the_severity() -> None:
    play = Play()
    play.fire(says=SEV3)
    raised = play.fire(says=SEV2, since=0)
    assert play.incident.severity is SEV2
    (text,) = told(raised, Entry.SEVERITY)
    assert text.startswith("severity raised from sev3 to sev2: HighErrorRate is judged anew.")


def test_two_raises_at_one_instant_are_two_comments() -> None:
    play = Play()
    play.fire("A", SEV3)
    keys = [
        effect.key
        for one in (*play.fire("B", SEV2), *play.fire("C", SEV1))
        for effect in one.decision.effects
        if hasattr(effect, "key")
    ]
    assert len(set(keys)) == 2


def test_a_raise_makes_each_deadline_the_earlier_of_the_old_one_and_raise_plus_target() -> None:
    play = Play()
    play.fire("A", SEV2)
    play.to(50)
    play.fire("B", SEV1)
    assert play.due()[DeadlineKind.RESPONSE] == minutes(60)
    assert play.due()[DeadlineKind.RESOLUTION] == minutes(50 + 240)
    assert play.due()[DeadlineKind.RESOLUTION_AT_RISK] == minutes(50 + 180)


def test_a_raise_does_not_ask_again_for_a_response_that_was_breached() -> None:
    play = Play()
    play.fire("A", SEV2)
    play.to(61)
    play.fire("B", SEV1)
    assert play.incident.response_outcome is Outcome.BREACHED
    assert DeadlineKind.RESPONSE not in play.due()


def test_a_verdict_that_is_graver_than_the_acknowledgement_covered_ends_it() -> None:
    play = Play()
    play.fire("A", SEV3)
    play.act(ack())
    play.to(30)
    raised = play.fire("B", SEV2)
    incident = play.incident
    assert (incident.state, incident.acknowledged_by, incident.acknowledged_until) == (State.OPEN, None, None)
    assert (incident.response_outcome, incident.response_started_at) == (None, minutes(30))
    assert play.due()[DeadlineKind.RESPONSE] == minutes(90)
    assert told(raised, Entry.ACKNOWLEDGEMENT_ENDED) == [
        "the acknowledgement by ann ended: judged sev2 now, it covered sev3"
    ]


def test_a_verdict_that_is_no_graver_leaves_the_acknowledgement() -> None:
    play = Play()
    play.fire("A", SEV2)
    play.act(ack())
    play.fire("B", SEV2)
    play.fire("C", SEV3)
    assert (play.incident.state, play.incident.acknowledged_by) == (State.ACKNOWLEDGED, "ann")


def test_growth_in_verifying_ends_the_acknowledgement_too() -> None:
    play = Play()
    play.fire(says=SEV2)
    play.act(ack())
    play.to(10)
    play.resolve()
    play.grow(SEV1)
    assert (play.incident.state, play.incident.former_state) == (State.VERIFYING, State.OPEN)
    play.to(12)
    play.fire(says=SEV1)
    assert play.incident.state is State.OPEN
    assert play.due()[DeadlineKind.RESPONSE] == minutes(25)


def test_a_comment_on_a_restricted_incident_tells_nothing_of_its_alerts() -> None:
    play = Play()
    play.fire("A", verdict(severity=SEV3, restricted=True))
    raised = play.fire("B", SEV1)
    assert comments(raised) == [
        (CommentKind.SEVERITY_RAISED, "Severity raised: the incident's own page says more."),
    ]


# ---- growth


def test_growth_raises_the_severity() -> None:
    play = Play()
    play.fire(says=SEV3)
    grew = play.grow(SEV2)
    assert (play.incident.severity, play.incident.grown) == (SEV2, ("revenue-degraded#0",))
    assert entries(grew) == [Entry.GREW, Entry.SEVERITY]
    assert told(grew, Entry.GREW) == ["a growth condition of rule revenue-degraded holds"]
    assert [kind for kind, _ in comments(grew)] == [CommentKind.SEVERITY_RAISED]


def test_a_growth_condition_that_held_is_not_asked_again() -> None:
    play = Play()
    play.fire(says=SEV3)
    play.grow(SEV2)
    before = play.incident
    (again,) = play.grow(SEV1)
    assert play.incident == before
    assert (again.decision.effects, again.decision.timeline) == ((), ())


def test_a_finished_incident_grows_no_more() -> None:
    play = Play()
    play.fire(says=SEV3)
    play.act(close())
    before = play.incident
    play.grow(SEV1)
    assert play.incident == before


def test_growth_that_waits_for_time_is_a_deadline_until_it_has_passed() -> None:
    play = Play()
    play.fire()
    play.tell(GrowthAwaited(at=minutes(10)))
    assert play.due()[DeadlineKind.GROWTH] == minutes(10)
    passed = play.to(10)
    assert DeadlineKind.GROWTH not in play.due()
    assert (publishes(passed), told(passed)) == ([], [])


def test_growth_that_waits_for_no_time_is_no_deadline() -> None:
    play = Play()
    play.fire()
    play.tell(GrowthAwaited(at=minutes(10)))
    play.tell(GrowthAwaited(at=minutes(10)))
    play.tell(GrowthAwaited(at=None))
    assert DeadlineKind.GROWTH not in play.due()


# ---- verifying


def test_when_nothing_fires_any_more_it_is_verifying_since_the_end_of_the_last_alert() -> None:
    play = Play()
    play.fire("A")
    play.fire("B")
    play.to(10)
    play.resolve("A", ended=9)
    assert play.incident.state is State.OPEN
    silent = play.resolve("B", ended=7)
    assert (play.incident.state, play.incident.firing, play.incident.restored_at) == (State.VERIFYING, 0, minutes(9))
    assert play.due() == {DeadlineKind.VERIFICATION: minutes(29)}
    assert told(silent) == [
        "B resolved at 2026-11-23 03:07 UTC",
        "nothing fires any more; watched for 20 min from 2026-11-23 03:09 UTC",
    ]
    assert PublishIssue(incident_id=1, urgent=True) in publishes(silent)
    assert tallies(silent) == []


def test_a_resolve_for_the_unknown_does_nothing() -> None:
    play = Play()
    play.fire()
    before = play.incident
    assert play.resolve("Unknown") == []
    assert play.incident == before


def test_a_resolve_older_than_the_episode_does_nothing() -> None:
    play = Play()
    play.fire()
    assert play.resolve(ended=-1) == []
    assert (play.incident.state, play.incident.firing) == (State.OPEN, 1)


def test_a_resolve_twice_counts_once() -> None:
    play = Play()
    play.fire("A")
    play.fire("B")
    play.resolve("A")
    assert play.resolve("A") == []
    assert play.incident.firing == 1


def test_the_clocks_wait_while_it_is_verifying() -> None:
    assert verifying().due() == {DeadlineKind.VERIFICATION: minutes(30)}


@pytest.mark.parametrize("since", [None, 0])
def test_a_refire_in_verifying_goes_back_as_if_it_had_never_left(since: float | None) -> None:
    play = Play()
    play.fire()
    before = play.incident
    due = play.due()
    play.to(10)
    play.resolve()
    play.to(15)
    refired = play.fire(since=since)
    alerts = 2 if since is None else 1
    back = replace(play.incident, process=before.process)
    assert back == replace(before, alerts=alerts, last_begun_at=minutes(15), last_ended_at=minutes(10))
    assert play.due() == due
    assert tallies(refired) == []
    assert comments(refired) == []
    assert told(refired, Entry.REFIRED) == ["HighErrorRate fires again: back to open"]


def test_a_refire_in_verifying_goes_back_to_the_acknowledgement() -> None:
    play = Play()
    play.fire()
    play.to(5)
    play.act(ack())
    before = play.incident
    play.to(10)
    play.resolve()
    play.to(15)
    play.fire()
    back = replace(play.incident, process=before.process)
    assert back == replace(before, alerts=2, last_begun_at=minutes(15), last_ended_at=minutes(10))


def test_a_refire_that_is_graver_goes_back_and_raises() -> None:
    play = verifying()
    play.to(15)
    play.fire("B", SEV1)
    assert (play.incident.state, play.incident.severity, play.incident.restored_at) == (State.OPEN, SEV1, None)
    assert play.due()[DeadlineKind.RESPONSE] == minutes(30)


def test_a_deadline_that_passes_in_verifying_does_not_breach_when_nothing_fires_again() -> None:
    play = Play()
    play.fire()
    play.to(55)
    play.resolve()
    play.to(75)
    assert play.incident.state is State.RESOLVED
    assert (play.incident.response_outcome, play.incident.resolution_outcome) == (Outcome.NOT_REQUIRED, Outcome.MET)
    assert counted(play.played, "sla_breached_total") == []


def test_a_deadline_that_passes_in_verifying_breaches_when_it_fires_again() -> None:
    play = Play()
    play.fire()
    play.to(55)
    play.resolve()
    play.to(65)
    play.fire()
    breached = play.to(65)
    assert play.incident.response_outcome is Outcome.BREACHED
    assert told(breached, Entry.BREACHED) == [
        "response objective breached, due 2026-11-23 04:00 UTC (acted 5 min late)",
    ]


def test_a_deadline_that_passes_in_verifying_does_not_breach_by_an_acknowledgement_that_comes_then() -> None:
    play = Play()
    play.fire()
    play.to(55)
    play.resolve()
    play.to(65)
    play.act(ack())
    assert counted(play.played, "sla_breached_total") == []
    play.to(75)
    assert (play.incident.state, play.incident.response_outcome) == (State.RESOLVED, Outcome.NOT_REQUIRED)


def test_a_deadline_that_passes_in_verifying_before_the_acknowledgement_breaches_when_it_fires_again() -> None:
    play = Play()
    play.fire()
    play.to(55)
    play.resolve()
    play.to(65)
    play.act(ack())
    play.to(70)
    refired = play.fire()
    assert (play.incident.state, play.incident.response_outcome) == (State.ACKNOWLEDGED, Outcome.BREACHED)
    assert counted(refired, "sla_breached_total") == [
        {"severity": "sev2", "team": "payments", "objective": "response"},
    ]


def test_restored_before_acknowledged_makes_the_response_not_required() -> None:
    play = verifying()
    play.to(15)
    play.act(ack())
    assert (play.incident.state, play.incident.acknowledged_by) == (State.VERIFYING, "ann")
    done = play.to(30)
    assert play.incident.response_outcome is Outcome.NOT_REQUIRED
    assert counted(done, "sla_not_required_total") == [
        {"severity": "sev2", "team": "payments", "objective": "response"},
    ]


def test_an_acknowledgement_in_verifying_has_met_the_response_when_it_fires_again() -> None:
    play = verifying()
    play.to(15)
    play.act(ack())
    play.to(20)
    play.fire()
    assert (play.incident.state, play.incident.response_outcome) == (State.ACKNOWLEDGED, Outcome.MET)
    assert counted(play.played, "incident_acknowledge_duration_seconds") == [PAGE]


def test_a_response_that_was_late_before_the_restoration_is_breached_even_when_the_deadline_acted_too_late() -> None:
    play = Play()
    play.fire(since=0)
    play.now = minutes(70)
    play.resolve()
    play.act(ack())
    play.to(90)
    assert play.incident.response_outcome is Outcome.BREACHED
