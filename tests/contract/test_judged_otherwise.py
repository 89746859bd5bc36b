"""Which firing alerts other rules, or another version of keys, have judged: what a reload looks through."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec

from building import episode, incident, minutes, verdict
from triaged.core.model import ActorKind, CloseReason, Episode, Incident, Severity, State
from triaged.ports.store import Batch
from triaged.store.store import Store

NOW = minutes(2)
CLOSED: dict[str, Any] = {
    "closed_at": NOW,
    "restored_at": NOW,
    "closed_by": "ann",
    "closed_by_kind": ActorKind.PERSON,
    "close_reason": CloseReason.COMPLETED,
    "closed_covering": Severity.SEV2,
}


def save(store: Store, pairs: list[tuple[Incident, Episode]], rule_set: str = "old") -> None:
    with store.begin() as transaction:
        batch = Batch(
            incidents={one.id: one for one, _ in pairs},
            episodes={one.id: one for _, one in pairs},
            verdicts={one.verdict: (rule_set, "{}") for _, one in pairs},
        )
        transaction.save(batch, NOW)


def pair(number: int, *, ended: bool = False, verdict: str = "v", **changes: Any) -> tuple[Incident, Episode]:
    """An incident and the one episode of it."""
    ended_at = NOW + timedelta(minutes=1) if ended else None
    member = episode(
        id=number, incident_id=number, fingerprint=f"{number:032}", verdict=verdict, ended_at=ended_at, last=True
    )
    return incident(id=number, **changes), member


def found(store: Store, rule_set: str, version: str = "v1") -> list[int]:
    with store.begin() as transaction:
        return sorted(one.id for one in transaction.judged_otherwise(rule_set, version))


def test_only_what_fires_in_unfinished_incidents_and_other_rules_judged_is_found(store: Store) -> None:
    save(
        store,
        [
            pair(1, key="v1:a"),
            pair(2, key="v1:b", ended=True),
            pair(3, key="v1:c", state=State.CLOSED, **CLOSED),
            pair(4, key="v1:d", state=State.RESOLVED, resolved_at=NOW, restored_at=NOW),
            pair(5, key="v1:e", state=State.PENDING),
        ],
    )
    save(store, [pair(6, key="v1:f", verdict="w")], rule_set="new")

    assert found(store, "new") == [1, 5]
    assert found(store, "old") == [6]


def test_incidents_of_another_version_of_keys_are_found_whatever_judged_them(store: Store) -> None:
    save(store, [pair(1, key="v1:a"), pair(2, key="v2:b")])

    assert found(store, "old", "v2") == [1]


def test_many_open_incidents_are_looked_through_whole(store: Store) -> None:
    save(store, [pair(number, key=f"v1:{number}") for number in range(1, 2_502)])

    assert found(store, "new") == list(range(1, 2_502))


def test_an_episode_comes_back_as_it_was_saved(store: Store) -> None:
    one, member = pair(1, key="v1:a")
    save(store, [(one, member)])

    with store.begin() as transaction:
        assert list(transaction.judged_otherwise("new", "v1")) == [member]


def test_what_fires_and_a_rule_matched_is_found_by_the_rule_s_name(store: Store) -> None:
    with store.begin() as transaction:
        for number, matched in ((1, ("a", "quiet")), (2, ("a",)), (3, ("quiet",)), (4, ("quiet",))):
            one, member = pair(number, key=f"v1:{number}", verdict=f"v{number}", ended=number == 3)
            told = msgspec.json.encode(verdict(matched=matched)).decode()
            transaction.save(
                Batch(incidents={one.id: one}, episodes={member.id: member}, verdicts={f"v{number}": ("old", told)}),
                NOW,
            )
    with store.begin() as transaction:
        assert sorted(one.id for one in transaction.matched_by({"quiet", "loud"})) == [1, 4]
        assert transaction.matched_by({"loud"}) == []
