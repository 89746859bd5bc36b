"""What holds for every life of an incident, whatever alerts, people and time do to it."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from datetime import timedelta
from itertools import permutations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from building import minutes, verdict
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
    fixed,
    pause,
    publishes,
    reopen,
    resume,
)
from triaged.core.effects import Comment
from triaged.core.events import (
    Act,
    AlertFired,
    DeadlinePassed,
    GrowthAwaited,
    ReopenAsked,
    SeverityChosen,
)
from triaged.core.lifecycle import begin, decide
from triaged.core.model import (
    Actor,
    CloseReason,
    DeadlineKind,
    Incident,
    Outcome,
    Severity,
    State,
    Verdict,
)
from triaged.core.objectives import standing
from triaged.errors import ActError

NAMES = ("A", "B", "C")
DELAY = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happens in a play; printed as what it is."""

    what: str
    do: Callable[[Play], object]

    def __repr__(self) -> str:
        return self.what


def fires(name: str, says: Verdict, since: float | None) -> Step:
    delayed = " delayed" if says.delay else ""
    return Step(f"{name} fires {says.severity}{delayed} since {since}", lambda play: play.fire(name, says, since=since))


def resolves(name: str, ago: float) -> Step:
    def do(play: Play) -> None:
        play.resolve(name, ended=(play.now - minutes(0)) / timedelta(minutes=1) - ago)

    return Step(f"{name} resolves {ago} minutes ago", do)


def passes(span: float) -> Step:
    def do(play: Play) -> None:
        play.to((play.now - minutes(0)) / timedelta(minutes=1) + span)

    return Step(f"{span} minutes pass", do)


def acts(act: Act) -> Step:
    def do(play: Play) -> None:
        if play.incidents:
            try:
                play.act(act)
            except ActError:
                return

    return Step(repr(act), do)


def grows(severity: Severity, ref: str) -> Step:
    def do(play: Play) -> None:
        if play.incidents:
            play.grow(severity, ref=ref)

    return Step(f"{ref} holds: {severity}", do)


def awaits(span: float) -> Step:
    def do(play: Play) -> None:
        if play.incidents:
            play.tell(GrowthAwaited(at=play.now + timedelta(minutes=span)))

    return Step(f"growth is awaited in {span} minutes", do)


SEVERITIES = st.sampled_from(Severity)
ACTORS: st.SearchStrategy[Actor] = st.sampled_from([ANN, BOB])
VERDICTS = st.builds(
    lambda severity, delay, who: verdict(severity=severity, delay=delay, close=who),
    SEVERITIES,
    st.sampled_from([None, None, DELAY]),
    st.sampled_from([None, None, "daemon", "person"]),
)
FIRES = st.builds(fires, st.sampled_from(NAMES), VERDICTS, st.sampled_from([None, None, 0, -5]))
RESOLVES = st.builds(resolves, st.sampled_from(NAMES), st.sampled_from([0, 0, 2, 60]))
PASSES = st.builds(passes, st.sampled_from([0, 1, 5, 15, 30, 60, 250, 1_500]))
ACKS = st.builds(ack, ACTORS, lasting=st.sampled_from([None, None, timedelta(minutes=20)]))
ACTS: st.SearchStrategy[Act] = st.one_of(
    ACKS,
    st.builds(choose, SEVERITIES, ACTORS),
    st.builds(fixed, ACTORS),
    st.builds(close, st.sampled_from(CloseReason).filter(lambda reason: reason is not CloseReason.UNOPENED), ACTORS),
    st.builds(reopen, ACTORS),
    st.builds(pause, st.sampled_from([1, 30, 600]), ACTORS),
    st.builds(resume, ACTORS),
)
GROWS = st.builds(grows, SEVERITIES, st.sampled_from(["r#0", "r#1"]))
STEPS = st.one_of(FIRES, FIRES, RESOLVES, PASSES, ACTS.map(acts), GROWS, st.builds(awaits, st.sampled_from([-1, 1, 9])))
LIVES = st.lists(STEPS, min_size=1, max_size=14)

quickly = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def live(steps: list[Step]) -> Play:
    play = Play()
    for step in steps:
        step.do(play)
    return play


