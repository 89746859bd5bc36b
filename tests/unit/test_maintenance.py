"""Maintenance in the pure core: which windows hold what back, until when, and what ends the wait."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from building import minutes, verdict
from playing import CONTEXT, POLICY
from triaged.core.alerting import Place, place
from triaged.core.draft import Decision
from triaged.core.effects import Tally
from triaged.core.episodes import Change
from triaged.core.events import AlertFired, AlertResolved, DeadlinePassed, Event, Grew, MaintenanceChanged, WentOver
from triaged.core.lifecycle import begin, decide
from triaged.core.maintenance import NO_COVER, Cover, Phase, Plan, Window, common, cover
from triaged.core.model import CloseReason, DeadlineKind, Entry, Incident, Severity, State
from triaged.core.objectives import standing

SEV1, SEV2, SEV3, SEV4 = Severity


def window(begins: float = 0, ends: float = 60, *match: str, whole: bool = False, called: str = "w") -> Window:
    return Window(
        id=called,
        match=match or ('cluster="eu-1"',),
        begins_at=minutes(begins),
        ends_at=minutes(ends),
        reason="Kernel upgrade",
        by="ann",
        all=whole,
    )


def held(*windows: Window) -> Cover:
    """What these windows, all over an alert, hold back."""
    return cover(windows, {"cluster": "eu-1"})


class Wait:
    """One incident from its first alert on; minutes count from START."""

    def __init__(self, over: Cover, says: Severity = SEV3, *, delay: float | None = None) -> None:
        self.now = minutes(0)
        self._keep(begin(self._fired("A", over, says, delay), CONTEXT, self.now, incident_id=1, rule_set="rules"))

    def at(self, minute: float) -> Wait:
        self.now = minutes(minute)
        return self

    def fire(
        self,
        over: Cover,
        says: Severity = SEV3,
        *,
        delay: float | None = None,
        name: str = "B",
        change: Change = Change.BEGAN,
    ) -> Wait:
        return self.tell(self._fired(name, over, says, delay, change))

    def resolve(self, name: str = "A") -> Wait:
        return self.tell(AlertResolved(name=name, ended_at=self.now))

    def due(self, over: Cover = NO_COVER) -> Wait:
        """What stands for opening acts, at its instant."""
        (deadline,) = (one for one in standing(self.incident, POLICY) if one.kind is DeadlineKind.OPENING)
        self.now = deadline.due_at
        return self.tell(DeadlinePassed(kind=deadline.kind, due_at=deadline.due_at, cover=over))

    def tell(self, event: Event) -> Wait:
        self._keep(decide(self.incident, event, CONTEXT, self.now))
        return self

    @property
    def state(self) -> State:
        return self.incident.state

    @property
    def said(self) -> list[str]:
        return [entry.text for entry in self.decision.timeline]

    def _fired(
        self, name: str, over: Cover, says: Severity, delay: float | None, change: Change = Change.BEGAN
    ) -> AlertFired:
        told = verdict(severity=says, delay=None if delay is None else timedelta(minutes=delay))
        return AlertFired(name=name, source="am", verdict=told, change=change, starts_at=self.now, cover=over)

    def _keep(self, decision: Decision) -> None:
        self.decision = decision
        self.incident: Incident = decision.incident


# ---- windows


def test_a_window_covers_what_all_its_matchers_hold_for_and_an_absent_label_is_empty() -> None:
    both = window(0, 60, 'cluster=~"eu-.+"', 'canary!="yes"')
    assert both.covers({"cluster": "eu-1"})
    assert not both.covers({"cluster": "eu-1", "canary": "yes"})
    assert not both.covers({"cluster": "us-1"})
    assert not both.covers({})


@pytest.mark.parametrize(
    ("minute", "phase"), [(-1, Phase.PLANNED), (0, Phase.RUNNING), (59, Phase.RUNNING), (60, Phase.PAST)]
)
def test_a_window_runs_from_its_beginning_on_and_before_its_end(minute: float, phase: Phase) -> None:
    assert window(0, 60).phase(minutes(minute)) is phase


def test_of_two_windows_over_an_alert_the_later_end_counts_and_for_a_sev1_that_of_those_for_all() -> None:
    short, long = window(0, 30, whole=True), window(0, 60)
    found = held(short, long, window(0, 90, 'cluster="us-1"'))
    assert [found.of(severity) for severity in Severity] == [short, long, long, long]


def test_windows_hold_back_what_began_within_one_of_them_and_not_what_began_before_them_all() -> None:
    first, second, for_all = window(10, 60), window(20, 90), window(30, 40, whole=True)
    labels = {"cluster": "eu-1"}
    assert cover([first, second, for_all], labels, minutes(9)) == NO_COVER
    assert cover([first, second, for_all], labels, minutes(10)) == Cover(any=second, sev1=None)
    assert cover([first, second, for_all], labels, minutes(30)) == Cover(any=second, sev1=for_all)
    assert cover([first, second, for_all], labels) == Cover(any=second, sev1=for_all)


def test_several_alerts_are_held_until_the_first_of_them_is_not() -> None:
    short, long = held(window(0, 30, whole=True)), held(window(0, 60))
    assert common([long, short]) == Cover(any=short.any, sev1=None)
    assert common([short, short]) == short
    assert common([long, NO_COVER]) == NO_COVER
    assert common([]) == NO_COVER


def test_a_plan_is_a_window_that_its_number_names() -> None:
    plan = Plan(
        number=7, name="deploy", match=('cluster="eu-1"',), begins_at=minutes(0), ends_at=minutes(60),
        reason="Kernel upgrade", by="ann",
    )  # fmt: skip
    assert plan.window == window(called="MW-7")


# ---- what begins within


@pytest.mark.parametrize("says", [SEV2, SEV3, SEV4])
def test_an_alert_within_waits_for_the_end_and_opens_then_with_clocks_from_then(says: Severity) -> None:
    wait = Wait(held(window()), says)
    assert (wait.state, wait.incident.pending_until, wait.incident.opened_at) == (State.PENDING, minutes(60), None)
    assert wait.said[-1] == "held back by maintenance until 2026-11-23 04:00 UTC (Kernel upgrade, by ann)"
    assert not wait.decision.effects
    wait.due()
    assert (wait.state, wait.incident.opened_at, wait.incident.round_at) == (State.OPEN, minutes(60), minutes(60))
    assert wait.said == [f"opened as {says}: still fires after maintenance (Kernel upgrade, by ann)"]
    assert (wait.incident.held_by, wait.incident.held_until) == ("w", minutes(60))


@pytest.mark.parametrize(("whole", "state"), [(False, State.OPEN), (True, State.PENDING)])
def test_a_sev1_opens_at_once_unless_the_window_is_for_all(whole: bool, state: State) -> None:
    assert Wait(held(window(whole=whole)), SEV1).state is state


def test_what_ended_within_ends_unopened_and_is_counted() -> None:
    wait = Wait(held(window())).at(5).resolve().due()
    assert (wait.state, wait.incident.close_reason) == (State.CLOSED, CloseReason.UNOPENED)
    assert wait.said == ["never opened: nothing fired when the maintenance was over"]
    assert [e.labels["reason"] for e in wait.decision.effects if isinstance(e, Tally)] == ["unopened"]


@pytest.mark.parametrize(("delay", "until"), [(15, 60), (90, 90)])
def test_with_a_rules_delay_too_the_later_of_both_counts(delay: float, until: float) -> None:
    wait = Wait(held(window()), delay=delay)
    assert wait.incident.pending_until == minutes(until)
    assert [text.partition(" by ")[0] for text in wait.said[-2:]] == ["held back", f"held back for {_span(delay)}"]
    assert wait.due().incident.opened_at == minutes(until)


def _span(delay: float) -> str:
    return "15 min" if delay == 15 else "1 h 30 min"


def test_a_sev2_is_held_by_the_window_alone_for_no_delay_holds_it() -> None:
    assert Wait(held(window()), SEV2, delay=90).incident.pending_until == minutes(60)
    assert Wait(NO_COVER, SEV2, delay=90).state is State.OPEN


# ---- what joins


def test_an_alert_outside_every_window_opens_what_it_joins() -> None:
    wait = Wait(held(window())).at(5).fire(NO_COVER)
    assert (wait.state, wait.incident.opened_at) == (State.OPEN, minutes(5))
    assert wait.said[-1] == "opened as sev3: B does not wait"


def test_an_alert_outside_with_a_delay_is_waited_for_no_longer_than_that() -> None:
    wait = Wait(held(window())).at(5).fire(NO_COVER, delay=15)
    assert (wait.state, wait.incident.pending_until) == (State.PENDING, minutes(20))
    assert wait.due(NO_COVER).state is State.OPEN


def test_when_such_an_alert_has_ended_the_others_wait_on() -> None:
    wait = Wait(held(window())).at(5).fire(NO_COVER, delay=15).at(9).resolve("B").due(held(window()))
    assert (wait.state, wait.incident.pending_until) == (State.PENDING, minutes(60))
    assert wait.said == []


def test_alerts_of_two_windows_wait_for_the_earlier_end_and_on_if_only_the_later_fires_then() -> None:
    long = held(window(0, 90, called="long"))
    wait = Wait(long).at(5).fire(held(window(0, 30)))
    assert (wait.incident.pending_until, wait.incident.held_by) == (minutes(30), "w")
    wait.at(9).resolve("B").due(long)
    assert (wait.state, wait.incident.pending_until, wait.incident.held_by) == (State.PENDING, minutes(90), "long")
    assert wait.said == ["now held back by maintenance until 2026-11-23 04:30 UTC (Kernel upgrade, by ann)"]


@pytest.mark.parametrize(("whole", "state"), [(False, State.OPEN), (True, State.PENDING)])
@pytest.mark.parametrize("change", [Change.BEGAN, Change.HEARD])
def test_a_raise_to_sev1_opens_unless_the_window_is_for_all(change: Change, whole: bool, state: State) -> None:
    over = held(window(whole=whole))
    wait = Wait(over).at(5).fire(over, SEV1, change=change)
    assert (wait.state, wait.incident.judged) == (state, SEV1)


@pytest.mark.parametrize(("whole", "state"), [(False, State.OPEN), (True, State.PENDING)])
def test_growth_to_sev1_opens_unless_the_window_is_for_all(whole: bool, state: State) -> None:
    over = held(window(whole=whole))
    wait = Wait(over).at(5).tell(Grew(ref="r#0", verdict=verdict(severity=SEV1), cover=over))
    assert wait.state is state


def test_growth_to_sev2_opens_what_a_delay_holds_and_not_what_maintenance_holds() -> None:
    grew = Grew(ref="r#0", verdict=verdict(severity=SEV2))
    assert Wait(NO_COVER, delay=15).at(5).tell(grew).state is State.OPEN
    over = held(window())
    assert Wait(over).at(5).tell(replace(grew, cover=over)).state is State.PENDING


def test_a_sev1_waits_no_longer_than_the_window_for_all() -> None:
    over = held(window(0, 60), window(0, 30, whole=True, called="all"))
    wait = Wait(over)
    assert wait.incident.pending_until == minutes(60)
    wait.at(5).fire(over, SEV1, name="A", change=Change.HEARD)
    assert (wait.incident.pending_until, wait.incident.held_by) == (minutes(30), "all")
    assert wait.due(held(window(0, 60))).state is State.OPEN


# ---- what was there before


def test_what_waits_for_a_delay_alone_opens_within_a_window_that_began_later() -> None:
    wait = Wait(NO_COVER, delay=15).at(5)
    assert wait.fire(held(window(5)), name="A", change=Change.HEARD).state is State.PENDING
    assert wait.due(held(window(5))).state is State.OPEN
    raised = Wait(NO_COVER, delay=15).at(5).fire(held(window(5)), SEV2, name="A", change=Change.HEARD)
    assert raised.state is State.OPEN


def test_an_alert_within_that_joins_what_waits_for_a_delay_does_not_open_it() -> None:
    over = held(window(5))
    wait = Wait(NO_COVER, delay=15).at(5).fire(over, SEV2)
    assert (wait.state, wait.incident.pending_until) == (State.PENDING, minutes(15))
    wait.at(9).resolve("A").due(over)
    assert (wait.state, wait.incident.pending_until) == (State.PENDING, minutes(60))


def test_an_open_incident_is_untouched_by_a_window() -> None:
    wait = Wait(NO_COVER).at(5).fire(held(window(4))).at(6).tell(MaintenanceChanged(cover=held(window(4))))
    assert (wait.state, wait.incident.opened_at, wait.incident.held_until) == (State.OPEN, minutes(0), None)


@pytest.mark.parametrize(("over", "expected"), [(held(window(150, 240)), Place.OPEN), (NO_COVER, Place.REOPEN)])
def test_what_would_reopen_an_incident_is_a_new_one_within_a_window(over: Cover, expected: Place) -> None:
    wait = Wait(NO_COVER).at(100).resolve()
    (deadline,) = (one for one in standing(wait.incident, POLICY) if one.kind is DeadlineKind.VERIFICATION)
    wait.now = deadline.due_at
    wait.tell(DeadlinePassed(kind=deadline.kind, due_at=deadline.due_at))
    assert wait.state is State.CLOSED
    again = wait.at(160)._fired("A", over, SEV3, None)
    assert place(wait.incident, again, POLICY, wait.now) is expected


# ---- windows that change


def test_a_window_that_is_moved_moves_what_it_holds_at_once() -> None:
    wait = Wait(held(window())).at(5).tell(MaintenanceChanged(cover=held(window(0, 30))))
    assert (wait.state, wait.incident.pending_until) == (State.PENDING, minutes(30))
    assert wait.said == ["now held back by maintenance until 2026-11-23 03:30 UTC (Kernel upgrade, by ann)"]
    wait.tell(MaintenanceChanged(cover=held(window(0, 90))))
    assert wait.incident.pending_until == minutes(90)


def test_a_window_that_stays_changes_nothing() -> None:
    wait = Wait(held(window())).at(5).tell(MaintenanceChanged(cover=held(window())))
    assert (wait.said, wait.incident.pending_until) == ([], minutes(60))


def test_a_window_that_ends_early_opens_what_fires_and_ends_what_does_not() -> None:
    fires = Wait(held(window())).at(5).tell(MaintenanceChanged(cover=NO_COVER))
    assert (fires.state, fires.incident.opened_at) == (State.OPEN, minutes(5))
    assert (fires.incident.held_until, fires.incident.pending_until) == (minutes(5), None)
    quiet = Wait(held(window())).at(5).resolve().tell(MaintenanceChanged(cover=NO_COVER))
    assert (quiet.state, quiet.incident.close_reason) == (State.CLOSED, CloseReason.UNOPENED)


@pytest.mark.parametrize(("minute", "state"), [(5, State.PENDING), (15, State.OPEN)])
def test_what_a_delay_would_hold_too_waits_for_that_when_the_window_ends_early(minute: float, state: State) -> None:
    wait = Wait(held(window()), delay=15).at(minute).tell(MaintenanceChanged(cover=NO_COVER))
    assert wait.state is state
    if state is State.PENDING:
        assert wait.said == ["no longer held back by maintenance, by its delay until 2026-11-23 03:15 UTC"]
        assert wait.due().incident.opened_at == minutes(15)


def test_a_sev2_that_joined_opens_when_the_window_ends_early_whatever_the_delay() -> None:
    over = held(window())
    wait = Wait(over, delay=15).at(1).fire(over, SEV2, delay=15).at(5).tell(MaintenanceChanged(cover=NO_COVER))
    assert wait.state is State.OPEN


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        (MaintenanceChanged(cover=NO_COVER, over=True), "still fires after maintenance (Kernel upgrade, by ann)"),
        (
            MaintenanceChanged(cover=NO_COVER),
            "maintenance (Kernel upgrade, by ann) was changed and holds it back no longer",
        ),
        (
            MaintenanceChanged(cover=held(window(0, 90))),
            "maintenance until 2026-11-23 04:30 UTC (Kernel upgrade, by ann) does not hold back sev1",
        ),
    ],
)
def test_what_windows_let_go_says_why(changed: MaintenanceChanged, why: str) -> None:
    wait = Wait(held(window(whole=True)), SEV1).at(5).tell(changed)
    assert wait.said == [f"opened as sev1: {why}"]


def test_what_waits_goes_over_into_an_incident_of_the_same_problem_that_was_reopened() -> None:
    wait = Wait(held(window())).at(5).tell(WentOver(into=7))
    assert (wait.state, wait.incident.close_reason) == (State.CLOSED, CloseReason.UNOPENED)
    assert (wait.incident.firing, wait.incident.alerts, wait.incident.follows) == (0, 1, 7)
    assert wait.said == ["never opened: it is the same problem as INC-7, which was reopened"]


def test_what_has_opened_does_not_go_over() -> None:
    wait = Wait(NO_COVER)
    before = wait.incident
    assert wait.at(5).tell(WentOver(into=7)).incident == before


def test_a_change_of_windows_does_not_open_what_waits_for_the_delay_of_an_alert_outside() -> None:
    wait = Wait(held(window())).at(5).fire(NO_COVER, delay=15).at(6).tell(MaintenanceChanged(cover=NO_COVER))
    assert (wait.state, wait.incident.pending_until) == (State.PENDING, minutes(20))


def test_delays_of_several_alerts_end_with_the_shortest_when_the_window_ends_early() -> None:
    over = held(window())
    wait = Wait(over, delay=30).at(5).fire(over, delay=15).at(6).tell(MaintenanceChanged(cover=NO_COVER))
    assert wait.incident.pending_until == minutes(20)


# ---- laws

_ends = st.integers(min_value=1, max_value=200)


@given(ends=st.lists(st.tuples(_ends, st.booleans()), min_size=1, max_size=6), says=st.sampled_from(Severity))
def test_an_alert_waits_exactly_as_long_as_the_last_window_that_holds_its_severity(
    ends: list[tuple[int, bool]], says: Severity
) -> None:
    wait = Wait(held(*(window(0, end, whole=whole) for end, whole in ends)), says)
    holding: list[datetime] = [minutes(end) for end, whole in ends if whole or says is not SEV1]
    assert wait.incident.pending_until == max(holding, default=None)
    assert (wait.state is State.OPEN) == (not holding)


@given(joins=st.lists(st.tuples(_ends, st.sampled_from([SEV2, SEV3, SEV4])), max_size=8))
def test_an_incident_waits_exactly_as_long_as_the_first_of_its_alerts(joins: list[tuple[int, Severity]]) -> None:
    wait = Wait(held(window(0, 100)))
    for end, says in joins:
        wait.fire(held(window(0, end)), says)
    assert wait.incident.pending_until == minutes(min([100, *(end for end, _ in joins)]))
    assert not any(entry.entry is Entry.OPENED for entry in wait.decision.timeline)
