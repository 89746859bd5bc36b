"""What holds for escalation in every life of an incident, whatever alerts, people and time do to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from building import START, verdict
from playing import ANN, BOB, POLICY, Play, Played, ack, choose, close, counted, fixed, pause, reopen, resume
from triaged.core import escalation
from triaged.core.effects import Comment, Notify
from triaged.core.events import Act, EscalateAsked, NobodyTold
from triaged.core.model import CloseReason, DeadlineKind, Incident, Severity, State
from triaged.core.objectives import standing
from triaged.core.sla import BUSINESS, Level
from triaged.errors import ActError


def level(after: int, who: str, repeat: int | None = None, during: str = "always") -> Level:
    again = None if repeat is None else timedelta(minutes=repeat)
    return Level(after=timedelta(minutes=after), notify=(who,), repeat=again, during=during)


LEVELS = {
    Severity.SEV1: (level(0, "ann"), level(10, "bob"), level(15, "boss", 15)),
    Severity.SEV2: (level(0, "ann"), level(45, "bob", during=BUSINESS), level(60, "boss")),
    Severity.SEV3: (level(0, "team", during=BUSINESS), level(180, "ann", 1_440, BUSINESS)),
}
LADDERS = replace(
    POLICY, severities={s: replace(one, escalation=LEVELS.get(s, ())) for s, one in POLICY.severities.items()}
)
PAGES = (Severity.SEV1, Severity.SEV2)


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happens in a play; printed as what it is."""

    what: str
    do: Callable[[Play], object]

    def __repr__(self) -> str:
        return self.what


def fires(name: str, severity: Severity, delay: int) -> Step:
    says = verdict(severity=severity, delay=timedelta(minutes=delay) or None)
    return Step(f"{name} fires {severity} after {delay}", lambda play: play.fire(name, says))


def resolves(name: str) -> Step:
    return Step(f"{name} resolves", lambda play: play.resolve(name))


def minute(play: Play) -> float:
    return (play.now - START) / timedelta(minutes=1)


def passes(span: int) -> Step:
    return Step(f"{span} minutes pass", lambda play: play.to(minute(play) + span))


def away(span: int) -> Step:
    return Step(f"nothing runs for {span} minutes", lambda play: play.down_until(minute(play) + span))


def acts(act: Act) -> Step:
    def do(play: Play) -> None:
        if play.incidents:
            try:
                play.act(act)
            except ActError:
                return

    return Step(repr(act), do)


def keys_of(played: Iterable[Played]) -> list[tuple[int, str]]:
    """The notices of escalation, in their order: each with its incident."""
    effects = [effect for one in played for effect in one.decision.effects]
    return [(e.incident_id, e.key) for e in effects if isinstance(e, Notify) and e.key.startswith("escalated:")]


def finds_nobody() -> Step:
    def do(play: Play) -> None:
        if found := keys_of(play.played):
            play.tell(NobodyTold(key=found[-1][1]))

    return Step("the last notice finds nobody", do)


SEVERITIES = st.sampled_from(Severity)
ACTORS = st.sampled_from([ANN, BOB])
NAMES = st.sampled_from(["A", "B"])
CLOSES = st.sampled_from([CloseReason.COMPLETED, CloseReason.NOT_PLANNED])
ACTS: st.SearchStrategy[Act] = st.one_of(
    st.builds(ack, ACTORS),
    st.builds(ack, ACTORS),
    st.builds(choose, SEVERITIES, ACTORS),
    st.builds(fixed, ACTORS),
    st.builds(close, CLOSES, ACTORS),
    st.builds(reopen, ACTORS),
    st.builds(pause, st.sampled_from([1, 30, 600]), ACTORS),
    st.builds(resume, ACTORS),
    st.builds(lambda actor, to: EscalateAsked(actor=actor, to=to), ACTORS, st.sampled_from(["", "1", "3", "carl"])),
)
STEPS = st.one_of(
    st.builds(fires, NAMES, SEVERITIES, st.sampled_from([0, 0, 15])),
    st.builds(fires, NAMES, SEVERITIES, st.just(0)),
    st.builds(resolves, NAMES),
    st.builds(passes, st.sampled_from([0, 1, 5, 10, 15, 45, 60, 250, 1_500])),
    st.builds(away, st.sampled_from([10, 60, 500])),
    ACTS.map(acts),
    st.just(finds_nobody()),
)
LIVES = st.lists(STEPS, min_size=1, max_size=14)
quickly = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def live(steps: list[Step]) -> Play:
    play = Play(LADDERS)
    for step in steps:
        step.do(play)
    return play


