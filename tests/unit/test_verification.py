"""Verification in the core: windows, flapping, health, other incidents, and who closes what is over."""

from __future__ import annotations

from dataclasses import replace as changed
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from building import incident as made
from building import minutes
from playing import ANN, POLICY, Play, close, comments, fixed, opened, reopen, told, verifying
from triaged.core import closing, record, verification
from triaged.core.draft import Context, Decision
from triaged.core.effects import Comment, CommentKind, KeepHealth
from triaged.core.events import DeadlinePassed, HealthSeen
from triaged.core.health import Answer, Phase
from triaged.core.lifecycle import decide
from triaged.core.model import (
    ActorKind,
    CloseReason,
    DeadlineKind,
    Entry,
    Fold,
    Incident,
    Outcome,
    Severity,
    State,
    Watch,
)
from triaged.core.objectives import standing
from triaged.core.sla import Flapping, Policy
from triaged.errors import ActError

QUERY = "ratio < 0.01"
FLAPPING = Flapping(refires=2, within=timedelta(hours=1), verify_for=timedelta(hours=2))


def policy(**changes: Any) -> Policy:
    """All severities with these changes."""
    return changed(POLICY, severities={one: changed(of, **changes) for one, of in POLICY.severities.items()})


def answer(value: float | None = 0.2, holds: bool | None = False, query: str = QUERY) -> Answer:
    return Answer(query=query, phase=Phase.AFTER, at=minutes(0), holds=holds, value=value)


def watched(**watch: Any) -> Incident:
    """INC-12, acknowledged, quiet since minute 10: verified at minute 30."""
    found = made(
        state=State.VERIFYING,
        former_state=State.ACKNOWLEDGED,
        acknowledged_at=minutes(2),
        firing=0,
        restored_at=minutes(10),
        last_ended_at=minutes(10),
    )
    return replace(found, process=replace(found.process, watch=Watch(**watch)))


def saw(incident: Incident, minute: float, *answers: Answer, unasked: str = "", **context: Any) -> Decision:
    event = HealthSeen(round=incident.round, answers=answers, unasked=unasked)
    return decide(incident, event, Context(policy=POLICY, health=(QUERY,), **context), minutes(minute))


def passes(incident: Incident, **context: Any) -> Decision:
    """Its verification is due, and acts."""
    due_at = verification.due_at(incident, POLICY)
    assert due_at is not None
    event = DeadlinePassed(kind=DeadlineKind.VERIFICATION, due_at=due_at)
    return decide(incident, event, Context(policy=POLICY, **context), due_at)


def texts(decision: Decision, *only: Entry) -> list[str]:
    return [entry.text for entry in decision.timeline if not only or entry.entry in only]


# ---------------------------------------------------------------- the window


def test_what_fell_silent_is_watched_for_the_window_of_its_severity() -> None:
    play = verifying()
    assert play.due() == {DeadlineKind.VERIFICATION: minutes(30)}
    play.to(30)
    assert play.incident.state is State.RESOLVED
    assert verification.due_at(play.incident, POLICY) is None


def test_what_flaps_is_watched_for_longer_and_says_why() -> None:
    play = Play(policy(flapping=FLAPPING))
    play.fire()
    for minute in (5, 10):
        play.to(minute)
        play.resolve()
        play.to(minute + 2)
        play.fire()
    play.to(20)
    quiet = play.resolve()
    assert play.due()[DeadlineKind.VERIFICATION] == minutes(140)
    assert told(quiet, Entry.VERIFYING) == [
        "nothing fires any more; watched for 2 h instead of 20 min"
        " (it flaps: quiet and back 2 times within 1 h) from 2026-11-23 03:20 UTC"
    ]
    assert record.figures(play.incident, []).endswith("3 alerts; quiet and back 2 times; nobody acted")


def test_an_incident_that_is_not_quiet_does_not_flap() -> None:
    assert verification.flaps(opened().incident, policy(flapping=FLAPPING)) is None


def test_what_flapped_long_ago_counts_no_more() -> None:
    play = Play(policy(flapping=FLAPPING))
    play.fire()
    for minute in (5, 10):
        play.to(minute)
        play.resolve()
        play.to(minute + 2)
        play.fire()
    play.to(120)
    play.resolve()
    assert play.due()[DeadlineKind.VERIFICATION] == minutes(140)


