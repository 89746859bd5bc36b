"""A pause: the resolution clock stands still for a reason until an end, and counts on from there."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from building import incident, minutes, verdict
from playing import (
    ANN,
    BOB,
    CONTEXT,
    POLICY,
    Play,
    Played,
    ack,
    choose,
    close,
    counted,
    entries,
    fixed,
    opened,
    pause,
    publishes,
    reopen,
    resume,
    severity_policy,
    told,
    within,
)
from triaged.core.calendars import Calendar
from triaged.core.draft import Context, Draft
from triaged.core.effects import Audience, NoticeKind, Notify, PublishIssue
from triaged.core.events import Assigned, FoldAsked, PauseAsked, SilencesSeen, Updated
from triaged.core.lifecycle import decide
from triaged.core.model import (
    CloseReason,
    DeadlineKind,
    Entry,
    Fold,
    Objective,
    Outcome,
    Severity,
    State,
)
from triaged.core.objectives import end_pause, restart_targets
from triaged.core.pausing import LONGEST, MOST
from triaged.core.sla import BUSINESS, Level, Policy, Target
from triaged.errors import ActError

SEV1, SEV2, SEV3, SEV4 = Severity


def replace_severities(**words: Any) -> Policy:
    """The policy with other words for every severity."""
    return dataclasses.replace(
        POLICY, severities={severity: dataclasses.replace(one, **words) for severity, one in POLICY.severities.items()}
    )


RESOLUTION = {DeadlineKind.RESOLUTION, DeadlineKind.RESOLUTION_AT_RISK}


def taken(severity: Severity = SEV2) -> Play:
    """Fired at 0, acknowledged by ann at 5; it is 5. A Sev-2 is due at 480, at risk at 360."""
    play = opened(severity)
    play.act(ack())
    return play


def paused(span: float = 100, severity: Severity = SEV2) -> Play:
    """The same, paused at 60 for so long."""
    play = taken(severity)
    play.to(60)
    play.act(pause(span))
    return play


# ---- what stands still


def test_while_it_is_paused_only_the_end_of_the_pause_is_due() -> None:
    assert paused().due() == {DeadlineKind.PAUSE: minutes(160)}


def test_a_pause_is_told_with_its_end_and_its_reason() -> None:
    play = taken()
    done = play.act(pause(100, BOB))
    assert told(done) == ["bob pauses it until 2026-11-23 04:45 UTC: the vendor looks"]
    assert entries(done) == [Entry.PAUSED]
    assert done[0].decision.timeline[0].by == "bob"
    assert publishes(done) == [PublishIssue(incident_id=1)]


def test_at_its_end_what_was_left_counts_on() -> None:
    play = paused(100)
    done = play.to(160)
    assert told(done) == ["the pause ended: its time is over; due 2026-11-23 12:40 UTC"]
    assert play.due() == {
        DeadlineKind.RESOLUTION: minutes(580),
        DeadlineKind.RESOLUTION_AT_RISK: minutes(460),
        DeadlineKind.ACKNOWLEDGEMENT: minutes(160 + 240),
    }
    assert play.incident.process.paused_until is None


def test_a_person_resumes_before_its_end() -> None:
    play = paused(1_000)
    play.to(90)
    done = play.act(resume(reason="they called"))
    assert told(done) == ["the pause ended: resumed by ann: they called; due 2026-11-23 11:30 UTC"]
    assert (play.due()[DeadlineKind.RESOLUTION], play.due()[DeadlineKind.RESOLUTION_AT_RISK]) == (
        minutes(510),
        minutes(390),
    )
    assert publishes(done)
    assert DeadlineKind.PAUSE not in play.due()


def test_a_resolution_is_not_breached_while_it_is_paused_and_is_at_its_new_deadline() -> None:
    play = paused(1_000)
    assert told(play.to(1_059)) == []
    play.to(1_060)
    play.act(ack())
    play.to(1_479)
    assert play.incident.resolution_outcome is None
    play.to(1_480)
    assert play.incident.resolution_outcome is Outcome.BREACHED


def test_what_was_at_risk_before_the_pause_stays_so_and_is_not_told_again() -> None:
    play = taken(SEV3)
    play.to(3_300)
    assert play.incident.resolution_at_risk
    play.act(pause(60))
    assert DeadlineKind.RESOLUTION_AT_RISK not in play.due()
    play.to(3_360)
    assert told(play.to(4_379), Entry.AT_RISK) == []
    assert play.due() == {DeadlineKind.RESOLUTION: minutes(4_320 + 60)}


def test_pauses_add_up() -> None:
    play = paused(100)
    play.to(200)
    play.act(pause(50))
    play.to(300)
    assert play.due()[DeadlineKind.RESOLUTION] == minutes(480 + 150)
    assert play.incident.process.pauses == ((minutes(60), minutes(160)), (minutes(200), minutes(250)))


def test_pausing_again_moves_the_end_and_counts_from_the_first_pause() -> None:
    play = paused(100)
    play.to(100)
    done = play.act(pause(20))
    assert told(done) == ["ann moves the end of its pause: until 2026-11-23 05:00 UTC: the vendor looks"]
    assert play.due() == {DeadlineKind.PAUSE: minutes(120)}
    play.to(120)
    assert play.due()[DeadlineKind.RESOLUTION] == minutes(480 + 60)


def test_what_stakeholders_wait_for_and_the_next_level_wait_as_long() -> None:
    play = paused(100)
    current = play.incident
    process = replace(current.process, update_due_at=minutes(70), escalates_at=minutes(55))
    draft = Draft(replace(current, process=process), CONTEXT, minutes(90))
    end_pause(draft, "so")
    assert draft.incident.process.update_due_at == minutes(100)
    assert draft.incident.process.escalates_at == minutes(55)


TOLD = replace_severities(
    update_every=timedelta(minutes=30), escalation=(Level(after=timedelta(minutes=5), notify=("on_call",)),)
)
"""Stakeholders are told each half hour; who is on call five minutes after somebody was asked for."""


def test_an_update_within_a_pause_leaves_the_whole_interval_for_after_it() -> None:
    play = Play(TOLD)
    play.fire(says=SEV2)
    play.to(5)
    play.act(ack())
    play.to(60)
    play.act(pause(100))
    play.to(150)
    play.act(Updated(actor=ANN, text="We wait."))
    play.to(160)
    assert play.incident.process.update_due_at == minutes(160 + 30)


def test_levels_that_a_raise_within_a_pause_asks_for_are_told_after_it_at_their_own_time() -> None:
    play = Play(TOLD)
    play.fire(says=SEV2)
    play.to(6)
    play.act(ack())
    play.to(60)
    play.act(pause(100))
    play.to(150)
    play.act(choose(SEV1))
    assert play.due() == {DeadlineKind.PAUSE: minutes(160)}
    play.to(160)
    assert play.due()[DeadlineKind.ESCALATION] == minutes(160 + 5)


def test_a_lowering_leaves_out_the_pauses_since_stakeholders_were_told() -> None:
    play = Play(TOLD)
    play.fire(says=SEV1)
    play.to(5)
    play.act(ack())
    play.act(pause(100))
    play.to(106)
    play.act(choose(SEV2))
    assert play.incident.process.update_due_at == minutes(30 + 100)


# ---- its acknowledgement


def test_an_acknowledgement_does_not_expire_while_it_is_paused_and_lasts_its_full_time_after() -> None:
    play = paused(1_000, SEV1)
    play.to(1_059)
    assert play.incident.state is State.ACKNOWLEDGED
    play.to(1_060)
    assert play.due()[DeadlineKind.ACKNOWLEDGEMENT] == minutes(1_060 + 120)


def test_an_acknowledgement_by_a_silence_ends_with_it_and_the_pause_with_both() -> None:
    play = paused(1_000)
    current = replace(play.incident, by_silence=True, acknowledged_until=minutes(90), silences=("a",))
    play.incidents[1] = current
    assert play.due() == {DeadlineKind.PAUSE: minutes(1_060), DeadlineKind.ACKNOWLEDGEMENT: minutes(90)}
    done = play.to(90)
    assert entries(done) == [Entry.ACKNOWLEDGEMENT_ENDED, Entry.RESUMED]
    assert (play.incident.state, play.incident.process.paused_at) == (State.OPEN, None)
    assert play.due()[DeadlineKind.RESOLUTION] == minutes(480 + 30)


def test_a_silence_that_somebody_ends_ends_the_pause_too() -> None:
    play = paused(1_000)
    play.incidents[1] = replace(play.incident, by_silence=True, acknowledged_until=minutes(900), silences=("a",))
    play.to(70)
    play.tell(SilencesSeen(rows=(), ended=("a",)))
    assert (play.incident.state, play.incident.process.paused_at) == (State.OPEN, None)


# ---- what is refused


def test_what_nobody_took_cannot_be_paused_for_its_response_clock_runs() -> None:
    with pytest.raises(
        ActError, match="INC-1 is open and cannot be paused: acknowledge it first, for a pause does not"
    ):
        opened().act(pause(5))


@pytest.mark.parametrize("state", [State.VERIFYING, State.RESOLVED, State.CLOSED])
def test_what_is_quiet_or_over_cannot_be_paused(state: State) -> None:
    quiet = incident(state=state, restored_at=minutes(5), former_state=State.ACKNOWLEDGED)
    with pytest.raises(ActError, match=f"INC-12 is {state} and cannot be paused: expected one that is acknowledged"):
        decide(quiet, pause(5), CONTEXT, minutes(9))


def test_what_is_folded_cannot_be_paused_or_resumed_but_its_parent() -> None:
    folded = incident(state=State.ACKNOWLEDGED, parent=3, fold=Fold.MERGE)
    for act in (pause(5), resume()):
        with pytest.raises(ActError, match="INC-12 is folded into INC-3: act on that"):
            decide(folded, act, CONTEXT, minutes(9))


def test_what_is_not_paused_cannot_be_resumed() -> None:
    with pytest.raises(ActError, match="INC-1 is not paused"):
        taken().act(resume())


def test_a_pause_has_an_end_that_is_ahead_and_not_too_far() -> None:
    play = taken()
    for until in (minutes(5), minutes(-60)):
        with pytest.raises(ActError, match="expected an end of the pause after now, got 2026-11-23 0"):
            play.act(PauseAsked(actor=ANN, reason="so", until=until))
    with pytest.raises(ActError, match="expected an end of the pause after now"):
        play.act(PauseAsked(actor=ANN, reason="so"))
    with pytest.raises(ActError, match="at most 30 d, to 2026-12-23 03:05 UTC, got 2026-12-23 03:06 UTC"):
        play.act(PauseAsked(actor=ANN, reason="so", until=play.now + LONGEST + timedelta(minutes=1)))
    play.act(PauseAsked(actor=ANN, reason="so", until=play.now + LONGEST))
    assert play.due() == {DeadlineKind.PAUSE: play.now + LONGEST}


def test_a_pause_has_a_reason() -> None:
    with pytest.raises(ActError, match="expected a reason for the pause"):
        taken().act(pause(5, reason=""))


def test_a_round_has_so_many_pauses_and_no_more() -> None:
    play = taken()
    for n in range(MOST):
        play.to(6 + n)
        play.act(pause(100))
        play.act(resume())
    with pytest.raises(ActError, match=f"INC-1 was paused {MOST} times in this round"):
        play.act(pause(100))


# ---- severity


def test_a_raise_by_the_rules_ends_acknowledgement_and_pause_and_each_deadline_is_the_earlier_one() -> None:
    play = paused(1_000)
    play.to(100)
    done = play.fire("Other", SEV1)
    assert [e for e in entries(done) if e in (Entry.SEVERITY, Entry.RESUMED, Entry.ACKNOWLEDGEMENT_ENDED)] == [
        Entry.SEVERITY,
        Entry.RESUMED,
        Entry.ACKNOWLEDGEMENT_ENDED,
    ]
    assert (play.incident.state, play.incident.process.paused_at) == (State.OPEN, None)
    # Left were 7 h of a Sev-2; a Sev-1 has 4 h from the raise.
    assert play.due()[DeadlineKind.RESOLUTION] == minutes(100 + 240)
    assert play.due()[DeadlineKind.RESPONSE] == minutes(115)


def test_a_raise_keeps_what_was_left_where_that_is_earlier() -> None:
    play = taken()
    play.to(100)
    play.act(ack())
    play.to(300)
    play.act(pause(1_000))
    play.to(400)
    play.fire("Other", SEV1)
    # Left were 3 h of a Sev-2, less than the 4 h of a Sev-1.
    assert play.due()[DeadlineKind.RESOLUTION] == minutes(400 + 180)


def test_a_raise_by_a_person_leaves_the_pause_and_what_is_left_then_is_the_less() -> None:
    play = paused(100)
    play.to(100)
    play.act(choose(SEV1))
    assert play.due() == {DeadlineKind.PAUSE: minutes(160)}
    play.to(160)
    assert play.due()[DeadlineKind.RESOLUTION] == minutes(160 + 240)
    assert play.due()[DeadlineKind.RESOLUTION_AT_RISK] == minutes(160 + 180)


def test_a_lowering_while_it_is_paused_counts_from_the_opening_without_the_pause() -> None:
    play = paused(100)
    play.to(100)
    play.act(choose(SEV3))
    assert play.due() == {DeadlineKind.PAUSE: minutes(160)}
    play.to(160)
    assert play.due()[DeadlineKind.RESOLUTION] == minutes(3 * 24 * 60 + 100)


def test_a_lowering_after_pauses_counts_from_the_opening_and_their_time_does_not_count() -> None:
    play = paused(100)
    play.to(200)
    play.act(pause(50))
    play.to(300)
    play.act(choose(SEV3))
    assert play.due()[DeadlineKind.RESOLUTION] == minutes(3 * 24 * 60 + 150)
    assert play.due()[DeadlineKind.RESOLUTION_AT_RISK] == minutes(3 * 24 * 45 + 150)


def test_a_recorded_breach_stays_and_has_no_clock_to_pause() -> None:
    play = taken()
    play.to(400)
    play.act(ack())
    play.to(500)
    assert play.incident.resolution_outcome is Outcome.BREACHED
    play.act(pause(50))
    assert told(play.to(550)) == ["the pause ended: its time is over"]
    play.act(choose(SEV3))
    assert (play.incident.resolution_outcome, play.incident.resolution_due_at) == (Outcome.BREACHED, minutes(480))
    assert not RESOLUTION & play.due().keys()


# ---- quiet, over and again


def test_a_pause_goes_on_in_verifying_and_a_refire_goes_back_as_if_it_had_never_left() -> None:
    play = paused(100)
    play.to(100)
    play.resolve()
    assert play.due() == {DeadlineKind.VERIFICATION: minutes(120), DeadlineKind.PAUSE: minutes(160)}
    play.to(110)
    play.fire()
    assert (play.incident.state, play.due()) == (State.ACKNOWLEDGED, {DeadlineKind.PAUSE: minutes(160)})
    play.to(160)
    assert play.due()[DeadlineKind.RESOLUTION] == minutes(580)


def test_a_pause_that_ends_in_verifying_has_ended_then() -> None:
    play = taken()
    play.to(60)
    play.act(pause(50))
    play.to(100)
    play.resolve()
    assert entries(play.to(110)) == [Entry.RESUMED]
    play.to(115)
    play.fire()
    assert play.due()[DeadlineKind.RESOLUTION] == minutes(530)


def test_what_is_restored_while_it_is_paused_has_met_its_resolution() -> None:
    play = paused(2_000)
    play.to(1_000)
    play.resolve()
    done = play.to(1_020)
    assert (play.incident.state, play.incident.resolution_outcome) == (State.RESOLVED, Outcome.MET)
    assert told(done, Entry.RESUMED) == ["the pause ended: it is restored; due 2026-11-24 03:00 UTC"]
    assert play.due() == {}


def test_a_resolve_by_a_person_leaves_the_pause_until_it_is_quiet() -> None:
    play = paused(2_000)
    play.to(100)
    play.act(fixed())
    assert play.due() == {DeadlineKind.PAUSE: minutes(2_060)}


def test_a_completed_close_while_it_is_paused_has_met_its_resolution() -> None:
    play = paused(2_000)
    play.to(1_000)
    play.act(close())
    assert (play.incident.resolution_outcome, play.incident.process.paused_at) == (Outcome.MET, None)
    assert play.due() == {}


def test_another_close_ends_the_pause_and_requires_nothing() -> None:
    play = paused(2_000)
    done = play.act(close(CloseReason.NOT_PLANNED))
    assert play.incident.resolution_outcome is Outcome.NOT_REQUIRED
    assert Entry.RESUMED in entries(done)
    assert play.due() == {}


def test_a_close_found_late_from_before_the_pause_leaves_no_pause_and_moves_nothing() -> None:
    play = paused(2_000)
    play.to(100)
    play.act(replace(close(), at=minutes(30)))
    assert play.incident.process.pauses == ((minutes(60), minutes(30)),)
    assert (play.incident.resolution_due_at, play.incident.resolution_outcome) == (minutes(480), Outcome.MET)


def test_a_new_round_has_no_pauses() -> None:
    play = paused(100)
    play.to(160)
    play.act(close())
    play.to(200)
    play.act(reopen())
    assert play.incident.process.pauses == ()
    assert play.due()[DeadlineKind.RESOLUTION] == minutes(680)


def test_an_incident_that_is_folded_is_paused_no_more() -> None:
    play = paused(1_000, SEV3)
    parent = incident(id=3, service="postgres", severity=SEV1, judged=SEV1)
    open_again = replace(play.incident, state=State.OPEN, chosen=None, covered=None)
    context = Context(policy=POLICY, parents=((Fold.DEPENDENCY, parent),))
    # Only what is open, and as young as a symptom, is folded by the daemon: it is asked at once.
    young = replace(open_again, round_at=play.now)
    folded = decide(young, FoldAsked(), context, play.now).incident
    assert (folded.parent, folded.process.paused_at, folded.resolution_outcome) == (3, None, Outcome.NOT_REQUIRED)


def test_a_pause_is_counted_in_no_outcome_by_itself() -> None:
    play = paused(100)
    play.to(160)
    metrics = ("sla_met_total", "sla_breached_total", "sla_not_required_total")
    assert [labels["objective"] for m in metrics for labels in counted(play.played, m)] == ["response"]


# ---- late


def test_a_pause_that_ended_while_nothing_ran_ended_at_its_end_and_says_how_late_that_is_told() -> None:
    play = paused(100)
    late = play.down_until(200)
    assert told(late) == ["the pause ended: its time is over; due 2026-11-23 12:40 UTC (acted 40 min late)"]
    assert play.due()[DeadlineKind.RESOLUTION] == minutes(580)


def test_an_acknowledgement_lasts_its_full_time_from_the_end_of_a_pause_that_ended_while_nothing_ran() -> None:
    play = paused(60, SEV1)
    late = play.down_until(150)
    assert play.due()[DeadlineKind.ACKNOWLEDGEMENT] == minutes(120 + 120)
    assert entries(late)[0] is Entry.RESUMED


def test_a_pause_and_what_followed_it_while_nothing_ran_act_in_their_order() -> None:
    play = paused(100, SEV1)
    late = play.down_until(1_000)
    assert entries(late) == [Entry.RESUMED, Entry.ACKNOWLEDGEMENT_ENDED, Entry.AT_RISK, Entry.BREACHED]
    assert play.incident.resolution_due_at == minutes(340)


# ---- who hears of its end


def notices(played: list[Played]) -> list[Notify]:
    return [effect for one in played for effect in one.decision.effects if isinstance(effect, Notify)]


def test_whoever_has_it_is_told_that_the_time_of_the_pause_is_over() -> None:
    (notice,) = notices(paused(100).to(160))
    assert (notice.kind, notice.audience, notice.to) == (
        NoticeKind.PAUSE_OVER,
        Audience.RESPONDERS,
        ("ann", "on_call"),
    )
    assert notice.text == "The pause is over: the resolution clock runs again. Until now: the vendor looks."


def test_whom_it_was_assigned_to_is_told_rather_than_whoever_acknowledged_it() -> None:
    play = paused(100)
    play.act(Assigned(actor=ANN, to="bob"))
    (notice,) = notices(play.to(160))
    assert notice.to == ("bob", "on_call")


def test_the_end_of_each_pause_is_told_once() -> None:
    play = paused(100)
    first = notices(play.to(160))
    play.act(pause(40))
    second = notices(play.to(230))
    assert len({notice.key for notice in (*first, *second)}) == 2


def test_a_pause_that_a_person_or_the_end_of_the_incident_ends_is_told_to_nobody() -> None:
    resumed, over = paused(100), paused(100)
    assert notices(resumed.act(resume()) + resumed.to(200)) == []
    over.resolve()
    assert notices(over.to(79.9)) == []
    watched = paused(100)
    watched.to(150)
    watched.resolve()
    assert told(watched.to(165))[0].startswith("the pause ended")
    assert [notice.kind for notice in notices(watched.played) if notice.kind is NoticeKind.PAUSE_OVER] == []


# ---- open time

OFFICE = Calendar(name=BUSINESS, zone=ZoneInfo("Europe/Berlin"), weekly=dict.fromkeys(range(5), ((time(9), time(17)),)))
BERLIN = ZoneInfo("Europe/Berlin")


def policy(resolution: Target, calendar: Calendar = OFFICE, *, name: str = BUSINESS) -> Policy:
    own = severity_policy(within("1h", hours=1), resolution, verify_for=10)
    fields = {field: getattr(own, field) for field in own.__dataclass_fields__}
    return Policy(
        hash="open", severities={SEV3: type(own)(**{**fields, "calendar": name})}, calendars={BUSINESS: calendar}
    )


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC)


@pytest.mark.parametrize(
    ("since", "until", "due"),
    [
        # Opened on Friday at 15:00 with 4 h of open time: due on Monday at 11:00.
        ("2026-11-27 16:00", "2026-11-27 16:30", "2026-11-30 11:30"),
        ("2026-11-27 16:00", "2026-11-28 12:00", "2026-11-30 12:00"),  # 3 h were left, from Monday's opening
        ("2026-11-28 10:00", "2026-11-29 10:00", "2026-11-30 11:00"),  # closed anyway: nothing was lost
        ("2026-11-30 10:00", "2026-12-02 16:30", "2026-12-03 09:30"),
    ],
)
def test_what_was_left_of_open_time_counts_on_in_open_time(since: str, until: str, due: str) -> None:
    rules = policy(within("4h", hours=4))
    clock = rules.due(SEV3, Objective.RESOLUTION, at("2026-11-27 15:00"))
    assert clock == at("2026-11-30 11:00")
    assert rules.after_pause(SEV3, (clock, clock), (at(since), at(until)))[0] == at(due)


@pytest.mark.parametrize("name", [BUSINESS, "always"])
def test_of_working_days_the_open_hours_that_were_left_count_on(name: str) -> None:
    rules = policy(Target(text="1bd", business_days=1), name=name)
    due = rules.due(SEV3, Objective.RESOLUTION, at("2026-11-27 10:00"))
    assert due == at("2026-11-30 10:00")
    # Paused on Friday at noon: left are 5 h of Friday and 1 h of Monday.
    moved, _ = rules.after_pause(SEV3, (due, due), (at("2026-11-27 12:00"), at("2026-12-02 09:00")))
    assert moved == at("2026-12-02 15:00")


def test_what_had_come_before_the_pause_stays() -> None:
    rules = policy(within("4h", hours=4))
    due, risk = at("2026-11-30 11:00"), at("2026-11-27 16:30")
    assert rules.after_pause(SEV3, (due, risk), (at("2026-11-30 10:00"), at("2026-11-30 12:00"))) == (
        at("2026-11-30 13:00"),
        risk,
    )


def test_where_the_calendar_has_no_more_open_time_a_pause_is_elapsed_time() -> None:
    sale = Calendar(name=BUSINESS, zone=BERLIN, weekly={}, periods=((at("2026-11-27 00:00"), at("2026-11-28 00:00")),))
    rules = policy(within("4h", hours=4), sale)
    due, risk = at("2026-11-27 23:00"), at("2026-11-27 22:00")
    moved = rules.after_pause(SEV3, (due, risk), (at("2026-11-27 21:00"), at("2026-11-27 23:30")))
    assert moved == (due + timedelta(minutes=150), risk + timedelta(minutes=150))


def test_an_instant_at_risk_never_comes_after_the_deadline() -> None:
    rare = Calendar(
        name=BUSINESS,
        zone=BERLIN,
        weekly={},
        periods=(
            (at("2026-11-27 09:00"), at("2026-11-27 13:00")),
            (at("2027-06-01 09:00"), at("2027-06-01 10:30")),
        ),
    )
    rules = policy(within("4h", hours=4), rare)
    due, risk = at("2026-11-27 13:00"), at("2026-11-27 11:00")
    # An hour to the risk can still be had, in June; the three to the deadline cannot.
    moved = rules.after_pause(SEV3, (due, risk), (at("2026-11-27 10:00"), at("2026-11-27 20:00")))
    assert moved == (at("2026-11-27 23:00"), at("2026-11-27 23:00"))


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from([SEV2, SEV3]),
    st.lists(st.tuples(st.integers(0, 5_000), st.integers(1, 3_000)), max_size=4),
    st.integers(0, 8 * 60),
)
def test_no_pause_makes_a_deadline_earlier_and_elapsed_time_is_made_up_in_full(
    severity: Severity, pauses: list[tuple[int, int]], opened_at: int
) -> None:
    start = minutes(opened_at)
    due = POLICY.due(severity, Objective.RESOLUTION, start)
    clock = due, POLICY.at_risk(severity, start, due)
    stood = timedelta()
    since = start
    for after, lasting in pauses:
        since = since + timedelta(minutes=after)
        until = since + timedelta(minutes=lasting)
        stood += until - since if since < clock[0] else timedelta()
        moved = POLICY.after_pause(severity, clock, (since, until))
        assert moved[0] >= clock[0]
        assert clock[1] <= moved[1] <= moved[0]
        clock, since = moved, until
    assert clock[0] == due + stood


def test_a_lowering_of_a_severity_in_a_calendar_leaves_out_pauses_in_that_calendar() -> None:
    rules = policy(within("4h", hours=4))
    process = replace(incident().process, pauses=((at("2026-11-27 16:00"), at("2026-11-30 12:00")),))
    of = incident(severity=SEV3, round_at=at("2026-11-27 15:00"), process=process, response_outcome=Outcome.MET)
    draft = Draft(of, Context(policy=rules), at("2026-11-30 12:00"))
    restart_targets(draft)
    assert draft.incident.resolution_due_at == at("2026-11-30 15:00")


def test_a_pending_verdict_in_a_pause_does_not_end_it_when_it_is_no_graver() -> None:
    play = paused(1_000)
    play.fire("Other", verdict(severity=SEV2))
    assert play.incident.process.paused_at == minutes(60)
