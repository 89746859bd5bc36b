"""Folding, through the whole daemon in virtual time: storms, dependencies, merges, and what goes its own way."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from fakes.github import FakeGitHub
from fakes.github.state import Issue
from severities import severities
from triaged.clock import FakeClock
from triaged.core.events import (
    Acknowledged,
    Act,
    CloseAsked,
    MergeAsked,
    Record,
    ReopenAsked,
    ResolveAsked,
    SeverityChosen,
    SplitAsked,
)
from triaged.core.model import CloseReason, DeadlineKind, Fold, Incident, Outcome, Severity, State
from world import ANN, START, World, alert, settings_for, world

MINUTE = timedelta(minutes=1)

TRIAGE = """
matrix:
  extensive:   [sev1, sev1, sev2, sev3]
  significant: [sev1, sev2, sev3, sev3]
  moderate:    [sev2, sev3, sev3, sev4]
  minor:       [sev3, sev3, sev4, sev4]
default: {impact: minor, urgency: high, category: error, team: platform}
key: [alertname, pod]
storm: {opened: 5, within: 5m, severity: sev2}
rules:
- {name: page, match: ['level="1"'], impact: extensive, urgency: critical}
- {name: high, match: ['level="2"'], impact: significant, urgency: high}
- {name: low, match: ['level="4"'], impact: minor, urgency: low}
- {name: secret, match: ['level="secret"'], restricted: true}
- name: many
  match: ['alertname="Many"']
  key: [alertname]
  grows:
  - {when: {alerts: 3}, impact: extensive, because: Many of them.}
- {name: held, match: ['alertname="Held"'], delay: 10m}
"""
SERVICES = """
services:
  database: {match: ['app="database"']}
  pool: {match: ['app="pool"'], depends_on: [database]}
  shop: {match: ['app="shop"'], depends_on: [pool]}