def test_an_alert_that_reopens_counts_as_flapping_and_a_persons_reopening_does_not() -> None:
    play = verifying(Severity.SEV3)
    play.to(30)
    play.fire()
    assert len(play.incident.process.watch.refired) == 1
    play.act(close())
    play.act(reopen())
    assert len(play.incident.process.watch.refired) == 1


@given(st.lists(st.integers(0, 600), max_size=80))
def test_instants_of_flapping_are_bounded(gaps: list[int]) -> None:
    play = Play(policy(flapping=FLAPPING))
    play.fire()
    minute = 0
    for gap in gaps:
        minute += gap
        play.to(minute)
        play.resolve()
        play.fire()
    assert len(play.incident.process.watch.refired) <= verification.MOST_REFIRES


# ---------------------------------------------------------------- health


def test_a_query_that_does_not_hold_restarts_the_window_and_tells_it_once() -> None:
    first = saw(watched(), 12, answer())
    assert texts(first) == [
        "nothing fires, but ratio < 0.01 (0.2) does not hold: watched for 20 min from 2026-11-23 03:12 UTC"
    ]
    assert not [one for one in first.effects if isinstance(one, Comment)], "the issue's own text says it"
    assert verification.ends_at(first.incident, POLICY) == minutes(32)
    again = saw(first.incident, 20, answer(0.3))
    assert texts(again) == []
    assert verification.ends_at(again.incident, POLICY) == minutes(40)
    well = saw(again.incident, 21, answer(0.001, True))
    assert texts(well) == ["all health queries hold, watched until 2026-11-23 03:40 UTC"]
    assert verification.ends_at(well.incident, POLICY) == minutes(40)


def test_several_that_do_not_hold_are_all_named() -> None:
    found = saw(watched(), 12, answer(), answer(None, False, "up"), answer(1, True, "fine"))
    assert "ratio < 0.01 (0.2), up do not hold" in texts(found)[0]
    assert found.incident.process.watch.failing == (QUERY, "up")


def test_what_was_said_is_kept_and_of_another_round_is_not() -> None:
    found = saw(watched(), 12, answer(0.001, True))
    assert found.effects == (KeepHealth(incident_id=12, round=1, answers=(answer(0.001, True),)),)
    assert texts(found) == []
    event = HealthSeen(round=2, answers=(answer(),))
    for incident in (watched(), made(), replace(watched(), parent=3, fold=Fold.MERGE)):
        other = decide(incident, event, Context(policy=POLICY), minutes(12))
        assert (other.incident, other.effects, other.timeline) == (incident, (), ())


def test_answers_of_earlier_phases_alone_say_nothing_of_now() -> None:
    earlier = replace(answer(), phase=Phase.BEFORE)
    found = saw(watched(), 12, earlier)
    assert found.incident == watched()
    assert len(found.effects) == 1


def test_after_the_window_a_good_answer_resolves_at_once() -> None:
    held = passes(watched(), health=(QUERY,))
    assert texts(held) == [
        "not verified yet: waits for what its health queries say, for 10 min at most"
        " (nobody has asked its queries lately)"
    ]
    assert held.incident.state is State.VERIFYING
    resolved = saw(held.incident, 30.5, answer(0.001, True))
    assert resolved.incident.state is State.RESOLVED


def test_fresh_answers_let_it_be_resolved_when_the_window_is_over() -> None:
    assert passes(watched(asked_at=minutes(28)), health=(QUERY,)).incident.state is State.RESOLVED
    assert passes(watched(asked_at=minutes(20)), health=(QUERY,)).incident.state is State.VERIFYING
    assert passes(watched()).incident.state is State.RESOLVED, "nobody asks its health"


@pytest.mark.parametrize(
    ("answers", "unasked", "why"),
    [
        ((), "prom:9090 did not answer within 5 s", "prom:9090 did not answer within 5 s"),
        ((answer(None, None),), "", "ratio < 0.01 gave no value"),
    ],
)
def test_health_that_cannot_be_told_holds_it_for_a_bounded_time(
    answers: tuple[Answer, ...], unasked: str, why: str
) -> None:
    first = saw(watched(), 12, *answers, unasked=unasked)
    assert texts(first) == [f"its health cannot be told: {why}"]
    assert texts(saw(first.incident, 13, *answers, unasked=f"{unasked} again" if unasked else "")) == []
    incident = first.incident
    found = passes(incident, health=(QUERY,))
    seen = texts(found)
    while found.incident.state is State.VERIFYING:
        incident = found.incident
        found = passes(incident, health=(QUERY,))
    assert seen == [f"not verified yet: waits for what its health queries say, for 10 min at most ({why})"]
    assert found.incident.resolved_at == minutes(40)
    assert f"resolved: quiet since 2026-11-23 03:10 UTC, after 10 min; its health could not be told: {why}" in texts(
        found
    )
    (comment,) = [effect for effect in found.effects if getattr(effect, "kind", None) is CommentKind.RESOLVED]
    assert comment.text.endswith(f" Its health could not be told: {why}.")  # type: ignore[union-attr]


