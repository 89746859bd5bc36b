"""What people do to an incident: their acts win over the daemon, and cover what they could see."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from building import incident, minutes
from playing import (
    ANN,
    BOB,
    CONTEXT,
    ack,
    choose,
    close,
    comments,
    counted,
    entries,
    fixed,
    opened,
    publishes,
    reopen,
    tallies,
    told,
)
from triaged.core.effects import CommentKind, PublishIssue
from triaged.core.events import Act
from triaged.core.lifecycle import decide
from triaged.core.model import (
    CloseReason,
    DeadlineKind,
    Entry,
    Outcome,
    Severity,
    State,
)
from triaged.errors import ActError

SEV1, SEV2, SEV3, SEV4 = Severity
PAGE = {"severity": "sev2", "team": "payments"}


# ---- ack


def test_an_acknowledgement_meets_the_response_objective() -> None:
    play = opened()
    acked = play.act(ack())
    incident = play.incident
    assert (incident.state, incident.acknowledged_by, incident.acknowledged_at) == (
        State.ACKNOWLEDGED,
        "ann",
        minutes(5),
    )
    assert (incident.covered, incident.response_outcome) == (SEV2, Outcome.MET)
    assert tallies(acked) == [
        ("incident_acknowledge_duration_seconds", PAGE, 300.0),
        ("sla_met_total", {**PAGE, "objective": "response"}, None),
    ]
    assert told(acked, Entry.ACKNOWLEDGED) == ["acknowledged by ann for 4 h"]
    assert [entry.by for entry in acked[0].decision.timeline] == ["triaged", "ann"]
    assert publishes(acked) == [PublishIssue(incident_id=1)]
    assert comments(acked) == []


def test_an_acknowledgement_at_the_very_deadline_is_in_time() -> None:
    play = opened()
    play.now = minutes(60)
    play.act(ack())
    assert play.incident.response_outcome is Outcome.MET


@pytest.mark.parametrize(("said", "counted"), [(-3, 0), (20, 20), (90, 80)])
def test_an_acknowledgement_that_is_found_later_counts_from_when_it_was_given(said: float, counted: float) -> None:
    play = opened()
    play.now = minutes(80)
    made = play.act(replace(ack(), at=minutes(said)))
    assert play.incident.acknowledged_at == minutes(counted)
    assert play.incident.response_outcome is (Outcome.MET if counted <= 60 else Outcome.BREACHED)
    assert play.incident.acknowledged_until == minutes(counted) + timedelta(hours=4)
    assert [entry.at for entry in made[0].decision.timeline if entry.entry is Entry.ACKNOWLEDGED] == [minutes(counted)]


def test_an_acknowledgement_after_the_deadline_breached_it() -> None:
    play = opened()
    play.now = minutes(61)
    play.act(ack())
    assert play.incident.response_outcome is Outcome.BREACHED
    assert counted(play.played, "sla_breached_total") == [{**PAGE, "objective": "response"}]


def test_an_acknowledgement_after_a_recorded_breach_counts_how_long_it_took_and_nothing_else() -> None:
    play = opened()
    play.to(70)
    acked = play.act(ack())
    assert play.incident.response_outcome is Outcome.BREACHED
    assert tallies(acked) == [("incident_acknowledge_duration_seconds", PAGE, 4_200.0)]


def test_a_second_acknowledgement_takes_it_over_and_counts_nothing() -> None:
    play = opened()
    play.act(ack())
    play.to(30)
    again = play.act(ack(BOB))
    assert (play.incident.acknowledged_by, play.incident.acknowledged_at) == ("bob", minutes(5))
    assert play.due()[DeadlineKind.ACKNOWLEDGEMENT] == minutes(30 + 240)
    assert tallies(again) == []


@pytest.mark.parametrize(("severity", "hours"), [(SEV1, 2), (SEV2, 4)])
def test_an_acknowledgement_of_a_sev1_or_sev2_lasts_as_the_policy_says(severity: Severity, hours: int) -> None:
    play = opened(severity)
    play.act(ack())
    assert play.due()[DeadlineKind.ACKNOWLEDGEMENT] == minutes(5 + hours * 60)


@pytest.mark.parametrize("severity", [SEV3, SEV4])
def test_an_acknowledgement_of_a_sev3_or_sev4_does_not_expire(severity: Severity) -> None:
    play = opened(severity)
    acked = play.act(ack())
    assert DeadlineKind.ACKNOWLEDGEMENT not in play.due()
    assert told(acked, Entry.ACKNOWLEDGED) == ["acknowledged by ann"]


@pytest.mark.parametrize("severity", [SEV2, SEV3])
def test_an_acknowledgement_for_a_time_lasts_that_long(severity: Severity) -> None:
    play = opened(severity)
    acked = play.act(ack(lasting=timedelta(minutes=30)))
    assert play.due()[DeadlineKind.ACKNOWLEDGEMENT] == minutes(35)
    assert told(acked, Entry.ACKNOWLEDGED) == ["acknowledged by ann for 30 min"]


# ---- severity


def test_a_person_lowers_the_severity_and_each_deadline_is_the_opening_plus_the_new_target() -> None:
    play = opened()
    play.to(50)
    lowered = play.act(choose(SEV3, reason="a test tenant"))
    incident = play.incident
    assert (incident.severity, incident.judged, incident.chosen, incident.chosen_by) == (SEV3, SEV2, SEV3, "ann")
    assert (incident.response_due_at, incident.resolution_due_at) == (minutes(240), minutes(3 * 24 * 60))
    assert (incident.response_at_risk, incident.response_at_risk_at) == (False, minutes(180))
    assert told(lowered) == ["severity sev3 (was sev2) by ann: a test tenant"]
    assert publishes(lowered) == [PublishIssue(incident_id=1, urgent=True)]
    assert (tallies(lowered), comments(lowered)) == ([], [])


def test_a_person_raises_the_severity_and_each_deadline_is_the_earlier_one() -> None:
    play = opened()
    play.to(50)
    play.act(choose(SEV1))
    assert play.incident.severity is SEV1
    assert play.due()[DeadlineKind.RESPONSE] == minutes(60)
    assert play.due()[DeadlineKind.RESOLUTION] == minutes(50 + 240)


def test_choosing_the_severity_that_it_has_moves_no_deadline() -> None:
    play = opened()
    due = play.due()
    play.act(choose(SEV2))
    assert (play.incident.chosen, play.incident.severity, play.due()) == (SEV2, SEV2, due)


def test_a_recorded_breach_stays_when_a_person_lowers_the_severity() -> None:
    play = opened()
    play.to(61)
    play.act(choose(SEV3))
    assert play.incident.response_outcome is Outcome.BREACHED
    assert DeadlineKind.RESPONSE not in play.due()


def test_a_lowering_in_a_later_round_counts_from_that_rounds_opening() -> None:
    play = opened()
    play.resolve()
    play.to(100)
    play.fire()
    play.to(110)
    play.act(choose(SEV3))
    assert play.due()[DeadlineKind.RESPONSE] == minutes(100 + 240)


def test_a_lowering_counts_a_response_that_was_asked_for_anew_from_then() -> None:
    play = opened()
    play.act(ack())
    play.to(180)
    play.fire("B", SEV1)
    play.to(185)
    play.act(choose(SEV2))
    assert play.due()[DeadlineKind.RESPONSE] == minutes(180 + 60)
    assert play.due()[DeadlineKind.RESOLUTION] == minutes(480)
    assert play.incident.response_outcome is None


def test_choosing_a_severity_leaves_the_acknowledgement_and_renews_it() -> None:
    play = opened()
    play.act(ack())
    play.to(60)
    play.act(choose(SEV1))
    assert play.incident.state is State.ACKNOWLEDGED
    assert play.due()[DeadlineKind.ACKNOWLEDGEMENT] == minutes(245)
    play.to(200)
    play.act(choose(SEV1))
    assert play.due()[DeadlineKind.ACKNOWLEDGEMENT] == minutes(320)


def test_an_acknowledged_sev3_that_a_person_makes_a_sev1_expires_like_any_sev1() -> None:
    play = opened(SEV3)
    play.act(ack())
    play.to(10)
    play.act(choose(SEV1))
    assert play.due()[DeadlineKind.ACKNOWLEDGEMENT] == minutes(130)


def test_an_acknowledged_sev2_that_a_person_makes_a_sev3_does_not_expire() -> None:
    play = opened(SEV2)
    play.act(ack())
    play.act(choose(SEV3))
    assert DeadlineKind.ACKNOWLEDGEMENT not in play.due()


def test_a_severity_chosen_in_verifying_changes_how_long_it_is_watched() -> None:
    play = opened()
    play.resolve()
    play.act(choose(SEV1))
    assert play.due() == {DeadlineKind.VERIFICATION: minutes(35)}


# ---- a person's act covers what the person could see


def test_a_chosen_severity_stays_when_the_rules_judge_no_higher_than_the_person_could_see() -> None:
    play = opened()
    play.act(choose(SEV4))
    joined = play.fire("B", SEV2)
    assert (play.incident.severity, play.incident.judged) == (SEV4, SEV2)
    assert (comments(joined), entries(joined)) == ([], [Entry.FIRED])


def test_a_chosen_severity_stays_when_the_rules_judge_higher_but_the_daemon_comments_and_shows_both() -> None:
    play = opened()
    play.act(choose(SEV4))
    due = play.due()
    joined = play.fire("B", SEV1)
    text = "ev4 by ann, judged sev1: B fires. Some purchases fail or take too long."
    assert (play.incident.severity, play.incident.judged, play.due()) == (SEV4, SEV1, due)
    assert comments(joined) == [(CommentKind.JUDGED_ABOVE, "S" + text)]
    assert told(joined, Entry.SEVERITY) == ["s" + text]
    assert PublishIssue(incident_id=1, urgent=True) in publishes(joined)


def test_a_chosen_severity_that_the_rules_then_reach_is_not_told_to_be_passed() -> None:
    play = opened(SEV3)
    play.act(choose(SEV1))
    joined = play.fire("B", SEV2)
    assert (play.incident.severity, play.incident.judged) == (SEV1, SEV2)
    assert told(joined, Entry.SEVERITY)[0].startswith("sev1 by ann, judged sev2: B fires.")


def test_an_acknowledgement_of_a_chosen_severity_ends_when_the_rules_judge_higher_than_it_covered() -> None:
    play = opened()
    play.act(choose(SEV4))
    play.act(ack())
    assert play.incident.covered is SEV2
    play.to(30)
    joined = play.fire("B", SEV1)
    assert (play.incident.state, play.incident.severity) == (State.OPEN, SEV4)
    assert play.incident.response_started_at == minutes(30)
    assert Entry.ACKNOWLEDGEMENT_ENDED in entries(joined)


def test_an_acknowledgement_after_the_rules_judged_higher_covers_that() -> None:
    play = opened(SEV3)
    play.fire("B", SEV1)
    play.act(ack())
    play.fire("C", SEV1)
    assert (play.incident.state, play.incident.covered) == (State.ACKNOWLEDGED, SEV1)


# ---- resolve


def test_a_resolve_while_alerts_fire_waits_for_their_end_and_says_so() -> None:
    play = opened()
    play.fire("B")
    asked = play.act(fixed(root_cause="A bad release.", fix="Rolled back."))
    assert (play.incident.state, play.incident.root_cause, play.incident.fix) == (
        State.OPEN,
        "A bad release.",
        "Rolled back.",
    )
    assert told(asked) == ["ann says that it is fixed; 2 alerts of it fire: it is verified when they end"]
    play.to(20)
    play.resolve()
    play.resolve("B")
    assert (play.incident.state, play.incident.restored_at) == (State.VERIFYING, minutes(20))


def test_it_is_restored_by_the_end_of_the_last_alert_or_a_persons_resolve_if_later() -> None:
    play = opened()
    play.act(fixed())
    play.to(6)
    play.resolve(ended=3)
    assert play.incident.restored_at == minutes(5)


def test_a_resolve_with_nothing_firing_is_verified_from_now() -> None:
    play = opened()
    play.resolve()
    play.to(60)
    play.act(reopen())
    play.to(70)
    assert (play.incident.state, play.incident.firing) == (State.OPEN, 0)
    asked = play.act(fixed())
    assert (play.incident.state, play.incident.restored_at) == (State.VERIFYING, minutes(70))
    assert told(asked) == ["ann says that it is fixed; watched for 20 min from 2026-11-23 04:10 UTC"]


def test_a_resolve_in_verifying_is_watched_from_now() -> None:
    play = opened()
    play.resolve()
    play.to(15)
    asked = play.act(fixed())
    assert (play.incident.restored_at, play.due()) == (minutes(15), {DeadlineKind.VERIFICATION: minutes(35)})
    assert told(asked) == ["ann says that it is fixed: watched from now"]


def test_a_resolve_in_verifying_does_not_breach_a_response_whose_clock_waits() -> None:
    play = opened()
    play.to(55)
    play.resolve()
    play.to(65)
    play.act(fixed())
    play.to(90)
    assert (play.incident.state, play.incident.response_outcome) == (State.RESOLVED, Outcome.NOT_REQUIRED)


def test_a_resolve_of_what_is_resolved_adds_to_the_record_and_is_told() -> None:
    play = opened()
    play.resolve()
    play.to(60)
    asked = play.act(fixed(prevention="A canary."))
    assert (play.incident.state, play.incident.prevention) == (State.RESOLVED, "A canary.")
    assert told(asked) == ["ann says that it is fixed"]


def test_a_record_keeps_what_was_written_before_where_nothing_new_is_said() -> None:
    play = opened()
    play.act(fixed(summary="Checkout failed.", fix="Rolled back."))
    play.act(fixed(fix="Rolled back twice."))
    assert (play.incident.summary, play.incident.fix) == ("Checkout failed.", "Rolled back twice.")


def test_a_resolve_renews_the_acknowledgement_but_never_shortens_it() -> None:
    play = opened()
    play.act(ack(lasting=timedelta(hours=8)))
    play.to(60)
    play.act(fixed())
    assert play.due()[DeadlineKind.ACKNOWLEDGEMENT] == minutes(5 + 480)
    play.to(400)
    play.act(fixed())
    assert play.due()[DeadlineKind.ACKNOWLEDGEMENT] == minutes(400 + 240)


def test_a_resolve_does_not_take_a_given_time_from_an_acknowledged_sev3() -> None:
    play = opened(SEV3)
    play.act(ack(lasting=timedelta(hours=1)))
    play.act(fixed())
    assert play.due()[DeadlineKind.ACKNOWLEDGEMENT] == minutes(65)


# ---- acts are refused where the state does not allow them

FINISHED = {State.RESOLVED, State.CLOSED}
REFUSED: list[tuple[Act, set[State], str]] = [
    (ack(), {State.PENDING, *FINISHED}, "acknowledged: expected one that is open, acknowledged, verifying"),
    (
        choose(SEV1),
        {State.PENDING, *FINISHED},
        "given another severity: expected one that is open, acknowledged, verifying",
    ),
    (
        fixed(),
        {State.PENDING, State.CLOSED},
        "resolved: expected one that is open, acknowledged, verifying, resolved",
    ),
    (
        close(),
        {State.PENDING, State.CLOSED},
        "closed: expected one that is open, acknowledged, verifying, resolved",
    ),
    (reopen(), set(State) - FINISHED, "reopened: expected one that is resolved, closed"),
]


@pytest.mark.parametrize(
    ("act", "state", "expected"), [(act, state, text) for act, states, text in REFUSED for state in sorted(states)]
)
def test_an_act_that_the_state_does_not_allow_is_refused_with_what_was_expected(
    act: Act, state: State, expected: str
) -> None:
    with pytest.raises(ActError) as refused:
        decide(incident(state=state, restored_at=minutes(1), closed_at=minutes(2)), act, CONTEXT, minutes(5))
    assert str(refused.value) == f"INC-12 is {state} and cannot be {expected}"


def test_what_never_opened_cannot_be_reopened() -> None:
    never = incident(state=State.CLOSED, close_reason=CloseReason.UNOPENED, closed_at=minutes(2))
    with pytest.raises(ActError, match="INC-12 never opened"):
        decide(never, reopen(), CONTEXT, minutes(5))


@pytest.mark.parametrize(
    ("act", "state"),
    [(act, state) for act, refused, _ in REFUSED for state in State if state not in refused],
)
def test_an_act_that_the_state_allows_is_told_with_the_persons_name(act: Act, state: State) -> None:
    decision = decide(incident(state=state, restored_at=minutes(1)), act, CONTEXT, minutes(5))
    assert ANN.name in {entry.by for entry in decision.timeline}
    assert {entry.by for entry in decision.timeline} <= {"ann", "triaged"}
