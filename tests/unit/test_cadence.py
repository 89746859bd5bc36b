"""When stakeholders are to be told again, and who is reminded of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace as changed

from building import minutes, verdict
from playing import ANN, POLICY, Play, Played, ack, choose, close, fixed, pause, reopen, resume, told
from triaged.core import cadence
from triaged.core.effects import Audience, NoticeKind, Notify
from triaged.core.events import Assigned, RoleGiven, Updated
from triaged.core.model import DeadlineKind, Entry, Role, Severity, State
from triaged.core.sla import Policy

SEV1, SEV2, SEV3, SEV4 = Severity


def every(**spans: float) -> Policy:
    """The policy of all tests, with updates every so many minutes."""
    severities = {
        severity: replace(one, update_every=timedelta(minutes=spans[severity]) if severity in spans else None)
        for severity, one in POLICY.severities.items()
    }
    return replace(POLICY, severities=severities)


EVERY = every(sev1=30, sev2=60, sev3=1_440)


def opened(severity: Severity = SEV1, policy: Policy = EVERY) -> Play:
    play = Play(policy)
    play.fire(says=severity)
    return play


def update(text: str = "We look.") -> Updated:
    return Updated(actor=ANN, text=text)


def nudges(played: Iterable[Played]) -> list[Notify]:
    effects = (effect for one in played for effect in one.decision.effects)
    return [one for one in effects if isinstance(one, Notify) and one.kind is NoticeKind.UPDATE_DUE]


def due(play: Play) -> datetime | None:
    return play.incident.process.update_due_at


# ---------------------------------------------------------------- when


def test_the_first_update_is_due_an_interval_after_the_opening() -> None:
    assert due(opened()) == minutes(30)


def test_each_update_begins_a_new_interval() -> None:
    play = opened()
    play.to(12)
    play.act(update())
    assert (due(play), play.incident.process.updated_at) == (minutes(42), minutes(12))


def test_what_waits_for_its_delay_has_no_update_due_until_it_opens() -> None:
    play = Play(EVERY)
    play.fire(says=changed(verdict(severity=SEV3), delay=timedelta(minutes=15)))
    assert due(play) is None
    play.to(15)
    assert (play.incident.state, due(play)) == (State.OPEN, minutes(15 + 1_440))


def test_a_severity_without_a_cadence_asks_for_no_updates() -> None:
    play = opened(SEV4)
    play.to(100_000)
    assert (due(play), nudges(play.played)) == (None, [])


def test_an_update_of_a_severity_without_a_cadence_has_no_next_one() -> None:
    play = opened(SEV4)
    play.act(update())
    assert due(play) is None


def test_a_raise_brings_the_next_update_forward() -> None:
    play = opened(SEV2)
    play.to(10)
    play.fire("Worse", SEV1)
    assert play.incident.severity is SEV1
    assert due(play) == minutes(40)


def test_a_raise_never_puts_an_update_off() -> None:
    play = opened(SEV2)
    play.to(50)
    play.act(choose(SEV1))
    assert due(play) == minutes(60)


def test_a_raise_to_a_severity_without_a_cadence_keeps_what_is_due() -> None:
    play = opened(SEV2, every(sev2=60))
    play.act(choose(SEV1))
    assert due(play) == minutes(60)


def test_a_persons_lowering_counts_from_the_last_update() -> None:
    play = opened(SEV1)
    play.to(10)
    play.act(update())
    play.act(choose(SEV2))
    assert due(play) == minutes(70)


def test_a_persons_lowering_without_an_update_counts_from_the_opening() -> None:
    play = opened(SEV1)
    play.to(10)
    play.act(choose(SEV2))
    assert due(play) == minutes(60)


def test_a_persons_lowering_to_a_severity_without_a_cadence_ends_it() -> None:
    play = opened(SEV1)
    play.act(choose(SEV4))
    assert due(play) is None
    assert DeadlineKind.UPDATE not in play.due()


def test_a_pending_incident_that_is_judged_graver_is_counted_from_its_opening() -> None:
    play = Play(EVERY)
    play.fire(says=changed(verdict(severity=SEV4), delay=timedelta(minutes=15)))
    play.to(5)
    play.fire("Worse", changed(verdict(severity=SEV3), delay=timedelta(minutes=15)))
    assert (play.incident.severity, due(play)) == (SEV3, None)


def test_a_new_round_counts_anew_and_expects_nothing_of_the_last() -> None:
    play = opened(SEV1)
    play.act(Updated(actor=ANN, text="We look.", eta_in=timedelta(hours=2)))
    play.act(close())
    play.to(100)
    play.act(reopen())
    process = play.incident.process
    assert (process.update_due_at, process.update, process.eta, process.updates) == (minutes(130), None, None, 1)


def test_a_lowering_in_a_later_round_counts_from_that_round() -> None:
    play = opened(SEV1)
    play.act(update())
    play.act(close())
    play.to(100)
    play.act(reopen())
    play.act(choose(SEV2))
    assert due(play) == minutes(160)


def test_while_it_is_paused_no_update_is_due_and_then_it_waited_as_long() -> None:
    play = opened(SEV1)
    play.to(5)
    play.act(ack())
    play.act(pause(100))
    assert DeadlineKind.UPDATE not in play.due()
    assert cadence.next_at(play.incident) is None
    play.to(65)
    play.act(resume())
    assert due(play) == minutes(90)
    assert cadence.next_at(play.incident) == minutes(90)


@pytest.mark.parametrize(
    ("severity", "first"), [(SEV1, 25), (SEV2, 54), (SEV3, 1_296)], ids=["at least 5 min", "a tenth", "of a day"]
)
def test_somebody_is_reminded_before_an_update_is_due_and_when_it_is(severity: Severity, first: float) -> None:
    play = opened(severity)
    interval = EVERY.severities[severity].update_every
    assert interval is not None
    assert play.due()[DeadlineKind.UPDATE] == minutes(first)
    play.to(first)
    assert len(nudges(play.played)) == 1
    assert play.due()[DeadlineKind.UPDATE] == minutes(0) + interval
    play.to(interval / timedelta(minutes=1))
    assert len(nudges(play.played)) == 2


def test_of_a_short_interval_the_reminder_comes_in_its_second_half() -> None:
    assert opened(policy=every(sev1=6)).due()[DeadlineKind.UPDATE] == minutes(3)


def test_nobody_is_reminded_a_third_time_of_the_same_update() -> None:
    play = opened()
    play.to(300)
    assert len(nudges(play.played)) == 2
    assert DeadlineKind.UPDATE not in play.due()


def test_an_update_in_time_is_never_asked_for() -> None:
    play = opened()
    play.to(24)
    play.act(update())
    play.to(48)
    assert nudges(play.played) == []


def test_reminders_that_were_missed_are_one() -> None:
    play = opened()
    late = play.down_until(90)
    assert [one.text for one in nudges(late)] == ["An update for stakeholders is due. There was none yet."]
    assert told(late, Entry.UPDATE_DUE) == [
        "an update for stakeholders is due: on call reminded of it (acted 1 h 5 min late)"
    ]


def test_nothing_is_asked_for_while_it_is_verified_and_what_passed_meanwhile_is_asked_for_at_once() -> None:
    play = opened()
    play.to(20)
    play.resolve()
    play.to(45)
    assert (play.incident.state, nudges(play.played), cadence.next_at(play.incident)) == (State.VERIFYING, [], None)
    play.fire()
    play.to(45.1)
    assert len(nudges(play.played)) == 1


def test_of_what_is_restricted_stakeholders_are_not_told_so_nobody_is_asked_to() -> None:
    play = Play(EVERY)
    play.fire(says=changed(verdict(severity=SEV1), restricted=True))
    play.to(100)
    assert (nudges(play.played), cadence.next_at(play.incident)) == ([], None)


# ---------------------------------------------------------------- who


def test_who_is_on_call_is_reminded_where_nobody_has_it() -> None:
    play = opened()
    (notice,) = nudges(play.to(25))
    assert (notice.to, notice.audience) == (("on_call",), Audience.RESPONDERS)
    assert notice.text.startswith("An update for stakeholders is due at ")
    assert notice.key == f"update_due:1:{minutes(30).isoformat()}:1"


def test_its_owner_is_reminded_and_who_is_on_call_knows() -> None:
    play = opened()
    play.act(Assigned(actor=ANN, to="bob"))
    assert [one.to for one in nudges(play.to(25))] == [("bob", "on_call")]


def test_the_communications_lead_alone_is_reminded_where_there_is_one() -> None:
    play = opened()
    play.act(Assigned(actor=ANN, to="bob"))
    play.act(RoleGiven(actor=ANN, role=Role.COMMUNICATIONS, person="eve"))
    assert [one.to for one in nudges(play.to(25))] == [("eve",)]


def test_the_reminder_says_when_stakeholders_were_told_last() -> None:
    play = opened()
    play.to(10)
    play.act(update())
    (notice,) = nudges(play.to(35))
    assert "The last one was at 2026-11-23 03:10 UTC." in notice.text


# ---------------------------------------------------------------- where it stands


def test_where_it_stands_follows_what_happens() -> None:
    play = opened()
    seen = [cadence.status(play.incident)]
    play.act(Updated(actor=ANN, text="Found.", status="Identified"))
    seen.append(cadence.status(play.incident))
    play.to(10)
    play.resolve()
    seen.append(cadence.status(play.incident))
    play.to(60)
    seen.append(cadence.status(play.incident))
    play.act(fixed())
    play.act(close())
    seen.append(cadence.status(play.incident))
    assert seen == ["Investigating", "Identified", "Monitoring", "Resolved", "Resolved"]