def test_health_that_can_be_told_again_says_so() -> None:
    first = saw(watched(), 12, unasked="it is gone")
    well = saw(first.incident, 13, answer(0.001, True))
    assert texts(well) == ["all health queries hold, watched until 2026-11-23 03:30 UTC"]
    late = saw(replace(first.incident, restored_at=minutes(-20)), 13, answer(0.001, True))
    assert "all health queries hold" in texts(late)


def test_what_fires_again_forgets_what_was_known() -> None:
    play = verifying()
    play.tell(HealthSeen(round=1, answers=(answer(),)))
    assert play.incident.process.watch.failing
    play.to(11)
    play.fire()
    assert replace(play.incident.process.watch, refired=()) == Watch()
    play.to(12)
    play.resolve()
    assert play.due()[DeadlineKind.VERIFICATION] == minutes(32)


# ---------------------------------------------------------------- health that fails for the whole window


def gone_back(**changes: Any) -> Incident:
    """INC-12, back at work at minute 30: nothing fires, but its health never held."""
    failing = saw(replace(watched(), **changes), 12, answer()).incident
    return saw(failing, 30, answer()).incident


@pytest.mark.parametrize("former", [State.OPEN, State.ACKNOWLEDGED])
def test_what_is_not_well_when_its_window_is_over_goes_back_to_where_it_was(former: State) -> None:
    failing = saw(replace(watched(), former_state=former), 29.5, answer()).incident
    assert failing.state is State.VERIFYING
    back = saw(failing, 30, answer())
    assert (back.incident.state, back.incident.former_state, back.incident.restored_at) == (former, None, None)
    assert {one.kind for one in standing(back.incident, POLICY)} >= {DeadlineKind.RESOLUTION}
    assert (
        f"nothing fires, but ratio < 0.01 does not hold after 20 min: back to {former}, watched again once all hold"
        in texts(back, Entry.HEALTH)
    )
    assert not [one for one in back.effects if isinstance(one, Comment)], "the issue's own text says it"
    assert len(back.incident.process.watch.refired) == 1, "it counts as flapping"


def test_what_went_back_is_verified_from_the_first_answer_that_holds() -> None:
    back = gone_back()
    still = saw(back, 31, answer())
    assert (texts(still), still.incident.state) == ([], State.ACKNOWLEDGED)
    others = saw(still.incident, 32, answer(), answer(None, False, "up"))
    assert others.incident.process.watch.failing == (QUERY, "up")
    unknown = saw(others.incident, 33, unasked="it is gone")
    assert (texts(unknown), unknown.incident.state) == (["its health cannot be told: it is gone"], State.ACKNOWLEDGED)
    well = saw(unknown.incident, 50, answer(0.001, True))
    assert texts(well) == ["all health queries hold; watched for 20 min from 2026-11-23 03:50 UTC"]
    assert (well.incident.state, well.incident.former_state) == (State.VERIFYING, State.ACKNOWLEDGED)
    assert well.incident.restored_at == minutes(50)
    assert well.incident.process.watch.failing == ()
    saw_well = saw(well.incident, 69, answer(0.001, True)).incident
    assert passes(saw_well, health=(QUERY,)).incident.resolved_at == minutes(70)


def test_answers_of_earlier_phases_alone_leave_what_went_back_where_it_is() -> None:
    back = gone_back()
    assert saw(back, 31, replace(answer(0.001, True), phase=Phase.BEFORE)).incident == back


def test_the_resolution_of_what_went_back_is_decided_by_when_it_was_well() -> None:
    back = gone_back(resolution_due_at=minutes(480))
    well = saw(back, 481, answer(0.001, True)).incident
    later = passes(saw(well, 500, answer(0.001, True)).incident, health=(QUERY,))
    assert later.incident.resolution_outcome is Outcome.BREACHED


