"""Folding as laws: they hold whatever happens to a family of incidents."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from severities import severities
from triaged import rulefiles
from triaged.app import rules_of
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
from triaged.core.model import Actor, ActorKind, CloseReason, DeadlineKind, Fold, Incident, Severity, State
from triaged.core.objectives import standing
from triaged.intake.units import Ask, Delivery
from triaged.ports.store import Wanted
from triaged.replay.world import World, empty_store
from triaged.sources import alertmanager
from triaged.store import schema as s
from triaged.store.store import Store

START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
ANN = Actor(name="ann", kind=ActorKind.PERSON)
OWN_CLOCKS = {
    DeadlineKind.RESPONSE,
    DeadlineKind.RESPONSE_AT_RISK,
    DeadlineKind.RESOLUTION,
    DeadlineKind.RESOLUTION_AT_RISK,
    DeadlineKind.ACKNOWLEDGEMENT,
}
RULES = rules_of(
    rulefiles.read(
        {
            "triage.yaml": """
matrix:
  extensive:   [sev1, sev1, sev2, sev3]
  significant: [sev1, sev2, sev3, sev3]
  moderate:    [sev2, sev3, sev3, sev4]
  minor:       [sev3, sev3, sev4, sev4]
default: {impact: minor, urgency: high, category: error, team: platform}
key: [alertname, app]
storm: {opened: 4, within: 5m, severity: sev2}
rules:
- {name: one, match: ['level="1"'], impact: extensive, urgency: critical}
- {name: two, match: ['level="2"'], impact: significant, urgency: high}
- {name: four, match: ['level="4"'], impact: minor, urgency: low}
- {name: held, match: ['alertname="D"'], delay: 3m}
- {name: secret, match: ['alertname="E"'], restricted: true}
""",
            "services.yaml": """
services:
  base: {match: ['app="base"']}
  middle: {match: ['app="middle"'], depends_on: [base]}
  top: {match: ['app="top"'], depends_on: [middle]}