def due(incident: Incident) -> dict[DeadlineKind, object]:
    return {deadline.kind: deadline.due_at for deadline in standing(incident, LADDERS)}


@quickly
@given(LIVES)
def test_every_open_sev1_and_sev2_has_a_next_deadline(steps: list[Step]) -> None:
    for one in live(steps).played:
        incident = one.decision.incident
        if incident.state.working and escalation.ladder_of(incident) in PAGES and incident.severity in PAGES:
            assert due(incident)
        if incident.state is State.OPEN and escalation.ladder_of(incident) in PAGES:
            assert DeadlineKind.ESCALATION in due(incident)


@quickly
@given(LIVES)
def test_what_is_due_has_been_told(steps: list[Step]) -> None:
    play = live([*steps, passes(0)])
    for incident in play.incidents.values():
        at = incident.process.escalates_at
        assert at is None or at > play.now or not escalation.stands(incident)


def is_asked_anew(before: Incident, after: Incident) -> bool:
    graver = escalation.ladder_of(after).graver_than(escalation.ladder_of(before))
    ended = State.ACKNOWLEDGED in (before.state, before.former_state) and after.state is State.OPEN
    return graver or ended or before.round != after.round


@quickly
@given(LIVES)
def test_levels_are_told_in_their_order_and_only_the_last_one_again(steps: list[Step]) -> None:
    for one in live(steps).played:
        before, after = one.before, one.decision.incident
        if before is None or isinstance(one.event, EscalateAsked):
            continue
        told = [key for _, key in keys_of([one])]
        ladder = escalation.ladder_of(after)
        last = len(LEVELS.get(ladder, ()))
        level = 0 if is_asked_anew(before, after) else min(before.process.level, last)
        expected = [min(level + number, last) for number in range(1, len(told) + 1)]
        assert [int(key.split(":")[3]) for key in told] == expected


@quickly
@given(LIVES)
def test_time_alone_calls_nobody_for_what_somebody_has_and_nothing_calls_for_what_is_over(steps: list[Step]) -> None:
    for one in live(steps).played:
        if keys_of([one]):
            assert one.decision.incident.state.working
        if one.before is not None and one.before.state is State.ACKNOWLEDGED is one.decision.incident.state:
            reasons = {labels["reason"] for labels in counted([one], "escalations_total")}
            assert escalation.Ground.NOT_ACKNOWLEDGED not in reasons


@quickly
@given(LIVES)
def test_where_nobody_is_ever_found_every_level_is_tried_once_and_then_it_waits(steps: list[Step]) -> None:
    play = live(steps)
    before = len(keys_of(play.played))
    for _ in range(9):
        finds_nobody().do(play)
    assert len(keys_of(play.played)) - before <= max(map(len, LEVELS.values()))


@quickly
@given(LIVES)
def test_a_comment_of_an_escalation_has_a_key_of_its_own(steps: list[Step]) -> None:
    told = [one for one in live(steps).played if not isinstance(one.event, EscalateAsked)]
    effects = [effect for one in told for effect in one.decision.effects if isinstance(effect, Comment)]
    found = [(effect.incident_id, effect.key) for effect in effects]
    assert len(set(found)) == len(found)