def test_what_went_back_and_fires_waits_for_its_alerts() -> None:
    firing = replace(gone_back(), firing=1)
    assert saw(firing, 40, answer(0.001, True)).incident == firing


def test_a_person_who_reopens_what_had_gone_back_is_not_overruled_by_its_health() -> None:
    closed = decide(gone_back(), close(), Context(policy=POLICY), minutes(40)).incident
    again = decide(closed, reopen(), Context(policy=POLICY), minutes(41)).incident
    found = saw(again, 42, answer(0.001, True))
    assert (found.incident, found.timeline) == (again, ())


@pytest.mark.parametrize("late", [False, True])
def test_what_did_not_hold_last_does_not_pass_for_unknown(late: bool) -> None:
    failing = saw(watched(), 12, answer()).incident
    cannot = saw(failing, 13, unasked="it is gone").incident
    found = saw(cannot, 33, unasked="it is gone", related=()) if late else passes(cannot, health=(QUERY,))
    assert found.incident.state is State.ACKNOWLEDGED
    assert found.incident.process.watch.failing == (QUERY,)


# ---------------------------------------------------------------- other incidents


def other(number: int = 20, minute: float = 15, **changes: Any) -> Incident:
    return made(id=number, round_at=minutes(minute), **changes)


def test_new_incidents_hold_it_until_they_are_quiet() -> None:
    held = passes(watched(), related=(other(), other(21, 16)))
    assert texts(held) == ["not verified yet: INC-20, INC-21 opened since on checkout"]
    assert held.incident.process.watch.waits_for == (20, 21)
    still = passes(held.incident, related=(other(), other(21, 16)))
    assert texts(still) == []
    fewer = passes(still.incident, related=(other(),))
    assert texts(fewer) == ["not verified yet: INC-20 opened since on checkout"]
    over = passes(fewer.incident)
    assert over.incident.state is State.RESOLVED
    assert over.incident.process.watch.waits_for == ()


def test_of_a_restricted_one_that_holds_it_only_the_number_is_told() -> None:
    secret = other(restricted=True, service="payroll")
    assert texts(passes(watched(), related=(secret,))) == ["not verified yet: INC-20 opened since"]
    both = passes(watched(), related=(secret, other(21)))
    assert texts(both) == ["not verified yet: INC-20, INC-21 opened since on checkout"]


def test_those_that_opened_before_it_fell_silent_do_not_hold_it() -> None:
    assert passes(watched(), related=(other(minute=9), other(minute=10))).incident.state is State.RESOLVED
    assert passes(watched(), related=(replace(other(), round_at=None),)).incident.state is State.RESOLVED


def test_they_hold_it_for_a_day_at_most_and_that_is_said() -> None:
    late = replace(watched(), restored_at=minutes(10) - timedelta(days=1) + timedelta(minutes=1))
    late = replace(late, process=replace(late.process, watch=Watch(ask_at=minutes(11))))
    found = passes(late, related=(other(),))
    assert found.incident.state is State.RESOLVED
    assert any("INC-20 opened since, and held it for 1 d" in text for text in texts(found))


def test_what_is_folded_waits_for_nothing_but_its_window() -> None:
    folded = replace(watched(), parent=3, fold=Fold.MERGE)
    found = passes(folded, related=(other(),), health=(QUERY,))
    assert found.incident.state is State.CLOSED


def test_nothing_is_resolved_or_closed_while_something_fires() -> None:
    odd = replace(watched(), firing=1)
    for found in (passes(odd), saw(odd, 40, answer(0.001, True))):
        assert found.incident.state is State.VERIFYING
        assert found.incident.process.watch.ask_at is not None


# ---------------------------------------------------------------- the close


def unattended(**changes: Any) -> Incident:
    """INC-12, which nobody took, quiet in time."""
    return replace(watched(), acknowledged_at=None, former_state=State.OPEN, **changes)


def closes(incident: Incident, *, on: bool = True) -> Decision:
    due_at = verification.due_at(incident, POLICY)
    assert due_at is not None
    event = DeadlinePassed(kind=DeadlineKind.VERIFICATION, due_at=due_at)
    return decide(incident, event, Context(policy=policy(close_unattended=on)), due_at)


