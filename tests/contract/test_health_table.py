"""The table of health: an answer takes the place of the former one, rounds are kept apart, on both engines."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from building import START, incident
from triaged.core.effects import KeepHealth
from triaged.core.health import Answer, Phase
from triaged.core.model import Fold, Incident, Severity, State
from triaged.ports.store import Batch
from triaged.store import health, retention
from triaged.store.store import Store

DAY = timedelta(days=1)


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    url = f"sqlite:///{tmp_path}/new.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    one = Store(url)
    one.migrate()
    yield one
    one.close()


def answer(value: float | None, phase: Phase = Phase.AFTER, query: str = "up == 1") -> Answer:
    return Answer(query=query, phase=phase, at=START, holds=None if value is None else value == 1, value=value)


def keep(store: Store, *answers: Answer, number: int = 1) -> None:
    with store.begin() as transaction:
        kept = KeepHealth(incident_id=12, round=number, answers=answers)
        transaction.save(Batch(health=[kept]), START)


def kept(store: Store, number: int = 1) -> list[tuple[str, str, float | None, bool | None]]:
    with store.read() as reader:
        found = health.of_round(reader.connection, incident(round=number))
    return [(one.query, one.phase.value, one.value, one.holds) for one in found]


def test_the_last_answer_of_each_phase_is_kept_for_each_round(store: Store) -> None:
    keep(store, answer(0.0), answer(1, Phase.BEFORE), answer(None, query="ratio < 1"))
    keep(store, answer(0.0), answer(1.0))
    keep(store, answer(0.0), number=2)
    assert kept(store) == [
        ("ratio < 1", "after", None, None),
        ("up == 1", "after", 1.0, True),
        ("up == 1", "before", 1.0, True),
    ]
    assert kept(store, 2) == [("up == 1", "after", 0.0, False)]


def watched(number: int, **changes: Any) -> Incident:
    quiet = incident(id=number, state=State.VERIFYING, restored_at=START, firing=0, key=f"v1:{number}")
    return replace(quiet, **changes)


def test_watched_are_those_of_the_services_that_are_not_folded_gravest_first(store: Store) -> None:
    incidents = [
        watched(1),
        watched(2, severity=Severity.SEV1),
        watched(3, service="other"),
        watched(4, parent=1, fold=Fold.MERGE, folded_at=START),
        incident(id=5),
    ]
    with store.begin() as transaction:
        transaction.save(Batch(incidents={one.id: one for one in incidents}), START)
    with store.read() as reader:
        assert [one.id for one in health.watched(reader.connection, ["checkout"])] == [2, 1]
        assert [one.id for one in health.watched(reader.connection, ["other", "none"])] == [3]


def test_what_was_said_goes_with_its_incident(store: Store) -> None:
    closed = incident(state=State.CLOSED, closed_at=START, firing=0)
    with store.begin() as transaction:
        transaction.save(Batch(incidents={12: closed}), START)
    keep(store, answer(1))
    with store.begin() as transaction:
        assert retention.forget_incidents(transaction.connection, START + DAY) == [12]
    assert kept(store) == []