def changes(play: Play) -> list[tuple[Incident, Played]]:
    """Every decision on an incident that was there, with what it was before."""
    return [(one.before, one) for one in play.played if one.before is not None]


@quickly
@given(LIVES)
def test_a_severity_never_falls_without_a_person(steps: list[Step]) -> None:
    for before, one in changes(live(steps)):
        after = one.decision.incident
        assert not before.judged.graver_than(after.judged)
        if not isinstance(one.event, SeverityChosen):
            assert not before.severity.graver_than(after.severity)
            assert after.chosen is before.chosen


@quickly
@given(LIVES)
def test_a_severity_is_the_chosen_one_else_the_judged_one(steps: list[Step]) -> None:
    for incident in live(steps).incidents.values():
        assert incident.severity is (incident.chosen or incident.judged)


@quickly
@given(LIVES)
def test_an_outcome_never_changes_within_a_round_unless_an_acknowledgement_ended(steps: list[Step]) -> None:
    for before, one in changes(live(steps)):
        after = one.decision.incident
        if after.round != before.round:
            continue
        if before.resolution_outcome is not None:
            assert after.resolution_outcome is before.resolution_outcome
        if before.response_outcome is not None and after.response_outcome is not before.response_outcome:
            assert (after.response_outcome, after.response_started_at) == (None, one.at)
            assert after.judged.graver_than(before.judged)


@quickly
@given(LIVES)
def test_firing_is_never_negative_and_never_above_the_alerts(steps: list[Step]) -> None:
    play = live(steps)
    for one in play.played:
        assert 0 <= one.decision.incident.firing <= one.decision.incident.alerts
    for incident in play.incidents.values():
        going_on = [e for e in play.episodes.values() if e.incident_id == incident.id and e.ended_at is None]
        assert incident.firing == len(going_on)


@quickly
@given(LIVES)
def test_what_every_state_promises_holds(steps: list[Step]) -> None:
    for one in live(steps).played:
        incident = one.decision.incident
        assert (incident.opened_at is None) == (
            incident.state is State.PENDING or incident.close_reason is CloseReason.UNOPENED
        )
        assert (incident.opened_at is None) == (incident.round == 0)
        assert (incident.closed_at is not None) == (incident.state is State.CLOSED)
        assert (incident.former_state is not None) == (incident.state is State.VERIFYING)
        if incident.state in (State.VERIFYING, State.RESOLVED):
            assert (incident.firing, incident.restored_at is None) == (0, False)
        if incident.state in (State.OPEN, State.ACKNOWLEDGED):
            assert incident.restored_at is None
        if incident.state is State.ACKNOWLEDGED:
            assert incident.acknowledged_by is not None
            assert incident.response_outcome is not None
        if incident.state is State.OPEN:
            assert incident.acknowledged_by is None
        if incident.state is State.RESOLVED:
            assert incident.response_outcome is not None
            assert incident.resolution_outcome is not None


@quickly
@given(LIVES)
def test_a_pending_incident_asks_for_nothing_to_be_published(steps: list[Step]) -> None:
    for one in live(steps).played:
        if one.decision.incident.opened_at is None:
            assert publishes([one]) == []
            assert not [effect for effect in one.decision.effects if isinstance(effect, Comment)]


@quickly
@given(LIVES)
def test_an_open_incident_has_a_deadline_standing_until_both_objectives_are_decided(steps: list[Step]) -> None:
    for one in live(steps).played:
        incident = one.decision.incident
        kinds = {deadline.kind for deadline in standing(incident, POLICY)}
        decided = incident.response_outcome is not None and incident.resolution_outcome is not None
        if incident.state in (State.PENDING, State.VERIFYING):
            assert kinds & {DeadlineKind.OPENING, DeadlineKind.VERIFICATION}
        elif incident.state.unfinished and not decided:
            assert kinds & {DeadlineKind.RESPONSE, DeadlineKind.RESOLUTION, DeadlineKind.PAUSE}
        if incident.state is State.ACKNOWLEDGED and incident.severity in (Severity.SEV1, Severity.SEV2):
            assert kinds & {DeadlineKind.ACKNOWLEDGEMENT, DeadlineKind.PAUSE}
        if not incident.state.unfinished:
            assert kinds == set()