def test_what_nobody_took_and_was_over_in_time_is_closed_by_the_daemon() -> None:
    found = closes(unattended())
    assert (found.incident.state, found.incident.closed_by_kind) == (State.CLOSED, ActorKind.DAEMON)
    assert found.incident.process.watch.unattended
    assert texts(found, Entry.CLOSED) == [
        "closed: nobody took it, and it was over before a response was due: no person has to close it, and no review"
    ]
    assert record.missing(found.incident) == ()


@pytest.mark.parametrize(
    "incident",
    [
        watched(),
        unattended(round=2),
        unattended(covered=Severity.SEV2),
        unattended(response_due_at=minutes(5)),
        unattended(response_outcome=Outcome.BREACHED),
        unattended(close="person"),
    ],
)
def test_what_somebody_had_to_do_with_waits_for_a_person(incident: Incident) -> None:
    assert closes(incident).incident.state is State.RESOLVED


def test_it_can_be_switched_off() -> None:
    found = closes(unattended(), on=False)
    assert found.incident.state is State.RESOLVED
    assert not found.incident.process.watch.unattended


def test_a_sev3_that_nobody_took_says_only_that_it_needs_no_person() -> None:
    found = closes(unattended(severity=Severity.SEV3, judged=Severity.SEV3))
    assert texts(found, Entry.CLOSED) == ["closed: sev3 needs no person to close it"]


def test_a_close_writes_figures_down_and_asks_for_what_is_missing() -> None:
    play = opened()
    found = decide(
        play.incident, close(root_cause="A lock."), Context(policy=POLICY, actors=("bob", "ann")), minutes(9)
    )
    assert texts(found, Entry.FIGURES) == [
        "in figures: lasted 9 min, from 2026-11-23 03:00 UTC to 2026-11-23 03:09 UTC; acknowledged after 9 min"
        " (response met); restored after 9 min (resolution met); 1 alert; people who acted: bob, ann"
    ]
    assert record.missing(found.incident) == ("summary", "fix", "prevention")
    assert not [one for one in found.effects if isinstance(one, Comment)], "the issue's own text asks for it"


def test_what_was_never_restored_and_came_in_rounds_says_so() -> None:
    play = opened(Severity.SEV3)
    play.act(close(CloseReason.NOT_PLANNED))
    play.act(reopen())
    play.tell(close(CloseReason.NOT_PLANNED))
    process = replace(play.incident.process, updates=2)
    said = record.figures(replace(play.incident, process=process), ["ann"])
    assert "not restored (resolution not required)" in said
    assert "never acknowledged (response not required)" in said
    assert "1 alert; 2 rounds; 2 updates; people who acted: ann" in said
    assert "response undecided" in record.figures(opened().incident, [])


def test_figures_of_a_reopened_incident_count_from_its_reopening() -> None:
    play = opened(Severity.SEV3)
    play.to(5)
    play.resolve()
    play.to(120)
    play.fire()
    play.to(127)
    play.resolve()
    play.to(150)
    said = record.figures(play.incident, [])
    assert said.startswith("lasted 7 min, from 2026-11-23 05:00 UTC to 2026-11-23 05:07 UTC")
    assert any("after 7 min" in text for one in play.played for text in texts(one.decision, Entry.RESOLVED))


def test_what_is_folded_has_no_figures_of_its_own() -> None:
    folded = replace(watched(), parent=3, fold=Fold.MERGE)
    assert texts(passes(folded), Entry.FIGURES) == []


# ---------------------------------------------------------------- what is written down later


def test_what_was_found_out_after_the_close_is_written_down() -> None:
    play = opened()
    play.act(close(summary="Slow."))
    added = play.act(fixed(fix="A restart.", root_cause=" "))
    assert told(added) == ["ann writes down: fix"]
    assert (play.incident.state, play.incident.fix, play.incident.summary) == (State.CLOSED, "A restart.", "Slow.")
    assert comments(added) == []
    assert record.missing(play.incident) == ("root_cause", "prevention")


def test_nothing_is_no_addition_and_what_never_opened_takes_none() -> None:
    play = opened()
    play.act(close())
    with pytest.raises(ActError, match="is closed and cannot be resolved"):
        play.act(fixed())
    never = replace(play.incident, close_reason=CloseReason.UNOPENED)
    with pytest.raises(ActError, match="never opened"):
        decide(never, fixed(ANN, fix="x"), Context(policy=POLICY), minutes(10))


def test_patience_is_longer_than_an_answer_is_fresh() -> None:
    assert closing.AGAIN < closing.FRESH < closing.PATIENCE < closing.LONGEST_HELD
