"""Folding as laws: they hold whatever happens to a family of incidents."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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
PAGES = (Severity.SEV1, Severity.SEV2)
WORKING = (State.OPEN, State.ACKNOWLEDGED)
OWN_CLOCKS = {
    DeadlineKind.RESPONSE,
    DeadlineKind.RESPONSE_AT_RISK,
    DeadlineKind.RESOLUTION,
    DeadlineKind.RESOLUTION_AT_RISK,
    DeadlineKind.ACKNOWLEDGEMENT,
}
SEVERITY = """
{name}:
  targets: {{response: 1h, resolution: 8h}}
  calendar: always
  compliance: {{response: 0.95, resolution: 0.9}}
  at_risk: 0.75
  verify_for: {verify_for}m
  reopen_within: 24h
  close: {close}
"""
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
            "severities.yaml": "".join(
                SEVERITY.format(name=name, verify_for=span, close=close)
                for name, span, close in (
                    ("sev1", 8, "person"),
                    ("sev2", 6, "person"),
                    ("sev3", 4, "daemon"),
                    ("sev4", 2, "daemon"),
                )
            ),
        }
    )
)

ALERTS = st.tuples(
    st.sampled_from("ABCDE"), st.sampled_from(["base", "middle", "top", "none"]), st.sampled_from("1234")
)
FIRES = st.tuples(st.just("fire"), ALERTS)
RESOLVES = st.tuples(st.just("resolve"), ALERTS)
PASSES = st.tuples(st.just("pass"), st.sampled_from([1, 2, 5, 10]))
NUMBERS = st.integers(1, 8)
ACTS = st.one_of(
    st.just(Acknowledged(actor=ANN)),
    st.just(ResolveAsked(actor=ANN, record=Record())),
    st.sampled_from([CloseAsked(actor=ANN, reason=reason, record=Record()) for reason in CloseReason][:4]),
    st.just(ReopenAsked(actor=ANN)),
    st.just(SplitAsked(actor=ANN)),
    st.builds(MergeAsked, actor=st.just(ANN), into=NUMBERS),
)
STEPS = st.lists(
    st.one_of(FIRES, FIRES, FIRES, RESOLVES, RESOLVES, PASSES, st.tuples(st.just("act"), st.tuples(NUMBERS, ACTS))),
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
            self._act(*what)
        else:
            self._alert("firing" if verb == "fire" else "resolved", *what)

    def incidents(self) -> dict[int, Incident]:
        with self.store.read() as reader:
            return {row.incident.id: row.incident for row in reader.incidents(Wanted(limit=500))}

    def wanted(self) -> set[int]:
        """The incidents whose issue was ever asked for."""
        with self.store.read() as reader:
            return {row[0] for row in reader.connection.execute(s.publications.select())}

    def _act(self, number: int, act: Act) -> None:
        (answer,) = self.ask(Ask(incident_id=number, act=act))
        assert answer.status in (200, 404, 409), answer.error

    def _alert(self, status: str, name: str, app: str, level: str) -> None:
        now = self.clock.now().isoformat()
        sent = {
            "status": status,
            "labels": {"alertname": name, "app": app, "level": level},
            "startsAt": now,
            "endsAt": now,
        }
        body = json.dumps({"alerts": [sent]}).encode()
        (answer,) = self.ask(Delivery(id="d", source="alertmanager", body=body))
        assert answer.status == 200, answer.error
        assert "failed" not in answer.counts


@settings(max_examples=250, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(steps=STEPS)
def test_a_family_keeps_its_laws(store: Store, empty: Store, steps: list[tuple[str, Any]]) -> None:
    store.become(empty)
    with Family(RULES, START, readers={"alertmanager": alertmanager.read}, store=store) as family:
        for step in steps:
            family.take(step)
            for incident in family.incidents().values():
                _keeps_the_laws(incident, family)


def _keeps_the_laws(incident: Incident, family: Family) -> None:
    policy = RULES.policy
    if incident.parent is None:
        assert incident.fold is None
        unopened = incident.state in (State.PENDING, State.CLOSED) and incident.opened_at is None
        assert unopened or incident.round > 0, "what is not folded has had clocks of its own"
        return
    parent = family.incidents()[incident.parent]
    assert incident.id != parent.id
    assert not OWN_CLOCKS & {deadline.kind for deadline in standing(incident, policy)}
    assert incident.round > 0 or incident.id not in family.wanted(), "nobody asked for an issue of its own"
    if incident.state not in WORKING:
        return
    assert parent.parent is None, "nothing is folded by way of two parents"
    if incident.fold is not Fold.MERGE:
        assert incident.judged not in PAGES
        assert not incident.judged.graver_than(parent.judged)
        assert not incident.restricted or incident.acknowledged_at is None
    if incident.firing:
        assert parent.state.unfinished, "what fires is told of by something that is not over"