"""


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START)


@pytest.fixture
def github(clock: FakeClock) -> Iterator[FakeGitHub]:
    with FakeGitHub(now=clock.now) as fake:
        yield fake


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "triage.yaml").write_text(TRIAGE)
    (folder / "services.yaml").write_text(SERVICES)
    (folder / "severities.yaml").write_text(severities())
    return folder


class Shop(World):
    """The daemon with short words for what the tests do."""

    def fire(self, name: str, level: str = "3", **labels: str) -> Incident:
        """An alert of that level fires; the incident that holds it."""
        before = {incident.id: incident for incident in self.incidents()}
        assert self.deliver(self._alert(name, level, labels)).status == 200
        self.settle()
        changed = [one for one in self.incidents() if before.get(one.id) != one and one.title.startswith(name)]
        return changed[-1]

    def resolve(self, name: str, level: str = "3", **labels: str) -> None:
        ended = self._alert(name, level, labels, status="resolved", ends=self.clock.now())
        assert self.deliver(ended).status == 200
        self.settle()

    def get(self, incident: Incident) -> Incident:
        (found,) = [one for one in self.incidents() if one.id == incident.id]
        return found

    def issue(self, github: FakeGitHub, incident: Incident) -> Issue:
        (found,) = [one for one in github.issues if (one.title or "").startswith(f"{incident.name} ")]
        return found

    def storm(self) -> Incident:
        """Five incidents open within a minute: the fifth is part of the storm that it began."""
        for number in range(5):
            self.fire(f"Noise{number}")
        (found,) = [one for one in self.incidents() if one.title == "IncidentStorm · triaged"]
        return found

    @staticmethod
    def _alert(name: str, level: str, labels: dict[str, str], **more: Any) -> dict[str, Any]:
        return alert(name, labels={"severity": "none", "level": level, **labels}, starts=START, **more)


@pytest.fixture
def daemon(tmp_path: Path, rules: Path, clock: FakeClock, github: FakeGitHub) -> Iterator[Shop]:
    settings = settings_for(tmp_path, github).model_copy(update={"rules": rules})
    with world(settings, clock) as one:
        yield Shop(one.app, clock)


def titles(github: FakeGitHub) -> list[str]:
    return sorted((issue.title or "").partition(" ")[2].partition(" ·")[0] for issue in github.issues)


# ---- storms


def test_a_storm_is_an_incident_and_takes_in_what_opens_in_it(daemon: Shop, github: FakeGitHub) -> None:
    storm = daemon.storm()
    last = daemon.fire("Noise9")
    assert (storm.severity, storm.state, storm.source) == (Severity.SEV2, State.OPEN, "triaged")
    assert (last.parent, last.fold, last.state, last.round) == (storm.id, Fold.STORM, State.OPEN, 0)
    assert (last.response_due_at, last.resolution_due_at) == (None, None)
    daemon.advance(MINUTE)
    assert titles(github) == ["IncidentStorm", "Noise0", "Noise1", "Noise2", "Noise3"]
    body = daemon.issue(github, storm).body or ""
    assert "At least 5 incidents opened within 5 min." in body
    assert "Folded in: 2 incidents" in body
    assert "Noise9" in body


def test_what_is_folded_has_no_clock_and_breaches_nothing(daemon: Shop) -> None:
    daemon.storm()
    folded = daemon.fire("Noise9")
    with daemon.app.store.read() as reader:
        assert reader.deadlines(folded.id) == []
    assert not any("INC-6" in line for line in daemon.timeline(folded.id) if "breached" in line)


def test_a_sev1_inside_a_storm_goes_its_own_way_at_once(daemon: Shop, github: FakeGitHub) -> None:
    daemon.storm()
    page = daemon.fire("Outage", "1")
    high = daemon.fire("Slow", "2")
    assert (page.parent, high.parent) == (None, None)
    daemon.advance(MINUTE)
    assert {"Outage", "Slow"} <= set(titles(github))


def test_what_not_everybody_may_see_is_never_folded(daemon: Shop) -> None:
    daemon.storm()
    assert daemon.fire("Leak", "secret").parent is None


@pytest.mark.parametrize("state", ["open", "closed"])
def test_what_is_folded_and_becomes_restricted_is_not_named_by_its_parent(
    daemon: Shop, github: FakeGitHub, state: str
) -> None:
    one, other = daemon.fire("One", "2"), daemon.fire("Leak")
    daemon.advance(MINUTE)
    assert daemon.act(other.id, MergeAsked(actor=ANN, into=one.id)).status == 200
    if state == "closed":
        close = CloseAsked(actor=ANN, reason=CloseReason.FALSE_ALARM, record=Record())
        assert daemon.act(one.id, close).status == 200
    daemon.advance(MINUTE)
    assert "Leak" in (daemon.issue(github, one).body or "")
    daemon.fire("Leak", "secret")
    daemon.advance(MINUTE)
    assert daemon.get(other).restricted
    table = (daemon.issue(github, one).body or "").split("#### Folded in")[1].split("####")[0]
    assert "Leak" not in table.split("\n\n")[1]
    assert "### Restricted" in (daemon.issue(github, other).body or "")


def test_a_folded_incident_that_grows_goes_its_own_way(daemon: Shop, github: FakeGitHub) -> None:
    storm = daemon.storm()
    many = daemon.fire("Many", pod="a")
    assert many.parent == storm.id
    daemon.advance(2 * MINUTE)
    daemon.fire("Many", pod="b")
    grown = daemon.fire("Many", pod="c")
    assert (grown.parent, grown.severity, grown.round) == (None, Severity.SEV1, 1)
    assert grown.response_due_at == daemon.clock.now() + timedelta(hours=1)
    assert f"unfolded from {storm.name} as sev1: judged sev1" in daemon.timeline(many.id)
    assert f"{many.name} goes its own way: judged sev1" in daemon.timeline(storm.id)
    assert "Many" in titles(github)


def test_a_storm_goes_on_while_incidents_open_as_fast_and_then_ends(daemon: Shop, github: FakeGitHub) -> None:
    storm = daemon.storm()
    for number in range(10):
        daemon.advance(MINUTE)
        daemon.fire(f"More{number}")
    assert daemon.get(storm).state is State.OPEN
    daemon.advance(10 * MINUTE)
    assert daemon.get(storm).state is State.VERIFYING
    assert daemon.fire("Late").parent is None
    more = [one for one in daemon.incidents() if one.title.startswith("More")]
    assert {one.parent for one in more} == {storm.id}
    daemon.advance(20 * MINUTE)
    assert daemon.get(storm).state is State.RESOLVED
    unfolded = [one for one in daemon.incidents() if one.title.startswith("More")]
    assert {(one.parent, one.round, one.state) for one in unfolded} == {(None, 1, State.OPEN)}
    daemon.advance(10 * MINUTE)
    assert "More9" in titles(github)


def test_what_fell_silent_in_a_storm_ends_without_an_issue(daemon: Shop, github: FakeGitHub) -> None:
    storm = daemon.storm()
    gone = daemon.fire("Gone")
    daemon.resolve("Gone")
    daemon.advance(60 * MINUTE)
    ended = daemon.get(gone)
    assert (ended.state, ended.parent, ended.close_reason) == (State.CLOSED, storm.id, CloseReason.COMPLETED)
    assert "Gone" not in titles(github)


def test_a_person_s_close_of_a_storm_holds_for_what_is_folded_into_it(daemon: Shop, github: FakeGitHub) -> None:
    storm = daemon.storm()
    folded = daemon.fire("Noise9")
    daemon.act(storm.id, CloseAsked(actor=ANN, reason=CloseReason.NOT_PLANNED, record=Record()))
    closed = daemon.get(folded)
    assert (closed.state, closed.closed_by, closed.close_reason) == (State.CLOSED, "ann", CloseReason.NOT_PLANNED)
    daemon.fire("Other")
    assert daemon.get(storm).state is State.CLOSED
    daemon.advance(30 * MINUTE)
    assert daemon.get(folded).state is State.CLOSED
    assert "Noise9" not in titles(github)


def test_after_a_person_closed_a_storm_the_next_one_may_come_in_one_notification(daemon: Shop) -> None:
    storm = daemon.storm()
    daemon.act(storm.id, CloseAsked(actor=ANN, reason=CloseReason.COMPLETED, record=Record()))
    daemon.advance(30 * MINUTE)
    labels = {"severity": "none", "level": "3"}
    answer = daemon.deliver(*(alert(f"Again{number}", labels=labels) for number in range(9)))
    assert (answer.status, dict(answer.counts)) == (200, {"began": 9})
    assert daemon.get(storm).state is State.OPEN
    assert {one.parent for one in daemon.incidents() if one.title in ("Again5", "Again8")} == {storm.id}


def test_after_a_person_closed_a_storm_the_next_one_is_told(daemon: Shop) -> None:
    storm = daemon.storm()
    daemon.act(storm.id, CloseAsked(actor=ANN, reason=CloseReason.COMPLETED, record=Record()))
    daemon.advance(30 * MINUTE)
    daemon.fire("Alone")
    for number in range(4):
        daemon.fire(f"Again{number}")
    reopened = daemon.get(storm)
    assert (reopened.state, reopened.round) == (State.OPEN, 2)


def test_a_storm_that_a_person_closed_ends_by_itself(daemon: Shop) -> None:
    storm = daemon.storm()
    daemon.act(storm.id, CloseAsked(actor=ANN, reason=CloseReason.COMPLETED, record=Record()))
    for number in range(8):
        daemon.advance(MINUTE)
        daemon.fire(f"More{number}")
    assert (daemon.get(storm).state, daemon.get(storm).firing) == (State.CLOSED, 1)
    daemon.advance(10 * MINUTE)
    assert (daemon.get(storm).state, daemon.get(storm).firing) == (State.CLOSED, 0)
    with daemon.app.store.read() as reader:
        assert reader.deadlines(storm.id) == []


def test_a_storm_that_a_person_reopens_after_it_is_over_waits_for_them(daemon: Shop) -> None:
    storm = daemon.storm()
    daemon.advance(40 * MINUTE)
    assert daemon.get(storm).state is State.RESOLVED
    daemon.act(storm.id, ReopenAsked(actor=ANN))
    daemon.advance(10 * MINUTE)
    assert (daemon.get(storm).state, daemon.get(storm).firing) == (State.OPEN, 0)
    with daemon.app.store.read() as reader:
        assert DeadlineKind.STORM not in [deadline.kind for deadline in reader.deadlines(storm.id)]


def test_what_fires_again_while_the_storm_goes_on_is_folded_again(daemon: Shop, github: FakeGitHub) -> None:
    storm = daemon.storm()
    flaps = daemon.fire("Flaps")
    daemon.resolve("Flaps")
    for number in range(20):
        daemon.advance(MINUTE)
        daemon.fire(f"More{number}")
    assert daemon.get(flaps).state is State.CLOSED
    labels = {"severity": "none", "level": "3"}
    daemon.deliver(alert("Flaps", labels=labels, starts=daemon.clock.now()))
    again = daemon.get(flaps)
    assert (again.state, again.parent, again.round) == (State.OPEN, storm.id, 0)
    daemon.advance(MINUTE)
    assert "Flaps" not in titles(github)


def test_a_storm_that_was_merged_goes_on_catching_for_what_it_was_merged_into(daemon: Shop) -> None:
    one = daemon.fire("One", "2")
    storm = daemon.storm()
    assert daemon.act(storm.id, MergeAsked(actor=ANN, into=one.id)).status == 200
    assert daemon.fire("Noise9").parent == one.id


def test_what_is_held_back_begins_no_storm_before_it_opens(daemon: Shop) -> None:
    held = alert("Held", labels={"severity": "none", "level": "3"})
    for number in range(3):
        daemon.fire(f"Noise{number}")
    for _ in range(3):
        daemon.deliver(held, held, alert("Held", labels={"severity": "none", "level": "3", "pod": "x"}))
    daemon.fire("Noise4")
    assert [one.title for one in daemon.incidents()] == ["Noise0", "Noise1", "Noise2", "Noise4"]


def test_a_storm_is_the_same_after_a_restart(tmp_path: Path, rules: Path, clock: FakeClock, github: FakeGitHub) -> None:
    settings = settings_for(tmp_path, github).model_copy(update={"rules": rules})
    with world(settings, clock) as one:
        storm = Shop(one.app, clock).storm()
    with world(settings, clock) as one:
        again = Shop(one.app, clock)
        assert again.fire("Noise9").parent == storm.id
        again.advance(10 * MINUTE)
        assert again.get(storm).state is State.VERIFYING


# ---- dependencies


def test_a_symptom_after_its_cause_is_folded_into_it(daemon: Shop, github: FakeGitHub) -> None:
    cause = daemon.fire("Down", "2", app="database")
    symptom = daemon.fire("Errors", app="shop")
    assert (symptom.parent, symptom.fold) == (cause.id, Fold.DEPENDENCY)
    daemon.advance(MINUTE)
    assert titles(github) == ["Down"]
    assert "Errors" in (daemon.issue(github, cause).body or "")


def test_a_symptom_is_never_folded_into_what_is_lighter(daemon: Shop) -> None:
    daemon.fire("Down", "4", app="database")
    assert daemon.fire("Errors", app="shop").parent is None


def test_a_symptom_that_is_judged_above_its_cause_goes_its_own_way(daemon: Shop) -> None:
    cause = daemon.fire("Down", "4", app="database")
    symptom = daemon.fire("Errors", "4", app="shop")
    assert symptom.parent == cause.id
    alone = daemon.fire("Errors", "3", app="shop")
    assert (alone.id, alone.parent, alone.severity) == (symptom.id, None, Severity.SEV3)
    assert f"unfolded from {cause.name} as sev3: judged sev3, above {cause.name}" in daemon.timeline(symptom.id)


def test_a_symptom_before_its_cause_is_folded_when_the_cause_opens(daemon: Shop, github: FakeGitHub) -> None:
    symptom = daemon.fire("Errors", app="shop")
    daemon.advance(3 * MINUTE)
    assert daemon.issue(github, symptom).state == "open"
    cause = daemon.fire("Down", "2", app="database")
    folded = daemon.get(symptom)
    assert (folded.parent, folded.fold, folded.state) == (cause.id, Fold.DEPENDENCY, State.OPEN)
    assert (folded.response_outcome, folded.resolution_outcome) == (Outcome.NOT_REQUIRED, Outcome.NOT_REQUIRED)
    daemon.advance(MINUTE)
    issue = daemon.issue(github, symptom)
    assert (issue.state, issue.state_reason) == ("closed", "duplicate")
    assert f"Folded into [{cause.name}]" in (issue.body or "")
    assert "If this is a problem of its own: comment `/split`" in (issue.body or "")
    assert "`/ack`" not in (issue.body or "")


@pytest.mark.parametrize(
    "acts",
    [
        (Acknowledged(actor=ANN),),
        (SeverityChosen(actor=ANN, severity=Severity.SEV3),),
        (ResolveAsked(actor=ANN, record=Record()),),
        (CloseAsked(actor=ANN, reason=CloseReason.COMPLETED, record=Record()), ReopenAsked(actor=ANN)),
    ],
    ids=["acknowledged", "given a severity", "said to be fixed", "reopened"],
)
def test_a_symptom_that_a_person_has_worked_on_stays_with_them(daemon: Shop, acts: tuple[Act, ...]) -> None:
    taken = daemon.fire("Errors", app="shop")
    for act in acts:
        assert daemon.act(taken.id, act).status == 200
    daemon.advance(MINUTE)
    daemon.fire("Down", "2", app="database")
    assert daemon.get(taken).parent is None


def test_an_act_that_is_overtaken_by_a_graver_judgement_keeps_no_symptom(daemon: Shop) -> None:
    symptom = daemon.fire("Errors", "4", app="shop")
    daemon.act(symptom.id, Acknowledged(actor=ANN))
    graver = daemon.fire("Errors", "3", app="shop", pod="")
    assert (graver.id, graver.state) == (symptom.id, State.OPEN)
    cause = daemon.fire("Down", "2", app="database")
    assert daemon.get(symptom).parent == cause.id


def test_what_opened_long_before_is_no_symptom(daemon: Shop) -> None:
    old = daemon.fire("Errors", app="shop")
    daemon.advance(16 * MINUTE)
    daemon.fire("Down", "2", app="database")
    assert daemon.get(old).parent is None


def test_when_the_cause_is_resolved_a_symptom_that_still_fires_goes_its_own_way(
    daemon: Shop, github: FakeGitHub
) -> None:
    cause = daemon.fire("Down", "2", app="database")
    symptom = daemon.fire("Errors", app="shop")
    daemon.advance(10 * MINUTE)
    daemon.resolve("Down", "2", app="database")
    assert daemon.get(symptom).parent == cause.id
    daemon.advance(20 * MINUTE)
    alone = daemon.get(symptom)
    assert (alone.parent, alone.state, alone.round) == (None, State.OPEN, 1)
    assert alone.round_at == daemon.clock.now()
    daemon.advance(MINUTE)
    assert titles(github) == ["Down", "Errors"]


def test_a_symptom_that_fell_silent_with_its_cause_needs_no_person(daemon: Shop, github: FakeGitHub) -> None:
    daemon.fire("Down", "2", app="database")
    symptom = daemon.fire("Errors", app="shop")
    daemon.resolve("Down", "2", app="database")
    daemon.resolve("Errors", app="shop")
    daemon.advance(60 * MINUTE)
    assert daemon.get(symptom).state is State.CLOSED
    assert titles(github) == ["Down"]


def test_a_symptom_that_fires_again_after_its_cause_is_over_goes_its_own_way(daemon: Shop) -> None:
    daemon.fire("Down", "2", app="database")
    daemon.advance(MINUTE)
    symptom = daemon.fire("Errors", app="shop")
    daemon.resolve("Down", "2", app="database")
    daemon.advance(15 * MINUTE)
    daemon.resolve("Errors", app="shop")
    daemon.advance(6 * MINUTE)
    verifying = daemon.get(symptom)
    assert (verifying.state, verifying.parent is None) == (State.VERIFYING, False)
    back = daemon.fire("Errors", app="shop")
    assert (back.id, back.parent, back.state, back.round) == (symptom.id, None, State.OPEN, 1)


def test_a_symptom_is_folded_into_the_root_of_a_chain(daemon: Shop) -> None:
    root = daemon.fire("Down", "2", app="database")
    between = daemon.fire("Full", app="pool")
    assert (between.parent, daemon.fire("Errors", app="shop").parent) == (root.id, root.id)


def test_a_cause_that_is_verified_takes_in_none_but_is_back_as_if_it_had_never_left(daemon: Shop) -> None:
    root = daemon.fire("Down", "2", app="database")
    daemon.resolve("Down", "2", app="database")
    symptom = daemon.fire("Errors", app="shop")
    assert symptom.parent is None
    daemon.fire("Down", "2", app="database")
    assert (daemon.get(symptom).parent, daemon.get(symptom).fold) == (root.id, Fold.DEPENDENCY)


@pytest.mark.parametrize("first", ["Full", "Errors"])
def test_when_a_cause_ends_the_symptoms_of_a_symptom_stay_in_one_issue(
    daemon: Shop, github: FakeGitHub, first: str
) -> None:
    cause = daemon.fire("Down", "2", app="database")
    apps = {"Full": "pool", "Errors": "shop"}
    chain = {name: daemon.fire(name, app=apps[name]) for name in sorted(apps, reverse=first == "Full")}
    assert {one.parent for one in chain.values()} == {cause.id}
    daemon.resolve("Down", "2", app="database")
    daemon.advance(30 * MINUTE)
    middle, leaf = daemon.get(chain["Full"]), daemon.get(chain["Errors"])
    assert (middle.parent, middle.round) == (None, 1)
    assert (leaf.parent, leaf.fold, leaf.round) == (middle.id, Fold.DEPENDENCY, 0)
    assert titles(github) == ["Down", "Full"]
    over = f"it still fires, and {cause.name} is over"
    assert f"folded into {middle.name} (dependency): {over}" in daemon.timeline(leaf.id)
    assert f"{leaf.name} goes on in {middle.name}: {over}" in daemon.timeline(cause.id)


def test_when_a_cause_ends_its_symptoms_stay_in_no_issue_of_what_is_lighter_or_silent(daemon: Shop) -> None:
    daemon.fire("Down", "2", app="database")
    light, silent = daemon.fire("Full", "4", app="pool"), daemon.fire("Slow", app="pool")
    leaf = daemon.fire("Errors", app="shop")
    daemon.resolve("Down", "2", app="database")
    daemon.advance(19 * MINUTE)
    daemon.resolve("Slow", app="pool")
    daemon.advance(2 * MINUTE)
    assert (daemon.get(light).parent, daemon.get(leaf).parent) == (None, None)
    assert daemon.get(silent).parent is not None


def test_when_a_storm_ends_what_still_fires_is_part_of_its_cause(daemon: Shop, github: FakeGitHub) -> None:
    daemon.storm()
    leaf, cause = daemon.fire("Errors", app="shop"), daemon.fire("Down", app="database")
    assert leaf.parent == cause.parent is not None
    daemon.advance(40 * MINUTE)
    assert (daemon.get(cause).parent, daemon.get(leaf).parent) == (None, cause.id)
    assert "Errors" not in titles(github)


def test_when_a_cause_ends_in_a_storm_what_still_fires_is_part_of_the_storm(daemon: Shop, github: FakeGitHub) -> None:
    cause = daemon.fire("Down", "2", app="database")
    symptom = daemon.fire("Errors", app="shop")
    daemon.resolve("Down", "2", app="database")
    for number in range(30):
        daemon.advance(MINUTE)
        daemon.fire(f"More{number}")
    assert daemon.get(cause).state is State.RESOLVED
    assert daemon.get(symptom).fold is Fold.STORM
    assert "Errors" not in titles(github)


def test_when_what_a_storm_was_merged_into_ends_the_storm_takes_its_own_along(daemon: Shop) -> None:
    one = daemon.fire("One", "2")
    storm = daemon.storm()
    daemon.act(storm.id, MergeAsked(actor=ANN, into=one.id))
    noise = [found for found in daemon.incidents() if found.fold is Fold.STORM]
    assert {found.parent for found in noise} == {one.id}
    daemon.resolve("One", "2")
    for number in range(25):
        daemon.advance(MINUTE)
        daemon.fire(f"More{number}")
    assert daemon.get(one).state is State.RESOLVED
    assert daemon.get(storm).parent is None
    assert {daemon.get(found).parent for found in noise} == {storm.id}


@pytest.mark.parametrize("by", ["its alert", "a person"])
def test_a_cause_that_reopens_folds_the_symptoms_that_opened_shortly_before(
    daemon: Shop, github: FakeGitHub, by: str
) -> None:
    cause = daemon.fire("Down", "2", app="database")
    if by == "its alert":
        daemon.resolve("Down", "2", app="database")
    else:
        daemon.act(cause.id, CloseAsked(actor=ANN, reason=CloseReason.NOT_PLANNED, record=Record()))
    daemon.advance(30 * MINUTE)
    old = daemon.fire("Old", app="shop")
    daemon.advance(14 * MINUTE)
    high = daemon.fire("High", "2", app="shop")
    symptom = daemon.fire("Errors", app="shop")
    daemon.advance(2 * MINUTE)
    assert daemon.issue(github, symptom).state == "open"
    if by == "its alert":
        daemon.fire("Down", "2", app="database")
    else:
        assert daemon.act(cause.id, ReopenAsked(actor=ANN)).status == 200
    folded = daemon.get(symptom)
    assert (folded.parent, folded.fold, folded.response_outcome) == (cause.id, Fold.DEPENDENCY, Outcome.NOT_REQUIRED)
    assert (daemon.get(old).parent, daemon.get(high).parent) == (None, None)
    daemon.advance(MINUTE)
    assert daemon.issue(github, symptom).state_reason == "duplicate"


def test_what_a_person_reopened_is_no_cause_before_it_fires(daemon: Shop) -> None:
    cause = daemon.fire("Down", "2", app="database")
    daemon.resolve("Down", "2", app="database")
    daemon.advance(30 * MINUTE)
    symptom = daemon.fire("Errors", app="shop")
    daemon.act(cause.id, ReopenAsked(actor=ANN))
    assert daemon.get(symptom).parent is None
    daemon.fire("Down", "2", app="database")
    assert daemon.get(symptom).parent == cause.id


def test_a_symptom_that_reopens_before_its_cause_opens_is_folded(daemon: Shop) -> None:
    symptom = daemon.fire("Errors", app="shop")
    daemon.resolve("Errors", app="shop")
    daemon.advance(60 * MINUTE)
    again = daemon.fire("Errors", app="shop")
    assert (again.id, again.round) == (symptom.id, 2)
    cause = daemon.fire("Down", "2", app="database")
    assert daemon.get(symptom).parent == cause.id


def test_symptoms_of_symptoms_follow_to_the_cause_that_opens_last(daemon: Shop) -> None:
    middle = daemon.fire("Full", app="pool")
    leaf = daemon.fire("Errors", app="shop")
    assert leaf.parent == middle.id
    cause = daemon.fire("Down", "2", app="database")
    assert (daemon.get(middle).parent, daemon.get(leaf).parent) == (cause.id, cause.id)


def test_an_incident_that_was_held_back_is_folded_when_it_opens(daemon: Shop, github: FakeGitHub) -> None:
    daemon.deliver(alert("Held", labels={"severity": "none", "level": "3", "app": "shop"}))
    daemon.advance(5 * MINUTE)
    cause = daemon.fire("Down", "2", app="database")
    daemon.advance(6 * MINUTE)
    (held,) = [one for one in daemon.incidents() if one.title.startswith("Held")]
    assert (held.state, held.parent) == (State.OPEN, cause.id)
    assert titles(github) == ["Down"]


# ---- people


def test_acts_on_what_is_folded_are_refused_and_say_where_to_act(daemon: Shop) -> None:
    cause = daemon.fire("Down", "2", app="database")
    symptom = daemon.fire("Errors", app="shop")
    expected = f"{symptom.name} is folded into {cause.name}: act on that, or split it off first"
    for act in (
        Acknowledged(actor=ANN),
        SeverityChosen(actor=ANN, severity=Severity.SEV1),
        ResolveAsked(actor=ANN, record=Record()),
        CloseAsked(actor=ANN, reason=CloseReason.COMPLETED, record=Record()),
        MergeAsked(actor=ANN, into=cause.id),
    ):
        answer = daemon.act(symptom.id, act)
        assert (answer.status, answer.error) == (409, expected)


def test_a_person_can_split_what_is_folded(daemon: Shop, github: FakeGitHub) -> None:
    daemon.fire("Down", "2", app="database")
    symptom = daemon.fire("Errors", app="shop")
    assert daemon.act(symptom.id, SplitAsked(actor=ANN, reason="it is the new release")).status == 200
    daemon.advance(MINUTE)
    assert (daemon.get(symptom).parent, daemon.get(symptom).round) == (None, 1)
    assert "Errors" in titles(github)
    assert any("ann says so, it is the new release" in line for line in daemon.timeline(symptom.id))
    assert daemon.act(symptom.id, SplitAsked(actor=ANN)).status == 409


def test_what_a_person_split_off_is_folded_no_more_unless_a_person_merges_it(daemon: Shop) -> None:
    cause = daemon.fire("Down", "2", app="database")
    symptom = daemon.fire("Errors", app="shop")
    daemon.act(symptom.id, SplitAsked(actor=ANN))
    full = daemon.fire("Full", "2", app="pool")
    assert daemon.get(symptom).parent is None
    daemon.resolve("Errors", app="shop")
    daemon.advance(30 * MINUTE)
    again = daemon.fire("Errors", app="shop")
    assert (again.id, again.round, again.parent) == (symptom.id, 2, None)
    assert daemon.act(symptom.id, MergeAsked(actor=ANN, into=full.id)).status == 200
    daemon.resolve("Full", "2", app="pool")
    daemon.advance(21 * MINUTE)
    assert (daemon.get(symptom).parent, daemon.get(symptom).fold) == (cause.id, Fold.DEPENDENCY)


def test_what_began_after_a_late_told_close_of_its_cause_goes_its_own_way(daemon: Shop, github: FakeGitHub) -> None:
    cause = daemon.fire("Down", "2", app="database")
    early = daemon.fire("Errors", app="shop")
    daemon.advance(5 * MINUTE)
    closed_at = daemon.clock.now()
    daemon.advance(MINUTE)
    late, quiet = daemon.fire("Slow", app="shop"), daemon.fire("Brief", app="shop")
    daemon.resolve("Brief", app="shop")
    close = CloseAsked(actor=ANN, reason=CloseReason.COMPLETED, record=Record(), at=closed_at)
    assert daemon.act(cause.id, close).status == 200
    assert [daemon.get(one).state for one in (cause, early, late)] == [State.CLOSED, State.CLOSED, State.OPEN]
    assert (daemon.get(late).parent, daemon.get(late).round) == (None, 1)
    assert daemon.get(quiet).state is State.VERIFYING
    daemon.advance(20 * MINUTE)
    assert daemon.get(quiet).state is State.CLOSED
    assert titles(github) == ["Down", "Slow"]


def test_what_is_quiet_is_neither_merged_nor_split(daemon: Shop) -> None:
    cause = daemon.fire("Down", "2", app="database")
    symptom, other = daemon.fire("Errors", app="shop"), daemon.fire("Other")
    daemon.resolve("Errors", app="shop")
    daemon.resolve("Other")
    split = daemon.act(symptom.id, SplitAsked(actor=ANN))
    assert (split.status, split.error) == (409, f"{symptom.name} is verifying: there is nothing left to split")
    merged = daemon.act(other.id, MergeAsked(actor=ANN, into=cause.id))
    expected = f"{other.name} is verifying and cannot be merged: expected one that is open"
    assert (merged.status, merged.error) == (409, expected)


def test_who_reopens_a_folded_issue_splits_it_off(daemon: Shop, github: FakeGitHub) -> None:
    symptom = daemon.fire("Errors", app="shop")
    daemon.fire("Down", "2", app="database")
    daemon.advance(MINUTE)
    daemon.act(symptom.id, ReopenAsked(actor=ANN))
    daemon.advance(MINUTE)
    assert daemon.get(symptom).parent is None
    assert daemon.issue(github, symptom).state == "open"


def test_a_person_can_merge_two_incidents(daemon: Shop, github: FakeGitHub) -> None:
    one, other = daemon.fire("One", "2"), daemon.fire("Other", "1")
    daemon.advance(MINUTE)
    assert daemon.act(other.id, MergeAsked(actor=ANN, into=one.id, reason="same rack")).status == 200
    merged = daemon.get(other)
    assert (merged.parent, merged.fold, merged.severity) == (one.id, Fold.MERGE, Severity.SEV1)
    daemon.advance(MINUTE)
    assert daemon.issue(github, other).state == "closed"
    assert "Other" in (daemon.issue(github, one).body or "")


def test_what_is_graver_does_not_follow_its_parent_into_what_is_lighter(daemon: Shop) -> None:
    light = daemon.fire("Light", "4")
    cause = daemon.fire("Full", app="pool")
    symptom = daemon.fire("Errors", app="shop")
    assert symptom.parent == cause.id
    daemon.act(cause.id, MergeAsked(actor=ANN, into=light.id))
    assert (daemon.get(cause).parent, daemon.get(symptom).parent) == (light.id, None)


def test_what_a_person_reopened_and_merged_ends_with_its_parent_though_nothing_of_it_fires(
    daemon: Shop, github: FakeGitHub
) -> None:
    one, other = daemon.fire("One", "2"), daemon.fire("Other")
    daemon.resolve("Other")
    daemon.advance(20 * MINUTE)
    daemon.act(other.id, ReopenAsked(actor=ANN))
    assert daemon.act(other.id, MergeAsked(actor=ANN, into=one.id)).status == 200
    assert (daemon.get(other).state, daemon.get(other).firing) == (State.OPEN, 0)
    daemon.resolve("One", "2")
    daemon.advance(60 * MINUTE)
    assert (daemon.get(one).state, daemon.get(other).state) == (State.RESOLVED, State.CLOSED)
    assert daemon.issue(github, other).state == "closed"


def test_what_was_merged_stays_merged_when_the_rules_judge_it_as_before(daemon: Shop) -> None:
    one, other = daemon.fire("One", "2"), daemon.fire("Many", "1", pod="a")
    daemon.act(other.id, MergeAsked(actor=ANN, into=one.id))
    daemon.fire("Many", "1", pod="b")
    assert daemon.get(other).parent == one.id
    for pod in "ab":
        daemon.resolve("Many", "1", pod=pod)
    assert daemon.get(other).state is State.VERIFYING
    daemon.advance(MINUTE)
    daemon.deliver(alert("Many", labels={"severity": "none", "level": "1", "pod": "a"}, starts=daemon.clock.now()))
    assert (daemon.get(other).state, daemon.get(other).parent) == (State.OPEN, one.id)


def test_what_was_merged_goes_its_own_way_when_it_is_judged_graver_than_the_person_saw(daemon: Shop) -> None:
    one, other = daemon.fire("One", "2"), daemon.fire("Many", pod="a")
    daemon.act(other.id, MergeAsked(actor=ANN, into=one.id))
    for pod in "bc":
        daemon.fire("Many", pod=pod)
    assert daemon.get(other).parent is None


@pytest.mark.parametrize(
    ("into", "error"),
    [
        (1, "INC-1 cannot be merged into itself"),
        (77, "INC-77 does not exist"),
        (2, "INC-2 is closed: expected one that is open"),
        (4, "INC-4 is folded into INC-3: merge into that"),
    ],
)
def test_a_merge_that_makes_no_sense_is_refused(daemon: Shop, into: int, error: str) -> None:
    daemon.fire("One")
    closed = daemon.fire("Two")
    daemon.act(closed.id, CloseAsked(actor=ANN, reason=CloseReason.COMPLETED, record=Record()))
    daemon.fire("Down", "2", app="database")
    daemon.fire("Errors", app="shop")
    answer = daemon.act(1, MergeAsked(actor=ANN, into=into))
    assert (answer.status, answer.error) == (409, error)


# ---- figures


def test_what_is_folded_counts_with_its_parent(daemon: Shop) -> None:
    daemon.fire("Down", "2", app="database")
    daemon.fire("Errors", app="shop")
    with daemon.app.store.read() as reader:
        gauges = reader.gauges(daemon.clock.now())
        counted = {(c.metric, c.labels["severity"]): c.value for c in reader.totals() if "severity" in c.labels}
        board = [row.incident.title for row in reader.board(50)]
    assert sum(gauges.open.values()) == 1
    assert counted[("incidents_opened_total", "sev2")] == 1
    assert ("incidents_opened_total", "sev3") not in counted
    assert board == ["Down"]
