"""Who is told next while nobody takes an incident, or where it goes wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta

import pytest
from msgspec.structs import replace as changed

from building import entry, incident, minutes, verdict
from playing import ANN, BOB, POLICY, Play, Played, ack, choose, close, comments, counted, pause, reopen, resume, told
from triaged.core import escalation
from triaged.core.draft import Context
from triaged.core.effects import CommentKind, NoticeKind, Notify
from triaged.core.events import DeadlinePassed, EscalateAsked, MergeAsked, NobodyTold
from triaged.core.lifecycle import decide
from triaged.core.model import Actor, DeadlineKind, Entry, Fold, Process, Severity, State
from triaged.core.sla import BUSINESS, Level, Policy
from triaged.errors import ActError

SEV1, SEV2, SEV3, SEV4 = Severity


def level(after: float, *notify: str, repeat: float | None = None, during: str = "always") -> Level:
    again = None if repeat is None else timedelta(minutes=repeat)
    return Level(after=timedelta(minutes=after), notify=notify, repeat=again, during=during)


def policy(**levels: tuple[Level, ...]) -> Policy:
    """The policy of all tests, with these levels."""
    severities = {
        severity: replace(one, escalation=levels.get(severity, ())) for severity, one in POLICY.severities.items()
    }
    return replace(POLICY, severities=severities)


LEVELS: Mapping[str, tuple[Level, ...]] = {
    "sev1": (level(0, "ann", "boss"), level(10, "bob"), level(15, "boss", repeat=15)),
    "sev2": (level(0, "ann"), level(45, "bob"), level(60, "boss")),
    "sev3": (level(0, "team", during=BUSINESS), level(180, "ann", during=BUSINESS, repeat=1_440)),
}
LADDERS = policy(**LEVELS)


def opened(severity: Severity = SEV1, rules: Policy = LADDERS) -> Play:
    play = Play(rules)
    play.fire(says=severity)
    return play


def notices(played: Iterable[Played]) -> list[Notify]:
    return [effect for one in played for effect in one.decision.effects if isinstance(effect, Notify)]


def called(played: Iterable[Played]) -> list[tuple[str, ...]]:
    """Whom escalation told."""
    return [notice.to for notice in notices(played) if notice.key.startswith("escalated:")]


def escalated(played: Iterable[Played]) -> list[tuple[str, str]]:
    """Level and reason of what counts."""
    return [(one["level"], one["reason"]) for one in counted(played, "escalations_total")]


def asks(to: str = "", actor: Actor = ANN, *, reason: str = "", take_over: bool = False) -> EscalateAsked:
    return EscalateAsked(actor=actor, to=to, reason=reason, take_over=take_over)


# ---- nobody acknowledges


def test_the_first_level_is_told_in_the_decision_that_opens_the_incident() -> None:
    play = opened()
    (notice,) = [n for n in notices(play.played) if n.key.startswith("escalated:")]
    assert (notice.kind, notice.to) == (NoticeKind.OPENED, ("ann", "boss"))
    assert told(play.played, Entry.ESCALATED) == ["level 1 of 3 (ann, boss) is told: opened as sev1"]
    assert escalated(play.played) == []
    assert CommentKind.ESCALATED not in {kind for kind, _ in comments(play.played)}
    assert play.due()[DeadlineKind.ESCALATION] == minutes(10)


def test_each_level_is_told_once_at_its_time_and_the_last_again_until_somebody_takes_it() -> None:
    play = opened()
    assert called(play.to(9.9)) == []
    assert called(play.to(10)) == [("bob",)]
    assert called(play.to(14.9)) == []
    assert called(play.to(15)) == [("boss",)]
    assert called(play.to(60)) == [("boss",)] * 3
    play.act(ack())
    assert DeadlineKind.ESCALATION not in play.due()
    assert called(play.to(100)) == []


def test_the_last_level_that_says_no_repetition_is_told_again_after_its_own_time() -> None:
    play = opened(SEV2)
    play.to(60)
    assert play.due()[DeadlineKind.ESCALATION] == minutes(120)


def test_a_last_level_that_acts_at_once_is_told_again_after_a_quarter_of_an_hour() -> None:
    play = opened(SEV2, policy(sev2=(level(0, "ann"),)))
    assert play.due()[DeadlineKind.ESCALATION] == minutes(15)


def test_an_escalation_is_told_with_its_reason_and_counted_and_its_repetitions_are_neither_commented_nor_counted() -> (
    None
):
    play = opened()
    at_ten = play.to(10)
    assert told(at_ten) == ["level 2 of 3 (bob) is told: nobody has acknowledged it for 10 min"]
    text = "Escalated to level 2 of 3 (bob): nobody has acknowledged it for 10 min."
    assert comments(at_ten) == [(CommentKind.ESCALATED, text)]
    assert escalated(at_ten) == [("2", "not_acknowledged")]
    play.to(29)
    again = play.to(30)
    assert told(again) == ["level 3 of 3 (boss) is told again: nobody has acknowledged it for 30 min"]
    assert (comments(again), escalated(again)) == ([], [])


def test_what_came_due_while_nobody_could_tell_is_told_in_one_go_and_says_how_late() -> None:
    play = opened()
    late = play.down_until(100)
    assert called(late) == [("bob",), ("boss",)]
    assert told(late, Entry.ESCALATED)[0].endswith("(acted 1 h 30 min late)")
    assert play.due()[DeadlineKind.ESCALATION] == minutes(115)


def test_whoever_is_called_later_learns_who_was_told_before_and_what_was_done() -> None:
    play = opened()
    history = (
        entry("DiskFull fires", entry=Entry.FIRED),
        entry("severity sev1 (was sev2) by ann: customers call", entry=Entry.SEVERITY, by="ann", after=3),
    )
    play.to(9)
    process = changed(play.incident.process, workaround="use the other site", eta=minutes(90))
    waiting = changed(play.incident, process=process)
    passed = DeadlinePassed(kind=DeadlineKind.ESCALATION, due_at=minutes(10))
    decision = decide(waiting, passed, Context(policy=LADDERS, history=history), minutes(10))
    (notice,) = [effect for effect in decision.effects if isinstance(effect, Notify)]
    assert notice.text.splitlines() == [
        "Why you: nobody has acknowledged it for 10 min.",
        "Told before, without an answer: ann, boss.",
        "Restoration is expected 2026-11-23 04:30 UTC.",
        "Workaround: use the other site",
        "Done so far:",
        "- 2026-11-23 03:03 UTC ann: severity sev1 (was sev2) by ann: customers call",
    ]


def test_a_notice_of_a_restricted_incident_says_why_and_nothing_else() -> None:
    play = Play(LADDERS)
    play.fire(says=verdict(severity=SEV1, restricted=True))
    assert [notice.text for notice in notices(play.to(10))] == ["Why you: nobody has acknowledged it for 10 min."]


# ---- hours


def test_a_level_waits_for_its_hours_while_its_clock_runs() -> None:
    play = opened(SEV3)
    assert called(play.played) == []
    assert play.due()[DeadlineKind.ESCALATION] == minutes(360)
    # Opened at 03:00: at 09:00 the three hours of the second level are over, too.
    assert called(play.to(360)) == [("team",), ("ann",)]
    assert play.due()[DeadlineKind.ESCALATION] == minutes(360 + 1_440)


def test_a_level_that_waits_is_told_with_a_later_one_that_does_not() -> None:
    play = opened(SEV2, policy(sev2=(level(0, "team", during=BUSINESS), level(30, "ann"))))
    assert called(play.to(29)) == []
    assert called(play.to(30)) == [("team",), ("ann",)]


def test_a_calendar_that_ran_out_silences_nobody() -> None:
    never = replace(POLICY.calendars[BUSINESS], periods=((minutes(-200), minutes(-100)),))
    rules = replace(policy(sev3=(level(5, "ann", during=BUSINESS),)), calendars={BUSINESS: never})
    assert called(opened(SEV3, rules).to(5)) == [("ann",)]


def test_whoever_takes_it_at_night_spares_the_team_the_message_in_the_morning() -> None:
    play = opened(SEV3)
    play.to(100)
    play.act(ack())
    assert called(play.to(600)) == []


# ---- what goes wrong


def test_a_breached_response_brings_the_next_level_forward() -> None:
    play = opened(SEV2, policy(sev2=(level(0, "ann"), level(240, "bob", repeat=60))))
    late = play.to(60)
    assert called(late) == [("bob",)]
    assert escalated(late) == [("2", "response_breached")]
    assert play.due()[DeadlineKind.ESCALATION] == minutes(120)


def test_a_breach_at_the_time_of_a_level_tells_that_level_once() -> None:
    play = opened(SEV2, policy(sev2=(level(0, "ann"), level(60, "bob"), level(240, "boss"))))
    play.to(59)
    assert called(play.to(60)) == [("bob",)]
    assert called(play.to(239)) == []


def test_a_breach_after_all_levels_were_told_leaves_it_to_the_repetition() -> None:
    play = opened(SEV2, policy(sev2=(level(0, "ann"), level(5, "bob", repeat=500))))
    play.to(5)
    assert called(play.to(480)) == []


@pytest.mark.parametrize(("minute", "reason"), [(360, "resolution_at_risk"), (480, "resolution_breached")])
def test_a_resolution_in_danger_tells_the_next_level_although_somebody_has_it(minute: float, reason: str) -> None:
    play = opened(SEV2)
    play.to(5)
    play.act(ack(lasting=timedelta(days=9)))
    play.to(minute - 1)
    wrong = play.to(minute)
    assert [one for _, one in escalated(wrong)] == [reason]
    assert DeadlineKind.ESCALATION not in play.due()


def test_an_acknowledged_incident_climbs_a_level_each_time_and_stays_at_the_last() -> None:
    play = opened(SEV2, policy(sev2=(level(0, "ann"), level(45, "bob"))))
    play.act(ack(lasting=timedelta(days=9)))
    assert called(play.to(2_000)) == [("bob",), ("bob",)]
    assert [notice.text.splitlines()[:2] for notice in notices(play.played)[-1:]] == [
        ["Why you: the resolution objective is breached.", "Acknowledged by ann."]
    ]


def test_a_resolution_in_danger_at_night_is_told_in_the_level_s_hours() -> None:
    play = Play(policy(sev2=(level(0, "ann"), level(45, "bob", during=BUSINESS))))
    play.to(14 * 60)
    play.fire()
    play.act(ack(lasting=timedelta(days=9)))
    # At risk at 23:00, breached at 01:00: one message at 09:00.
    assert called(play.to(30 * 60 - 1)) == []
    assert play.due()[DeadlineKind.ESCALATION] == minutes(30 * 60)
    morning = play.to(30 * 60)
    assert (called(morning), escalated(morning)) == ([("bob",)], [("2", "resolution_at_risk")])


def test_what_goes_wrong_with_an_incident_without_levels_tells_nobody() -> None:
    play = Play(POLICY)
    play.fire(says=SEV1)
    assert called(play.to(2_000)) == []
    assert play.incident.process == Process(asked_at=minutes(0))


def test_objectives_that_were_missed_while_nothing_ran_call_one_more_level() -> None:
    play = opened(SEV2)
    play.act(ack(lasting=timedelta(days=9)))
    assert called(play.down_until(1_000)) == [("bob",)]


# ---- from the first level again


def test_a_raise_asks_from_the_first_level_of_the_graver_severity() -> None:
    play = opened(SEV2)
    play.to(50)
    assert play.incident.process.level == 2
    raised = play.fire("B", says=SEV1)
    assert called(raised) == [("ann", "boss")]
    assert escalated(raised) == [("1", "severity_raised")]
    assert told(raised, Entry.ESCALATED) == ["level 1 of 3 (ann, boss) is told: its severity is sev1 now"]
    assert [kind for kind, _ in comments(raised)] == [CommentKind.SEVERITY_RAISED]
    assert play.due()[DeadlineKind.ESCALATION] == minutes(60)


def test_a_raise_by_whoever_has_it_tells_the_first_level_and_goes_no_further() -> None:
    play = opened(SEV2)
    play.act(ack())
    assert called(play.act(choose(SEV1))) == [("ann", "boss")]
    assert DeadlineKind.ESCALATION not in play.due()


def test_levels_of_one_instant_are_told_for_the_same_reason() -> None:
    play = opened(SEV1, policy(sev1=(level(0, "ann"), level(0, "boss"), level(9, "bob"))))
    assert [notice.kind for notice in notices(play.played) if notice.to in {("ann",), ("boss",)}] == [
        NoticeKind.OPENED,
        NoticeKind.OPENED,
    ]
    assert escalated(play.played) == []


def test_what_is_judged_graver_than_a_person_saw_is_told_as_judged() -> None:
    play = opened(SEV3)
    play.act(choose(SEV4))
    judged = play.fire("B", says=SEV1)
    assert (play.incident.severity, play.incident.judged) == (SEV4, SEV1)
    assert called(judged) == [("ann", "boss")]
    assert called(play.to(10)) == [("bob",)]
    play.act(ack())
    assert escalation.ladder_of(play.incident) is SEV4


def test_an_acknowledgement_that_ends_asks_from_the_first_level() -> None:
    play = opened()
    play.to(12)
    play.act(ack())
    expired = play.to(132)
    assert called(expired) == [("ann", "boss")]
    assert told(expired, Entry.ESCALATED) == ["level 1 of 3 (ann, boss) is told: the acknowledgement ended"]
    assert escalated(expired) == [("1", "acknowledgement_ended")]
    assert called(play.to(142)) == [("bob",)]


def test_a_new_round_asks_from_the_first_level() -> None:
    play = opened(SEV2)
    play.to(50)
    play.act(close())
    assert DeadlineKind.ESCALATION not in play.due()
    again = play.act(reopen())
    assert [(n.kind, n.to) for n in notices(again) if n.key.startswith("escalated:")] == [
        (NoticeKind.REOPENED, ("ann",))
    ]
    assert told(again, Entry.ESCALATED) == ["level 1 of 3 (ann) is told: reopened as sev2"]
    assert play.due()[DeadlineKind.ESCALATION] == minutes(95)


def test_a_lowering_goes_on_with_the_levels_of_the_lighter_severity() -> None:
    play = opened()
    play.to(40)
    assert called(play.act(choose(SEV2))) == []
    assert (play.incident.process.level, play.due()[DeadlineKind.ESCALATION]) == (3, minutes(90))
    play.act(choose(SEV4))
    assert DeadlineKind.ESCALATION not in play.due()


# ---- when nobody is told


def test_escalation_waits_while_the_end_is_verified_and_what_came_due_acts_when_it_fires_again() -> None:
    play = opened()
    play.to(5)
    play.resolve()
    assert DeadlineKind.ESCALATION not in play.due()
    assert called(play.to(20)) == []
    assert called(play.fire()) == [("bob",), ("boss",)]


def test_a_raise_while_the_end_is_verified_calls_when_it_fires_again() -> None:
    play = opened(SEV2)
    play.to(5)
    play.resolve()
    assert called(play.grow(SEV1)) == []
    play.to(6)
    assert called(play.fire()) == [("ann", "boss")]


def test_an_incident_that_is_over_calls_nobody() -> None:
    play = opened()
    play.act(close())
    assert called(play.to(1_000)) == []
    assert play.incident.process.escalates_at is None


def test_a_folded_incident_calls_nobody_until_it_goes_its_own_way() -> None:
    parent = incident(id=7, severity=SEV1, judged=SEV1)
    play = opened()
    act = MergeAsked(actor=ANN, into=7)
    merged = decide(play.incident, act, Context(policy=LADDERS, parents=((Fold.MERGE, parent),)), minutes(1))
    assert merged.incident.process.escalates_at is None
    assert not [effect for effect in merged.effects if isinstance(effect, Notify)]


def test_while_it_is_paused_escalation_stands_still() -> None:
    play = opened(SEV2, policy(sev2=(level(0, "ann"), level(45, "bob", during=BUSINESS))))
    play.act(ack(lasting=timedelta(days=9)))
    process = changed(play.incident.process, escalates_at=minutes(60), escalates_for="resolution_at_risk")
    play.incidents[1] = changed(play.incident, process=process)
    play.act(pause(600))
    assert DeadlineKind.ESCALATION not in play.due()
    assert called(play.to(380)) == []
    play.act(resume())
    assert called(play.to(439)) == []
    assert called(play.to(440)) == [("bob",)]


# ---- nobody on call


def nobody(play: Play, notice: Notify) -> list[Played]:
    return play.tell(NobodyTold(key=notice.key))


def last(played: Iterable[Played]) -> Notify:
    return [notice for notice in notices(played) if notice.key.startswith("escalated:")][-1]


def test_where_nobody_is_on_call_the_next_level_is_told_at_once() -> None:
    play = opened()
    first = last(play.played)
    then = nobody(play, first)
    assert called(then) == [("bob",)]
    assert told(then) == ["level 2 of 3 (bob) is told: nobody could be told at level 1"]
    assert escalated(then) == [("2", "nobody_told")]
    assert play.due()[DeadlineKind.ESCALATION] == minutes(15)
    assert called(nobody(play, first)) == []


def test_after_the_last_level_nobody_is_left_until_it_is_told_again() -> None:
    play = opened()
    for _ in range(2):
        nobody(play, last(play.played))
    at_last = nobody(play, last(play.played))
    assert (called(play.played)[1:], called(at_last)) == ([("bob",), ("boss",)], [])
    assert play.due()[DeadlineKind.ESCALATION] == minutes(15)


@pytest.mark.parametrize("key", ["", "escalated:1:sev1:1:", "opened"])
def test_another_notice_without_an_address_calls_nobody(key: str) -> None:
    play = opened()
    (nothing,) = play.tell(NobodyTold(key=key))
    assert (nothing.decision.effects, nothing.decision.timeline) == ((), ())


def test_nobody_told_of_what_is_over_by_now_calls_nobody() -> None:
    play = opened()
    first = last(play.played)
    play.act(close())
    assert called(nobody(play, first)) == []


# ---- a person asks


def test_a_person_calls_the_next_level_at_once() -> None:
    play = opened()
    play.to(2)
    asked = play.act(asks(actor=BOB, reason="the database is beyond me"))
    assert called(asked) == [("bob",)]
    (line,) = asked[0].decision.timeline
    assert (line.by, line.text) == ("bob", "level 2 of 3 (bob) is told: bob asks for it: the database is beyond me")
    assert escalated(asked) == [("2", "asked")]
    assert play.due()[DeadlineKind.ESCALATION] == minutes(15)


@pytest.mark.parametrize("to", ["3", "level 3", "Level3"])
def test_a_person_calls_a_level_by_its_number(to: str) -> None:
    play = opened()
    assert called(play.act(asks(to))) == [("boss",)]
    assert (play.incident.process.level, play.due()[DeadlineKind.ESCALATION]) == (3, minutes(15))


def test_a_person_calls_a_level_again_and_the_clock_stays_where_it_was() -> None:
    play = opened()
    play.to(12)
    assert called(play.act(asks("1"))) == [("ann", "boss")]
    assert (play.incident.process.level, play.due()[DeadlineKind.ESCALATION]) == (2, minutes(15))


def test_whoever_has_it_calls_a_level_without_starting_the_clock() -> None:
    play = opened()
    play.to(1)
    play.act(ack())
    assert called(play.act(asks())) == [("bob",)]
    assert DeadlineKind.ESCALATION not in play.due()
    assert play.due()[DeadlineKind.ACKNOWLEDGEMENT] == minutes(121)


def test_a_person_calls_somebody_by_name_outside_of_the_levels() -> None:
    play = opened()
    asked = play.act(asks("cloud-vendor", reason="case 4711"))
    assert called(asked) == [("cloud-vendor",)]
    assert told(asked) == ["cloud-vendor is told: ann asks for it: case 4711"]
    assert comments(asked) == [(CommentKind.ESCALATED, "Escalated to cloud-vendor: ann asks for it: case 4711.")]
    assert escalated(asked) == [("other", "asked")]
    assert (play.incident.process.level, play.due()[DeadlineKind.ESCALATION]) == (1, minutes(10))


@pytest.mark.parametrize(
    ("to", "owner"),
    [
        ("carl", "carl"),
        ("2", "bob"),
        ("on_call", "who is on call for payments"),
        ("on_call.next", "who is next on call for payments"),
        ("team", "payments"),
    ],
)
def test_ownership_moves_where_it_is_asked(to: str, owner: str) -> None:
    play = opened()
    asked = play.act(asks(to, take_over=True))
    assert play.incident.process.owner == owner
    assert told(asked)[-1] == f"ann hands it over to {owner}"
    play.act(asks("dora"))
    assert play.incident.process.owner == owner


KNOWN = Context(policy=LADDERS, people=("ann", "bob"), teams=("payments",), channels=("cloud-vendor",))


@pytest.mark.parametrize(
    ("to", "hint"),
    [
        ("anne", "; did you mean ann?"),
        ("cloudvendor", "; did you mean cloud-vendor?"),
        ("on-call", "; did you mean on_call?"),
        ("carl", ""),
    ],
)
def test_somebody_whom_nobody_knows_is_refused_before_it_is_said_that_they_are_told(to: str, hint: str) -> None:
    with pytest.raises(ActError) as refused:
        decide(opened().incident, asks(to), KNOWN, minutes(6))
    said = "to: expected a level, or one of the people, teams or channels, got "
    assert str(refused.value) == f"{said}{to!r}{hint}"


@pytest.mark.parametrize("to", ["ann", "payments", "cloud-vendor", "on_call", "on_call.next", "team", "2", ""])
def test_people_teams_channels_words_and_levels_are_known(to: str) -> None:
    decision = decide(opened().incident, asks(to), KNOWN, minutes(6))
    assert any(isinstance(effect, Notify) for effect in decision.effects)


@pytest.mark.parametrize("known", [changed(KNOWN, channels=None), Context(policy=LADDERS, channels=())])
def test_where_it_is_not_known_whom_there_is_anybody_can_be_called(known: Context) -> None:
    decision = decide(opened().incident, asks("carl"), known, minutes(6))
    assert [effect.to for effect in decision.effects if isinstance(effect, Notify)] == [("carl",)]


@pytest.mark.parametrize("to", ["0", "4", "level 99"])
def test_a_level_that_does_not_exist_is_refused(to: str) -> None:
    with pytest.raises(ActError, match=r"^to: expected a level from 1 to 3 of sev1, or a name, got \d+$"):
        opened().act(asks(to))


def test_without_levels_a_person_has_to_say_whom() -> None:
    play = opened(SEV4)
    with pytest.raises(ActError, match="INC-1 cannot be escalated to a level: sev4 has none; say whom in `to`"):
        play.act(asks())
    assert called(play.act(asks("bob"))) == [("bob",)]


@pytest.mark.parametrize("state", [State.VERIFYING, State.RESOLVED, State.CLOSED])
def test_what_nobody_works_on_cannot_be_escalated(state: State) -> None:
    with pytest.raises(ActError, match=f"is {state} and cannot be escalated: expected one that is open, acknowledged"):
        decide(incident(state=state), asks(), Context(policy=LADDERS), minutes(9))


def test_a_folded_incident_is_escalated_by_its_parent() -> None:
    with pytest.raises(ActError, match="INC-12 is folded into INC-7"):
        decide(incident(parent=7), asks(), Context(policy=LADDERS), minutes(9))


def test_what_is_held_back_calls_nobody_before_it_opens() -> None:
    play = Play(LADDERS)
    play.fire(says=verdict(severity=SEV3, delay=timedelta(minutes=400)))
    assert (called(play.to(399)), play.incident.process.asked_at) == ([], None)
    assert called(play.to(400)) == [("team",)]


def test_whoever_is_called_while_it_is_paused_learns_what_it_waits_for() -> None:
    play = opened()
    play.act(ack())
    play.act(pause(60, reason="the vendor rebuilds the index"))
    asked = play.act(asks("bob"))
    assert "Paused: the vendor rebuilds the index" in last(asked).text.splitlines()