@quickly
@given(LIVES)
def test_a_pause_stands_while_somebody_has_it_and_always_has_its_end(steps: list[Step]) -> None:
    for one in live(steps).played:
        incident = one.decision.incident
        due = {deadline.kind: deadline.due_at for deadline in standing(incident, POLICY)}
        process = incident.process
        assert (process.paused_at is None) == (process.paused_until is None) == (process.paused_for == "")
        assert due.get(DeadlineKind.PAUSE) == process.paused_until
        if process.paused_at is not None:
            assert State.ACKNOWLEDGED in (incident.state, incident.former_state)
            assert not {DeadlineKind.RESOLUTION, DeadlineKind.RESOLUTION_AT_RISK} & due.keys()


@quickly
@given(LIVES)
def test_what_stands_is_a_function_of_the_incident_alone_and_one_of_a_kind(steps: list[Step]) -> None:
    seen: dict[str, object] = {}
    for one in live(steps).played:
        incident = one.decision.incident
        stands = standing(deepcopy(incident), POLICY)
        assert stands == seen.setdefault(repr(incident), standing(incident, POLICY))
        assert len({deadline.kind for deadline in stands}) == len(stands)
        assert {deadline.incident_id for deadline in stands} <= {incident.id}


@quickly
@given(LIVES)
def test_a_decision_is_deterministic_and_changes_none_of_its_inputs(steps: list[Step]) -> None:
    for one in live(steps).played:
        copies = deepcopy((one.before, one.event))
        if one.before is not None:
            again = decide(one.before, one.event, CONTEXT, one.at)
        else:
            assert isinstance(one.event, AlertFired)
            born = one.decision.incident
            again = begin(one.event, CONTEXT, one.at, incident_id=born.id, rule_set=born.rule_set, follows=born.follows)
        assert again == one.decision
        assert (one.before, one.event) == copies


@quickly
@given(LIVES)
def test_a_comment_is_asked_for_under_a_key_of_its_own(steps: list[Step]) -> None:
    effects = [effect for one in live(steps).played for effect in one.decision.effects]
    keys = [(effect.incident_id, effect.key) for effect in effects if isinstance(effect, Comment)]
    assert len(set(keys)) == len(keys)


@quickly
@given(LIVES)
def test_what_a_decision_tells_and_asks_for_is_of_its_incident_and_of_its_instant(steps: list[Step]) -> None:
    for one in live(steps).played:
        assert {entry.incident_id for entry in one.decision.timeline} <= {one.decision.incident.id}
        assert {entry.at for entry in one.decision.timeline} <= {one.at}
        changed = one.before is not None and replace(one.before, grows_at=None) != replace(
            one.decision.incident, grows_at=None
        )
        if changed and one.decision.incident.opened_at is not None:
            assert publishes([one]), "a change is to be seen in the issue"


@quickly
@given(LIVES)
def test_a_finished_incident_is_opened_again_only_by_an_alert_or_a_person(steps: list[Step]) -> None:
    for before, one in changes(live(steps)):
        after = one.decision.incident
        if not before.state.unfinished and after.state.unfinished:
            assert isinstance(one.event, AlertFired | ReopenAsked)
            assert (after.state, after.round) == (State.OPEN, before.round + 1)
        if before.closed_by_person and isinstance(one.event, DeadlinePassed):
            assert after == before


# ---- repeating an event at once changes nothing


@quickly
@given(LIVES, st.one_of(FIRES, RESOLVES, GROWS, ACTS.map(acts), st.builds(awaits, st.just(9))))
def test_repeating_an_event_at_once_changes_nothing(steps: list[Step], step: Step) -> None:
    play = live([*steps, step])
    incidents, episodes = dict(play.incidents), dict(play.episodes)
    decided = len(play.played)
    step.do(play)
    assert play.incidents == incidents
    assert {name: replace(e, id=0) for name, e in play.episodes.items()} == {
        name: replace(e, id=0) for name, e in episodes.items()
    }
    for one in play.played[decided:]:
        assert not [effect for effect in one.decision.effects if isinstance(effect, Comment)]
        # A person who says a thing twice is told of twice.
        if not isinstance(one.event, Act):
            assert (one.decision.effects, one.decision.timeline) == ((), ())


