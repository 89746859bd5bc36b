"""What was found about incidents as rows: kept whole, asked by key and service, on each database."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from building import START, incident
from triaged.core.effects import KeepEvidence
from triaged.core.evidence import Evidence
from triaged.core.model import CloseReason, Entry, Fold, Incident, Severity, State, TimelineEntry
from triaged.ports.store import Batch
from triaged.store import findings
from triaged.store.store import Store

NOW = START + timedelta(days=100)


def kept(one: Incident, **changes: Any) -> KeepEvidence:
    found = Evidence(round=changes.pop("round", one.round), severity=one.severity, at=one.opened_at or START)
    return KeepEvidence(
        incident_id=one.id,
        key=one.key,
        service=one.service,
        category=one.category,
        evidence=replace(found, **changes),
    )


def save(store: Store, *incidents: Incident, looked: bool = True) -> None:
    """Incidents with their openings in the timeline, looked at or not."""
    batch = Batch()
    for one in incidents:
        batch.incidents[one.id] = one
        batch.timeline.append(TimelineEntry(incident_id=one.id, at=START, entry=Entry.OPENED, by="triaged", text="x"))
        if looked:
            batch.findings[one.id] = kept(one)
    with store.begin() as transaction:
        transaction.save(batch, START)


def past(number: int, **changes: Any) -> Incident:
    """An incident so many days after START that is over after an hour."""
    opened = START + timedelta(days=number)
    done = {"restored_at": opened + timedelta(hours=1), "closed_at": opened + timedelta(hours=2)}
    state = {"state": State.CLOSED, "close_reason": CloseReason.COMPLETED}
    return incident(id=number, started_at=opened, opened_at=opened, **{**state, **done, **changes})


def test_evidence_comes_back_as_it_went_in_and_the_newest_counts(store: Store) -> None:
    save(store, incident())
    newer = kept(incident(), failures=("x",), round=2)
    with store.begin() as transaction:
        transaction.save(Batch(findings={12: newer}), START)
    with store.read() as reader:
        assert findings.of_incident(reader.connection, 12) == newer.evidence
        assert findings.of_incident(reader.connection, 13) is None


def test_what_another_release_wrote_otherwise_is_nothing(store: Store) -> None:
    save(store, incident())
    with store.begin() as transaction:
        transaction.connection.exec_driver_sql('UPDATE findings SET body = \'{"round": "x"}\'')
    with store.read() as reader:
        assert findings.of_incident(reader.connection, 12) is None


@pytest.mark.parametrize(
    ("changes", "wants"),
    [
        ({}, False),
        ({"round": 2}, True),
        ({"severity": Severity.SEV1}, True),
        ({"severity": Severity.SEV3}, False),
        ({"round": 2, "parent": 3, "fold": Fold.MERGE}, False),
        ({"round": 2, "state": State.VERIFYING, "restored_at": START}, True),
        ({"round": 2, "state": State.RESOLVED, "restored_at": START}, False),
        ({"round": 2, "state": State.CLOSED, "closed_at": START}, False),
    ],
)
def test_a_look_is_wanted_once_a_round_and_where_it_grew(store: Store, changes: dict[str, Any], wants: bool) -> None:
    save(store, incident())
    with store.read() as reader:
        mark = findings.mark(reader.connection)
        assert findings.wanting(reader.connection, mark) == []
    save(store, incident(**changes), looked=False)
    with store.read() as reader:
        told = findings.wanting(reader.connection, mark)
        assert [one.incident_id for one in told] == ([12] if wants else [])
        assert findings.wanting_at_start(reader.connection) == told
        assert [one.found_at for one in told] == ([incident().opened_at] if wants else [])


def test_counts_are_of_the_same_key_and_before(store: Store) -> None:
    save(
        store,
        past(5),
        past(20),
        past(71),
        past(80, key="v1:other"),
        past(90, close_reason=CloseReason.DUPLICATE),
        past(91, parent=80, fold=Fold.MERGE),
        past(101),
    )
    with store.read() as reader:
        seen = findings.seen(reader.connection, past(100), NOW)
    assert (seen.month, seen.quarter, seen.last_at) == (1, 2, START + timedelta(days=71))


def test_of_the_same_key_solved_ones_come_first_then_those_of_the_service(store: Store) -> None:
    save(
        store,
        past(1, fix="Restart."),
        past(2),
        past(3, restricted=True, fix="Hush."),
        past(4, key="v1:other", root_cause="Full."),
        past(5, key="v1:other", service="", fix="No."),
        past(6, key="v1:other", service="search", fix="No."),
    )
    with store.read() as reader:
        found = findings.similar(reader.connection, past(100))
        alone = findings.similar(reader.connection, past(100, service="", key="v1:new"))
    assert [(one.name, one.same, one.fix, one.root_cause) for one in found] == [
        ("INC-1", True, "Restart.", ""),
        ("INC-2", True, "", ""),
        ("INC-4", False, "", "Full."),
    ]
    assert found[0].took_seconds == 3_600
    assert alone == ()


def test_what_is_open_around_it_is_what_it_needs_then_what_needs_it(store: Store) -> None:
    open_ones = [
        incident(id=20, service="shop", key="a"),
        incident(id=21, service="db", key="b", restricted=True),
        incident(id=22, service="db", key="c", state=State.RESOLVED, restored_at=START),
        incident(id=23, service="other", key="d"),
        incident(id=24, service="shop", key="e", severity=Severity.SEV1),
    ]
    save(store, *open_ones)
    with store.read() as reader:
        found = findings.around(reader.connection, incident(), ["db"], ["shop"])
    assert [(one.incident_id, one.depends, bool(one.title)) for one in found] == [
        (21, False, False),
        (24, True, True),
        (20, True, True),
    ]


def test_what_is_forgotten_takes_its_evidence_along(store: Store) -> None:
    save(store, past(1, firing=0))
    with store.begin() as transaction:
        assert transaction.forget_incidents(NOW) == 1
    with store.read() as reader:
        assert findings.of_incident(reader.connection, 1) is None
