"""Who holds a role of a major incident says now and then how it goes, or is asked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from building import minutes
from playing import ANN, BOB, POLICY, Play, Played, ack, choose, pause, reopen, told
from triaged.core.checkins import MOST_IN_A_ROW
from triaged.core.effects import Audience, NoticeKind, Notify
from triaged.core.events import DeadlinePassed, Noted, RoleGiven, SeverityChosen
from triaged.core.model import Actor, ActorKind, DeadlineKind, Entry, Role, Severity, State

SEV1, SEV2, SEV3, SEV4 = Severity
EVERY = replace(
    POLICY,
    severities={**POLICY.severities, SEV1: replace(POLICY.severities[SEV1], check_in_every=timedelta(minutes=30))},
)


def give(role: Role, person: str, actor: Actor = ANN) -> RoleGiven:
    return RoleGiven(actor=actor, role=role, person=person)


def started(severity: Severity = SEV1) -> Play:
    """Ann took it at 0, and gave bob the technical lead."""
    play = Play(EVERY)
    play.fire(says=severity)
    play.act(ack())
    play.act(give(Role.TECHNICAL, "bob"))
    return play


def asked(played: Iterable[Played]) -> list[tuple[str, ...]]:
    effects = (effect for one in played for effect in one.decision.effects)
    return [one.to for one in effects if isinstance(one, Notify) and one.kind is NoticeKind.CHECK_IN]


def due(play: Play) -> datetime | None:
    return play.due().get(DeadlineKind.CHECK_IN)


def test_nobody_is_asked_while_nobody_holds_a_role() -> None:
    play = Play(EVERY)
    play.fire(says=SEV1)
    play.act(ack())
    assert (due(play), asked(play.to(300))) == (None, [])


def test_who_wrote_nothing_is_asked_at_the_cadence_by_a_notice_of_their_own() -> None:
    play = started()
    assert due(play) == minutes(30)
    played = play.to(30)
    (notice,) = (e for one in played for e in one.decision.effects if isinstance(e, Notify))
    assert (notice.to, notice.audience, notice.kind) == (("bob",), Audience.RESPONDERS, NoticeKind.CHECK_IN)
    assert notice.text.startswith("You are technical lead and wrote nothing since the last check-in")
    assert told(played, Entry.CHECK_IN) == ["check-in: bob (technical lead) asked how it goes"]
    assert due(play) == minutes(60)


def test_each_notice_is_one_of_its_own_and_told_once() -> None:
    play = started()
    notices = [e for one in play.to(120) for e in one.decision.effects if isinstance(e, Notify)]
    keys = [notice.key for notice in notices if notice.kind is NoticeKind.CHECK_IN]
    assert len(keys) == len(set(keys)) == 4


@pytest.mark.parametrize("by", ["bob", "bob (via chat)"])
def test_whoever_wrote_since_the_last_check_in_is_not_asked(by: str) -> None:
    play = started()
    play.to(20)
    play.act(Noted(actor=Actor(name=by, kind=ActorKind.PERSON), text="It is the disk."))
    assert asked(play.to(30)) == []
    assert asked(play.to(60)) == [("bob",)]


def test_what_somebody_with_a_longer_name_writes_is_not_theirs() -> None:
    play = started()
    play.act(Noted(actor=Actor(name="bobby", kind=ActorKind.PERSON), text="Hello."))
    assert asked(play.to(30)) == [("bob",)]


def test_who_holds_two_roles_is_asked_once() -> None:
    play = started()
    play.act(give(Role.SCRIBE, "bob"))
    played = play.to(30)
    assert asked(played) == [("bob",)]
    assert told(played, Entry.CHECK_IN) == ["check-in: bob (technical lead and scribe) asked how it goes"]


def test_who_is_given_a_role_between_two_is_asked_at_the_next_and_who_lost_it_is_not() -> None:
    play = started()
    play.to(29)
    play.act(give(Role.TECHNICAL, "cem"))
    assert asked(play.to(30)) == [("cem",)]


def test_who_took_a_role_themselves_has_written() -> None:
    play = Play(EVERY)
    play.fire(says=SEV1)
    play.act(give(Role.COMMANDER, "ann"))
    assert asked(play.to(30)) == []
    assert asked(play.to(60)) == [("ann",)]


def test_who_does_not_answer_is_asked_so_often_and_then_no_more_until_they_write() -> None:
    play = started()
    assert asked(play.to(30 * 20)) == [("bob",)] * MOST_IN_A_ROW
    play.act(Noted(actor=BOB, text="I am here."))
    assert asked(play.to(30 * 22)) == [("bob",)]


def test_nobody_is_asked_while_it_is_paused_and_then_they_have_the_whole_time() -> None:
    play = started()
    play.to(20)
    play.act(pause(60))
    assert due(play) is None
    play.to(80)
    assert due(play) == minutes(110)


def test_nobody_is_asked_while_it_is_watched_and_then_they_have_the_whole_time() -> None:
    play = started()
    play.to(20)
    play.resolve()
    assert (play.incident.state, due(play)) == (State.VERIFYING, None)
    play.to(40)
    play.fire(says=SEV1)
    assert due(play) == minutes(70)


def test_when_it_is_over_nobody_is_asked_and_a_new_round_begins_anew() -> None:
    play = started()
    play.resolve()
    play.to(31)
    assert play.incident.state is State.RESOLVED
    assert (play.incident.process.check_in_at, dict(play.incident.process.owes)) == (None, {})
    play.to(40)
    play.act(reopen(BOB))
    assert due(play) == minutes(70)


def test_a_lower_severity_asks_nobody_and_a_raise_begins_at_once() -> None:
    play = started(SEV2)
    assert due(play) is None
    play.to(10)
    play.act(choose(SEV1))
    assert due(play) == minutes(40)
    assert asked(play.to(40)) == [("bob",)]
    play.act(choose(SEV3))
    assert (due(play), play.incident.process.check_in_at) == (None, None)


def test_when_the_last_role_is_given_back_nobody_is_asked() -> None:
    play = started()
    play.act(give(Role.TECHNICAL, ""))
    assert (due(play), play.incident.process.check_in_at) == (None, None)


def test_one_that_acts_late_says_so_and_counts_on_from_then() -> None:
    play = started()
    played = play.down_until(50)
    assert told(played, Entry.CHECK_IN) == ["check-in: bob (technical lead) asked how it goes (acted 20 min late)"]
    assert due(play) == minutes(80)


ACTS = (
    Noted(actor=BOB, text="x"),
    Noted(actor=ANN, text="x"),
    give(Role.SCRIBE, "cem"),
    give(Role.SCRIBE, ""),
    give(Role.TECHNICAL, "ann", BOB),
    choose(SEV1),
    choose(SEV3),
)


@given(st.lists(st.tuples(st.integers(0, 20), st.sampled_from(ACTS)), max_size=12))
@settings(deadline=None, max_examples=150)
def test_nobody_is_asked_who_holds_no_role_or_has_written_since_the_last_check_in(
    steps: list[tuple[int, Noted | RoleGiven | SeverityChosen]],
) -> None:
    play, minute = started(), 0
    wrote: dict[str, datetime] = {}
    last = minutes(0)
    for after, act in [*steps, (200, ACTS[0])]:
        minute += after
        for one in play.to(minute):
            for (name,) in asked([one]):
                assert one.before is not None
                assert name in one.before.process.roles.values()
                assert wrote.get(name, minutes(-1)) <= last
            if isinstance(one.event, DeadlinePassed) and one.event.kind is DeadlineKind.CHECK_IN:
                last = one.at
        begun = play.incident.process.check_in_at
        play.act(act)
        if begun is None:
            last = play.now
        if act.actor.name in play.incident.process.roles.values():
            wrote[act.actor.name] = play.now
    assert all(count <= MOST_IN_A_ROW for count in play.incident.process.owes.values())