@quickly
@given(LIVES)
def test_a_deadline_told_twice_acts_once(steps: list[Step]) -> None:
    for before, one in changes(live(steps)):
        if isinstance(one.event, DeadlinePassed):
            again = decide(one.decision.incident, one.event, CONTEXT, one.at)
            assert again.incident == one.decision.incident != before
            assert (again.effects, again.timeline) == ((), ())


# ---- events of different alerts commute


KEPT = (
    "id",
    "state",
    "severity",
    "judged",
    "chosen",
    "covered",
    "alerts",
    "firing",
    "started_at",
    "pending_until",
    "round",
    "opened_at",
    "round_at",
    "acknowledged_at",
    "acknowledged_by",
    "acknowledged_until",
    "former_state",
    "last_ended_at",
    "restored_at",
    "resolved_at",
    "closed_at",
    "response_started_at",
    "response_due_at",
    "response_outcome",
    "resolution_due_at",
    "resolution_outcome",
    "grown",
    "follows",
)


def facts(play: Play) -> object:
    """What must not depend on the order in which alerts of one instant arrive.

    What may: title, source and all else that an incident has from its first alert (service, team, `close`), and what
    it has from the gravest where two are equally grave; the order of the timeline; what was said on the way (a raise
    in two steps is told twice).
    """
    incidents = [tuple(getattr(incident, name) for name in KEPT) for incident in play.incidents.values()]
    episodes = {name: (e.incident_id, e.starts_at, e.ended_at, e.begun_at) for name, e in sorted(play.episodes.items())}
    return incidents, episodes


def sends(name: str) -> st.SearchStrategy[Step]:
    says = st.builds(lambda severity: verdict(severity=severity), SEVERITIES)
    delayed = st.builds(lambda severity: verdict(severity=severity, delay=DELAY), SEVERITIES)
    return st.one_of(
        st.builds(fires, st.just(name), says | delayed, st.sampled_from([None, 0, -5])),
        st.builds(resolves, st.just(name), st.sampled_from([0, 2])),
    )


# A person's close covers what was seen: whether an alert that arrives together with a graver one joins the linked
# incident or reopens the closed one depends on who is first. So these lives have none.
LEFT_TO_THE_DAEMON = st.lists(
    st.one_of(FIRES, FIRES, RESOLVES, PASSES, GROWS, st.one_of(ACKS, st.builds(choose, SEVERITIES)).map(acts)),
    max_size=10,
)


@quickly
@given(LEFT_TO_THE_DAEMON, st.tuples(*map(sends, NAMES)))
def test_events_of_different_alerts_commute(steps: list[Step], together: tuple[Step, ...]) -> None:
    outcomes = [facts(live([*steps, *order])) for order in permutations(together)]
    assert all(outcome == outcomes[0] for outcome in outcomes)


# ---- of one alert, order of arrival decides, except that a resolve older than the episode's startsAt is ignored


@quickly
@given(LIVES, st.sampled_from(NAMES))
def test_a_resolve_older_than_the_episode_changes_nothing(steps: list[Step], name: str) -> None:
    play = live(steps)
    episode = play.episodes.get(name)
    before = dict(play.incidents)
    if episode is not None:
        play.resolve(name, ended=(episode.starts_at - minutes(0)) / timedelta(minutes=1) - 1)
    assert play.incidents == before


@quickly
@given(LIVES, FIRES, RESOLVES)
def test_the_last_to_arrive_of_one_alert_decides_whether_it_fires(steps: list[Step], fire: Step, resolve: Step) -> None:
    play = live([*steps, resolve, fire])
    name = repr(fire)[0]
    assert play.episodes[name].ended_at is None
    play.resolve(name)
    assert play.episodes[name].ended_at == play.now


# ---- a deadline passing in verifying


@quickly
@given(SEVERITIES, st.integers(1, 20_000))
def test_what_falls_silent_in_time_and_stays_so_breaches_nothing(severity: Severity, away: int) -> None:
    play = Play()
    play.fire(says=severity)
    play.to(14)
    play.resolve()
    play.down_until(14 + away)
    assert Outcome.BREACHED not in (play.incident.response_outcome, play.incident.resolution_outcome)