""",
            "severities.yaml": severities(verify_for=(8, 6, 4, 2)),
        }
    )
)

# One alert: whether it fires, its name, its service, its level, and whether it says to have begun at the very start.
ALERTS = st.tuples(
    st.sampled_from(["firing", "firing", "resolved"]),
    st.sampled_from("AAABBCDE"),
    st.sampled_from(["base", "middle", "top", "none"]),
    st.sampled_from("12334"),
    st.booleans(),
)
SENDS = st.tuples(st.just("send"), st.lists(ALERTS, min_size=1, max_size=4))
ENDS = st.tuples(st.just("end"), st.sampled_from(["base", "middle", "top", "none", "some"]))
PASSES = st.tuples(st.just("pass"), st.sampled_from([1, 2, 5, 10, 16]))
NUMBERS = st.integers(1, 8)
ACTS = st.one_of(
    st.just(Acknowledged(actor=ANN)),
    st.builds(SeverityChosen, actor=st.just(ANN), severity=st.sampled_from(Severity)),
    st.just(ResolveAsked(actor=ANN, record=Record())),
    st.builds(
        CloseAsked,
        actor=st.just(ANN),
        reason=st.sampled_from([reason for reason in CloseReason if reason is not CloseReason.UNOPENED]),
        record=st.just(Record()),
        at=st.sampled_from([None, START + timedelta(minutes=3), START + timedelta(minutes=12)]),
    ),
    st.just(ReopenAsked(actor=ANN)),
    st.just(SplitAsked(actor=ANN)),
    st.builds(MergeAsked, actor=st.just(ANN), into=NUMBERS),
)
STEPS = st.lists(
    st.one_of(SENDS, SENDS, SENDS, ENDS, PASSES, PASSES, st.tuples(st.just("act"), st.tuples(NUMBERS, ACTS))),
    max_size=25,
)


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    made = empty_store()
    yield made
    made.close()


@pytest.fixture(scope="module")
def empty() -> Iterator[Store]:
    made = empty_store()
    yield made
    made.close()


class Family(World):
    """The write path with short words for what happens."""

    def take(self, step: tuple[str, Any]) -> None:
        verb, what = step
        if verb == "pass":
            self.advance(self.clock.now() + timedelta(minutes=what))
        elif verb == "act":
            self.act(*what)
        elif verb == "end":
            self.end(what)
        else:
            self._send([self._alert(*one) for one in what])

    def end(self, app: str = "") -> None:
        """All alerts of a service resolve (without a name: all there are), or `some`: every second one."""
        with self.store.read() as reader:
            c = s.episodes.c
            found = reader.connection.execute(select(c.labels).where(c.ended_at.is_(None)).order_by(c.id))
            labels = [json.loads(text) for (text,) in found]
        sent = [one for one in labels if "app" in one]
        chosen = sent[::2] if app == "some" else [one for one in sent if app in ("", one["app"])]
        if chosen:
            self._send([{"status": "resolved", "labels": one, "endsAt": self._now()} for one in chosen])

    def incidents(self) -> dict[int, Incident]:
        with self.store.read() as reader:
            return {row.incident.id: row.incident for row in reader.incidents(Wanted(limit=500))}

    def wanted(self) -> set[int]:
        """The incidents whose issue was ever asked for."""
        with self.store.read() as reader:
            return {row[0] for row in reader.connection.execute(s.publications.select())}

    def firing(self, incident: Incident) -> int:
        with self.store.read() as reader:
            return len(reader.episodes(incident.id, firing=True, limit=1_000))

    def told_at(self, incident: Incident) -> set[int]:
        """The incidents that its page lists as folded in."""
        with self.store.read() as reader:
            return {row.incident.id for row in reader.folded(incident.id, 1_000)[0]}

    def act(self, number: int, act: Act) -> int:
        (answer,) = self.ask(Ask(incident_id=number, act=act))
        assert answer.status in (200, 404, 409), answer.error
        return answer.status

    def _now(self) -> str:
        return self.clock.now().isoformat()

    def _alert(self, status: str, name: str, app: str, level: str, early: bool) -> dict[str, Any]:
        labels = {"alertname": name, "app": app, "level": level}
        return {"status": status, "labels": labels, "startsAt": START.isoformat() if early else self._now()}

    def _send(self, alerts: list[dict[str, Any]]) -> None:
        body = json.dumps({"alerts": alerts}).encode()
        (answer,) = self.ask(Delivery(id="d", source="alertmanager", body=body))
        assert answer.status == 200, answer.error
        assert "failed" not in answer.counts


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(steps=STEPS)
def test_a_family_keeps_its_laws(store: Store, empty: Store, steps: list[tuple[str, Any]]) -> None:
    store.become(empty)
    with Family(RULES, START, readers={"alertmanager": alertmanager.read}, store=store) as family:
        for step in steps:
            family.take(step)
            known = family.incidents()
            for incident in known.values():
                _keeps_the_laws(incident, known, family)
        _ends(family)


def _keeps_the_laws(incident: Incident, known: Mapping[int, Incident], family: Family) -> None:
    assert family.firing(incident) == incident.firing
    if incident.parent is None:
        assert incident.fold is None
        assert incident.round > 0, "what is not folded has had clocks of its own"
        assert incident.id in family.wanted(), "what is not folded has an issue"
        return
    parent = known[incident.parent]
    assert not OWN_CLOCKS & {deadline.kind for deadline in standing(incident, RULES.policy)}
    assert incident.round > 0 or incident.id not in family.wanted(), "nobody asked for an issue of its own"
    assert incident.id in family.told_at(parent), "its alerts are found from the parent's page"
    assert incident.id not in _line(parent, known), "nothing is its own parent, over however many others"
    if not incident.state.working:
        return
    assert parent.parent is None, "nothing is folded by way of two parents"
    if incident.fold is not Fold.MERGE:
        assert not incident.judged.pages
        assert not incident.severity.pages
        assert incident.chosen is not None or parent.chosen or not incident.judged.graver_than(parent.judged)
        assert incident.split_at is None
    assert parent.state.unfinished, "what is open is told of by something that is not over"


def _line(incident: Incident, known: Mapping[int, Incident]) -> set[int]:
    """The incident, its parent, that one's parent, and so on."""
    found: set[int] = set()
    while incident.id not in found:
        found.add(incident.id)
        incident = known[incident.parent or incident.id]
    return found


def _ends(family: Family) -> None:
    """Once nothing fires, all ends: by itself, or by one act of a person on what is theirs to close or to say fixed."""
    family.end()
    family.advance(family.clock.now() + timedelta(hours=1))
    family.end()
    for number, incident in family.incidents().items():
        if incident.parent is None and incident.state.working:
            assert incident.firing == 0
            assert family.act(number, ResolveAsked(actor=ANN, record=Record())) == 200
    family.advance(family.clock.now() + timedelta(hours=1))
    for number, incident in family.incidents().items():
        if incident.state is State.RESOLVED:
            assert incident.parent is None
            assert family.act(number, CloseAsked(actor=ANN, reason=CloseReason.COMPLETED, record=Record())) == 200
    left = family.incidents().values()
    assert {(one.state, one.firing) for one in left} <= {(State.CLOSED, 0)}, left
    with family.store.read() as reader:
        assert reader.next_due() is None
