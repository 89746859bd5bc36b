"""What an explanation asks of the store: how alerts were judged, by which texts, and what became of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime

import msgspec
from msgspec import Struct
from sqlalchemy import func, select

from triaged.core.growth import Growth
from triaged.core.model import Episode, Key, Verdict
from triaged.ports.store import AlertRecord
from triaged.store import schema as s
from triaged.store.codec import from_us, to_us
from triaged.store.reading import Reader

_PAGE = 1_000


class Judged(Struct, frozen=True, kw_only=True):
    """One verdict that alerts of an incident have: of which rule set, how many have it, and the first of them.

    `verdict` is None where the store has it no more.
    """

    verdict: Verdict | None
    rule_set: str
    alerts: int
    example: Episode


class Counts(Struct, frozen=True, kw_only=True):
    """What a growth condition sees now; `since_at` is when the oldest of its firing alerts began."""

    alerts: int
    distinct: dict[str, int]
    refires: int
    since_at: datetime | None


def judged(reader: Reader, incident_id: int, limit: int) -> tuple[list[Judged], int]:
    """The verdicts of an incident's alerts, gravest first, each with its earliest alert; and how many more there are.

    A later verdict of the same episode has taken the place of the former one.
    """
    c = s.episodes.c
    of = c.incident_id == incident_id
    groups = reader.connection.execute(
        select(c.verdict, func.count(), func.min(c.id))
        .where(of)
        .group_by(c.verdict)
        .order_by(func.min(c.severity), func.min(c.id))
        .limit(limit)
    ).all()
    more = 0
    if len(groups) == limit:
        more = reader.connection.execute(select(func.count(c.verdict.distinct())).where(of)).scalar_one() - limit
    rows = reader.connection.execute(
        select(*(c[n] for n in s.EPISODE.names)).where(c.id.in_([first for _, _, first in groups]))
    )
    episodes = {episode.id: episode for episode in (s.EPISODE.decode(tuple(row)) for row in rows)}
    known = verdicts(reader, [verdict for verdict, _, _ in groups])
    found = []
    for verdict_id, number, first in groups:
        rule_set, verdict = known.get(verdict_id, ("", None))
        found.append(Judged(verdict=verdict, rule_set=rule_set, alerts=number, example=episodes[first]))
    return found, more


def verdicts(reader: Reader, ids: Iterable[str]) -> dict[str, tuple[str, Verdict]]:
    """Stored verdicts by id, each with the hash of the rule set that gave it."""
    c = s.verdicts.c
    rows = reader.connection.execute(select(c.id, c.rule_set, c.body).where(c.id.in_(list(ids))))
    return {row[0]: (row[1], msgspec.json.decode(row[2], type=Verdict)) for row in rows}


def keys(reader: Reader, incident_id: int, limit: int) -> list[Key]:
    """The keys that the incident owns, or owned last."""
    c = s.incident_keys.c
    rows = reader.connection.execute(
        select(c.key, c.pairs).where(c.incident_id == incident_id).order_by(c.key).limit(limit)
    )
    return [Key(digest=key, pairs=tuple((n, v) for n, v in json.loads(pairs))) for key, pairs in rows]


def count_keys(reader: Reader, incident_id: int) -> int:
    c = s.incident_keys.c
    of = c.incident_id == incident_id
    return reader.connection.execute(select(func.count()).select_from(s.incident_keys).where(of)).scalar_one()


def rule_set_files(reader: Reader, digest: str) -> dict[str, str] | None:
    """The texts of a rule set that has judged something; None where the store has none of that hash."""
    found = reader.connection.execute(select(s.rule_sets.c.files).where(s.rule_sets.c.hash == digest)).scalar()
    return None if found is None else msgspec.json.decode(found, type=dict[str, str])


def counts(reader: Reader, incident_id: int, growth: Growth, now: datetime) -> Counts:
    """What the condition would be compared with; of one that has held nothing is counted any more.

    Since when is known only where the condition asks how long.
    """
    run = reader.connection.execute
    members, values, refires = s.growth_members.c, s.growth_values.c, s.growth_refires.c
    alerts, since = run(
        select(func.count(), func.min(members.since_at)).where(
            members.incident_id == incident_id, members.ref == growth.ref
        )
    ).one()
    different = run(
        select(values.label, func.count())
        .where(values.incident_id == incident_id, values.ref == growth.ref, values.firing > 0)
        .group_by(values.label)
    )
    recent = 0
    if growth.refires is not None:
        after = to_us(now - growth.refires.within)
        mine = (refires.incident_id == incident_id, refires.ref == growth.ref, refires.at >= after)
        recent = run(select(func.count()).select_from(s.growth_refires).where(*mine)).scalar_one()
    found = {str(label): int(number) for label, number in different}
    return Counts(
        alerts=alerts,
        distinct={label: found.get(label, 0) for label in growth.distinct},
        refires=recent,
        since_at=from_us(since) if since else None,
    )


def recorded(reader: Reader, most: int) -> Iterator[AlertRecord]:
    """The newest recorded alerts, newest first, a page at a time."""
    c = s.alert_records.c
    query = select(*(c[n] for n in s.RECORD.names)).order_by(c.id.desc()).limit(_PAGE)
    before: int | None = None
    for _ in range(0, most, _PAGE):
        rows = reader.connection.execute(query if before is None else query.where(c.id < before)).all()
        records = [s.RECORD.decode(tuple(row)) for row in rows]
        yield from records
        if len(records) < _PAGE:
            return
        before = records[-1].id
