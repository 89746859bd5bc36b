"""The writer's transaction: reads what a batch needs, saves what was decided, one statement per table."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache, wraps
from typing import Any, ParamSpec, TypeVar

import msgspec
from msgspec.structs import replace
from sqlalchemy import (
    Connection,
    Dialect,
    and_,
    bindparam,
    case,
    delete,
    func,
    literal_column,
    or_,
    select,
    text,
    update,
)

from triaged.core.growth import Growth
from triaged.core.heartbeats import Beat
from triaged.core.maintenance import Plan, Window
from triaged.core.model import Episode, Incident, Key, TimelineEntry, Verdict
from triaged.core.staleness import Unheard
from triaged.core.suppression import Suppression
from triaged.errors import Conflict
from triaged.ports.store import Batch
from triaged.store import (
    acts,
    comments,
    findings,
    health,
    heartbeats,
    looks,
    maintenance,
    problems,
    queue,
    retention,
    reviews,
    silences,
    staleness,
    suppressions,
)
from triaged.store import schema as s
from triaged.store.codec import to_json, to_us
from triaged.store.engine import refusal
from triaged.store.growth import GrowthTable
from triaged.store.reading import Reader
from triaged.store.recent import Recent
from triaged.store.statements import Cursor, Lookup, Statement, upsert
from triaged.store.totals import Totals

P = ParamSpec("P")
T = TypeVar("T")

_verdict = msgspec.json.Decoder(Verdict)

RECORD_NAMES = tuple(n for n in s.RECORD.names if n != "id")
COMMENT_NAMES = tuple(n for n in s.COMMENT.names if n != "id")
NOTICE_NAMES = tuple(n for n in s.NOTICE.names if n != "id")
# Numbers of incidents are for people and come one by one; those of episodes may skip some at a restart.
_INCIDENTS_AT_ONCE = 1_000
_IDS_AT_ONCE = {"incident": 1, "episode": 256}
_MOST_VERDICTS = 100
_NEW_PUBLICATION: Mapping[str, int | str | None] = {
    "wanted": 1,
    "done": 0,
    "claimed_until": None,
    "attempts": 0,
    "searches": 0,
    "operation": "",
    "intended_at": None,
    "created": 0,
    "backend": "",
    "repository": "",
    "number": None,
    "url": "",
    "digest": "",
    "block": "",
    "labels": "[]",
    "closed": 0,
    "failure": "",
    "doubtful_at": None,
    "assigned": "[]",
    "gone": 0,
    "adopted": 0,
}


class Statements:
    """The hot statements of one dialect, compiled once per store."""

    def __init__(self, dialect: Dialect, replica: str) -> None:
        self._dialect = dialect
        self.incidents = upsert(dialect, s.incidents, s.INCIDENT.names, on=["id"])
        self.episodes = upsert(dialect, s.episodes, s.EPISODE.names, on=["id"])
        self.former = Statement(
            update(s.episodes).where(s.episodes.c.id == bindparam("of")).values(last=text("0")), dialect, ["of"]
        )
        # A key passes on only from the owner that was read, and only where that one has ended.
        key = s.incident_keys.c
        ended = text(
            "NOT EXISTS (SELECT 1 FROM incidents WHERE incidents.id = incident_keys.incident_id"
            " AND incidents.state NOT IN ('resolved', 'closed'))"
        )
        self.keys = upsert(
            dialect,
            s.incident_keys,
            ["key", "incident_id", "pairs", "owner"],
            on=["key"],
            change=lambda new: {"incident_id": new.incident_id, "pairs": new.pairs},
            where=or_(
                key.incident_id == literal_column("excluded.incident_id"),
                and_(key.incident_id == bindparam("owner"), ended),
            ),
        )
        self.verdicts = upsert(dialect, s.verdicts, ["id", "rule_set", "body"], on=["id"], keep=True)
        self.records = Statement(s.alert_records.insert(), dialect, RECORD_NAMES)
        self.timeline = Statement(s.timeline.insert(), dialect, s.ENTRY.names)
        self.acts = Statement(s.acts.insert(), dialect, acts.NAMES)
        self.beats = upsert(dialect, s.heartbeats, s.BEAT.names, on=["name", "series"])
        self.deadlines = upsert(dialect, s.deadlines, s.DEADLINE.names, on=["incident_id", "kind"])
        self.undue = Statement(
            delete(s.deadlines).where(s.deadlines.c.incident_id == bindparam("incident_id")), dialect, ["incident_id"]
        )
        self.comments = upsert(dialect, s.comments, COMMENT_NAMES, on=["incident_id", "key"], keep=True)
        self.notices = upsert(dialect, s.notices, NOTICE_NAMES, on=["incident_id", "key"], keep=True)
        waiting = s.publications.c
        self.wants = upsert(
            dialect,
            s.publications,
            ["incident_id", "rank", "wanted_at", "due_at"],
            on=["incident_id"],
            fixed=_NEW_PUBLICATION,
            change=lambda new: {
                "wanted": waiting.wanted + literal_column("1"),
                "wanted_at": case((waiting.wanted == waiting.done, new.wanted_at), else_=waiting.wanted_at),
                "rank": new.rank,
            },
            # What waits already need not be told again, unless somebody is publishing what he read before.
            where=or_(
                waiting.wanted == waiting.done,
                waiting.claimed_until.is_not(None),
                waiting.rank != literal_column("excluded.rank"),
            ),
        )
        # An urgent change goes at once, but never around a backoff: that would hammer a backend that is down.
        self.urgent = Statement(
            update(s.publications)
            .where(
                waiting.incident_id == bindparam("of"), waiting.attempts == text("0"), waiting.due_at > bindparam("at")
            )
            .values(due_at=bindparam("now")),
            dialect,
            ["now", "of", "at"],
        )
        self.growth = GrowthTable(dialect)
        self.totals = Totals(dialect, replica)
        self.next_id = upsert(
            dialect,
            s.sequences,
            ["name", "value"],
            on=["name"],
            change=lambda new: {"value": s.sequences.c.value + new.value},
            returning=s.sequences.c.value,
        )
        incident, episode = s.incidents.c, s.episodes.c
        self.incidents_by_id = Lookup(
            lambda v: (
                select(*(incident[n] for n in s.INCIDENT.names))
                .where(incident.id.in_(v))
                .order_by(incident.id)
                .with_for_update()
            ),  # other replicas wait; SQLite has one writer and leaves it out
            dialect,
        )
        self.last_episodes = Lookup(
            lambda v: (
                select(*(episode[n] for n in s.EPISODE.names))
                .where(episode.fingerprint.in_(v), episode.last == text("1"))
                .order_by(episode.fingerprint)
                .with_for_update()
            ),
            dialect,
        )
        self.owners = Lookup(
            lambda v: select(s.incident_keys.c.key, s.incident_keys.c.incident_id).where(s.incident_keys.c.key.in_(v)),
            dialect,
        )
        self.working_on = Lookup(
            lambda v: select(incident.id).where(
                incident.service.in_(v), text("service != '' AND state IN ('open', 'acknowledged')")
            ),
            dialect,
        )
        self.folded_into = Lookup(
            lambda v: select(incident.id).where(
                incident.parent.in_(v), incident.parent.is_not(None), text("state != 'closed'")
            ),
            dialect,
        )
        # SQLite's LIMIT brings an OFFSET of its own as a parameter, unless one is said.
        recent = select(incident.id).where(incident.opened_at >= bindparam("at")).limit(bindparam("most"))
        self.opened_since = Statement(
            select(func.count()).select_from(recent.offset(literal_column("0")).subquery()), dialect, ["at", "most"]
        )
        self.verdicts_by_id = Lookup(
            lambda v: select(s.verdicts.c.id, s.verdicts.c.body).where(s.verdicts.c.id.in_(v)), dialect
        )

    @lru_cache(maxsize=256)  # noqa: B019 - as long-lived as the process; few sets of columns change together
    def incidents_changing(self, names: tuple[str, ...]) -> Statement:
        """The statement that writes these columns of an incident, and touches no index of the others."""
        news: dict[str, Any] = {name: bindparam(f"new_{name}") for name in names}
        changing = update(s.incidents).where(s.incidents.c.id == bindparam("of")).values(news)
        return Statement(changing, self._dialect, [*(f"new_{name}" for name in names), "of"])


def _translating(method: Callable[P, T]) -> Callable[P, T]:
    """A database that is not there is told apart from a bug, wherever in the transaction it shows."""

    @wraps(method)
    def translating(*args: P.args, **kwargs: P.kwargs) -> T:
        # As `translated` does, which costs 1 µs where all goes well: too much around each of a batch's statements.
        try:
            return method(*args, **kwargs)
        except Exception as error:
            raised = refusal(error)
            if raised is None:
                raise
            raise raised from error

    return translating


class Transaction:
    """One transaction of the writer; nothing it read or wrote is valid after it."""

    def __init__(self, connection: Connection, cursor: Cursor, statements: Statements, recent: Recent) -> None:
        self.connection = connection
        self._cursor = cursor
        self.saved: dict[int, Incident] = {}
        self.deleted: list[int] = []
        self.owned: dict[str, int] = {}
        self.spare_ids = {**recent.ids}
        self.planned = recent.windows
        self._statements = statements
        self._recent = recent
        self._incidents: dict[int, Incident] = {}

    @property
    def problems(self) -> problems.Problems:
        """What recurs."""
        return problems.Problems(self.connection)

    @property
    def looks(self) -> looks.Looks:
        """What was seen of issues."""
        return looks.Looks(self.connection)

    @_translating
    def last_episodes(self, fingerprints: Iterable[str]) -> dict[str, Episode]:
        """The newest episode of each alert that ever fired, by fingerprint."""
        rows = self._statements.last_episodes.rows(self._cursor, fingerprints)
        return {episode.fingerprint: episode for episode in map(s.EPISODE.decode, rows)}

    @_translating
    def owners(self, keys: Iterable[str]) -> dict[str, int]:
        """The incident that owns each key, or owned it last."""
        known = self._recent.owners
        wanted = [*keys]
        found = {key: known[key] for key in wanted if key in known}
        missing = [key for key in wanted if key not in known]
        if missing:
            found.update(map(tuple, self._statements.owners.rows(self._cursor, missing)))
        self.owned.update(found)
        return found

    @_translating
    def incidents(self, ids: Iterable[int]) -> dict[int, Incident]:
        found: dict[int, Incident] = {}
        known = self._recent.incidents
        missing = []
        for incident_id in ids:
            recent = known.get(incident_id)
            if recent is None:
                missing.append(incident_id)
            else:
                found[incident_id] = recent
        if missing:
            rows = self._statements.incidents_by_id.rows(self._cursor, missing)
            found.update((incident.id, incident) for incident in map(s.INCIDENT.decode, rows))
        self._incidents.update(found)
        return found

    @_translating
    def working_on(self, services: Iterable[str]) -> list[int]:
        """The ids of open and acknowledged incidents of these services, oldest first."""
        return sorted(row[0] for row in self._statements.working_on.rows(self._cursor, services))

    @_translating
    def folded_into(self, incident_id: int) -> list[int]:
        """The ids of incidents that are folded into this one and not closed, oldest first."""
        return sorted(row[0] for row in self._statements.folded_into.rows(self._cursor, [incident_id]))

    @_translating
    def opened_since(self, at: datetime, most: int) -> int:
        """How many incidents opened at or after `at`, counted up to `most`."""
        found: int = self._statements.opened_since.scalar(self._cursor, (to_us(at), most))
        return found

    def judged_otherwise(self, rule_set: str, version: str) -> Iterator[Episode]:
        """Firing episodes of unfinished incidents that other rules judged last, or whose keys are of another version.

        To be read to its end before the transaction is asked anything else; holds a page of them at a time.
        """
        # In two steps, each by its index: as one, SQLite reads all episodes that ever were.
        incident, episode = s.incidents.c, s.episodes.c
        unfinished = select(incident.id, incident.key).where(text("state != 'closed' AND state != 'resolved'"))
        found = self.connection.execute(unfinished).all()
        for at in range(0, len(found), _INCIDENTS_AT_ONCE):
            these = found[at : at + _INCIDENTS_AT_ONCE]
            former = [i for i, key in these if not key.startswith(f"{version}:")]
            rows = self.connection.execute(
                select(*(episode[n] for n in s.EPISODE.names))
                .join(s.verdicts, s.verdicts.c.id == episode.verdict)
                .where(
                    episode.incident_id.in_([i for i, _ in these]),
                    episode.ended_at.is_(None),
                    or_(s.verdicts.c.rule_set != rule_set, episode.incident_id.in_(former)),
                )
                .execution_options(yield_per=_INCIDENTS_AT_ONCE)
            )
            yield from (s.EPISODE.decode(tuple(row)) for row in rows)

    @_translating
    def windows(self, now: datetime) -> tuple[Window, ...]:
        """The maintenance windows that were asked for and are not over; some may be by now."""
        if self.planned is None:
            self.planned = tuple(plan.window for plan in maintenance.unfinished(self.connection, now))
        return self.planned

    @_translating
    def plan(self, name: str) -> Plan | None:
        """The newest window that was asked for by that name, or the one with that id."""
        return maintenance.find(self.connection, name)

    @_translating
    def keep_plan(self, plan: Plan) -> Plan:
        """Store a window; with the number that it has then."""
        self.planned = None
        return replace(plan, number=maintenance.keep(self.connection, plan))

    @_translating
    def held(self, after: int, most: int) -> list[int]:
        """The ids of incidents that maintenance holds back, in their order; the first `most` above `after`."""
        return maintenance.held(self.connection, after, most)

    @_translating
    def firing(self, incident_id: int, most: int) -> list[Episode]:
        """What fires in an incident, oldest first; the first `most`."""
        return Reader(self.connection).episodes(incident_id, firing=True, limit=most)

    @_translating
    def timeline(self, incident_id: int, most: int) -> list[TimelineEntry]:
        """The newest entries of an incident's timeline, in the order in which they happened."""
        return Reader(self.connection).timeline(incident_id, most)

    @_translating
    def actors(self, incident_id: int) -> list[str]:
        """The names of the people who acted on an incident, in the order in which they began to."""
        return acts.actors(self.connection, incident_id)

    @_translating
    def matched_by(self, rules: Container[str]) -> list[Episode]:
        """Firing episodes of unfinished incidents whose verdict names one of these rules as matching."""
        incident, episode = s.incidents.c, s.episodes.c
        unfinished = select(incident.id).where(text("state != 'closed' AND state != 'resolved'"))
        ids = [i for (i,) in self.connection.execute(unfinished)]
        found: list[Episode] = []
        for at in range(0, len(ids), _INCIDENTS_AT_ONCE):
            firing = and_(episode.incident_id.in_(ids[at : at + _INCIDENTS_AT_ONCE]), episode.ended_at.is_(None))
            told = select(s.verdicts.c.id, s.verdicts.c.body).where(
                s.verdicts.c.id.in_(select(episode.verdict).where(firing))
            )
            bodies = self.connection.execute(told).all()
            named = [i for i, body in bodies if any(rule in rules for rule in _verdict.decode(body).matched)]
            rows = self.connection.execute(
                select(*(episode[n] for n in s.EPISODE.names)).where(firing, episode.verdict.in_(named))
            )
            found += [s.EPISODE.decode(tuple(row)) for row in rows]
        return found

    @_translating
    def verdict(self, verdict_id: str) -> Verdict | None:
        rows = self._statements.verdicts_by_id.rows(self._cursor, [verdict_id])
        return _verdict.decode(rows[0][1]) if rows else None

    @_translating
    def member_verdicts(self, incident_id: int, ref: str) -> list[Verdict]:
        """The different verdicts of the alerts that count for a growth condition, that of the newest first."""
        members, episodes = s.growth_members.c, s.episodes.c
        rows = self.connection.execute(
            select(episodes.verdict)
            .join(s.growth_members, members.episode_id == episodes.id)
            .where(members.incident_id == incident_id, members.ref == ref)
            .group_by(episodes.verdict)
            .order_by(func.max(episodes.starts_at).desc())
            .limit(_MOST_VERDICTS)
        )
        return [verdict for (found,) in rows.all() if (verdict := self.verdict(found)) is not None]

    @_translating
    def growth_refs(self, incident_id: int) -> list[str]:
        """The growth conditions for which alerts of this incident count now."""
        members = s.growth_members.c
        rows = self.connection.execute(select(members.ref).where(members.incident_id == incident_id).distinct())
        return [ref for (ref,) in rows]

    @_translating
    def growth_holds(self, incident_id: int, condition: Growth, now: datetime) -> tuple[bool, datetime | None]:
        return self._statements.growth.holds(self._cursor, incident_id, condition, now)

    @_translating
    def beats(self) -> list[Beat]:
        """Every series of a heartbeat that is followed; other replicas wait with theirs."""
        return heartbeats.read(self.connection, locked=True)

    @_translating
    def suppressions(self, source: str) -> list[Suppression]:
        """What Alertmanagers keep quiet about of a source."""
        return suppressions.of_source(self.connection, source)

    @_translating
    def silences(self) -> list[Suppression]:
        """All silences over alerts, of any source."""
        return suppressions.silences(self.connection)

    @_translating
    def silence_makers(self, operations: Iterable[str]) -> dict[str, str]:
        """Who asked for the silences with these ids in their mark."""
        return silences.makers(self.connection, operations)

    @_translating
    def acknowledged_by_silence(self) -> list[int]:
        """The ids of incidents that a silence acknowledges, oldest first."""
        return silences.acknowledging(self.connection)

    @_translating
    def key_pairs(self, key: str) -> tuple[tuple[str, str], ...]:
        """The names and values of a key; none where no incident has it."""
        return silences.key_pairs(self.connection, key)

    @_translating
    def unheard(self, incident_ids: Sequence[int]) -> dict[int, Unheard]:
        """Those of the incidents of which nothing was heard for long."""
        return staleness.unheard(self.connection, incident_ids)

    def next_id(self, of: str) -> int:
        """A fresh id of an incident or episode; gaps may occur, none is used twice."""
        spare = self.spare_ids.get(of) or self._fresh_ids(of, _IDS_AT_ONCE[of])
        self.spare_ids[of] = spare[1:]
        return spare[0]

    @_translating
    def _fresh_ids(self, of: str, count: int) -> range:
        last = self._statements.next_id.scalar(self._cursor, (of, count))
        return range(last - count + 1, last + 1)

    @_translating
    def keep_files(self, table: str, digest: str, files: Mapping[str, str], now: datetime) -> None:
        """Store a rule set or policy whole, once, before its first decision."""
        target = {"rule_sets": s.rule_sets, "policies": s.policies}[table]
        known = self.connection.execute(select(target.c.hash).where(target.c.hash == digest)).first()
        if known is None:
            row = {"hash": digest, "files": to_json(files), "first_used_at": to_us(now)}
            self.connection.execute(target.insert().values(**row))

    @_translating
    def policy_files(self, digest: str) -> dict[str, str] | None:
        """The texts of a frozen policy."""
        found = self.connection.execute(select(s.policies.c.files).where(s.policies.c.hash == digest)).scalar()
        return None if found is None else msgspec.json.decode(found, type=dict[str, str])

    @_translating
    def forget_record(self, record_id: int) -> None:
        """Delete one recorded alert: it has been taken in by another way."""
        self.connection.execute(delete(s.alert_records).where(s.alert_records.c.id == record_id))

    @_translating
    def forget_incidents(self, before: datetime) -> int:
        """Delete a few incidents closed before an instant, with all that is theirs; how many."""
        gone = retention.forget_incidents(self.connection, before)
        self.deleted.extend(gone)
        return len(gone)

    @_translating
    def prove_writable(self, name: str) -> None:
        """Dirty a page and leave nothing: a commit without a change succeeds even on a full disk."""
        self.connection.execute(s.verdicts.insert().values(id=name, rule_set="", body=""))
        self.connection.execute(delete(s.verdicts).where(s.verdicts.c.id == name))

    @_translating
    def save(self, batch: Batch, now: datetime) -> None:
        """Write a batch: parents before children, rows in the order of their keys."""
        run, c, now_us = self._statements, self._cursor, to_us(now)
        self._save_incidents(batch.incidents)
        self._save_keys(batch.keys)
        run.former.run(c, [(i,) for i in batch.former])
        run.episodes.run(c, [s.EPISODE.encode(batch.episodes[i]) for i in sorted(batch.episodes)])
        run.verdicts.run(c, [(i, rules, body) for i, (rules, body) in sorted(batch.verdicts.items())])
        run.records.run(c, [s.RECORD.encode(r)[:-1] for r in batch.records])
        run.timeline.run(c, [s.ENTRY.encode(e) for e in batch.timeline])
        run.undue.run(c, [(i,) for i in sorted(batch.deadlines)])
        run.deadlines.run(c, [s.DEADLINE.encode(d) for i in sorted(batch.deadlines) for d in batch.deadlines[i]])
        queue.adopt(self.connection, batch.adopted, now)
        run.wants.run(c, [(i, w.severity.rank, now_us, now_us) for i, w in sorted(batch.wants.items())])
        run.urgent.run(c, [(now_us, i, now_us) for i, w in sorted(batch.wants.items()) if w.urgent])
        if batch.comments:
            run.comments.run(c, comments.queued(self.connection, batch.comments, now))
        run.notices.run(
            c,
            [
                (
                    *(n.incident_id, n.kind.value, n.audience.value, n.key, to_json(n.to), n.text),
                    *(severity.rank, now_us, None, "waiting"),
                )
                for n, severity in batch.notices
            ],
        )
        run.acts.run(c, [acts.encode(i, act, now) for i, act in batch.acts])
        run.growth.save(c, batch.growth, now)
        run.totals.save(c, batch.tallies)
        if batch.beats:
            heartbeats.save(self.connection, c, run.beats, batch.beats)
        if batch.suppressions:
            suppressions.save(self.connection, batch.suppressions)
        if batch.silences or batch.lifted:
            silences.save(self.connection, batch.silences, batch.lifted, now)
        if batch.health:
            health.save(self.connection, batch.health)
        if batch.findings:
            findings.save(self.connection, batch.findings.values())
        if batch.unheard:
            staleness.save(self.connection, batch.unheard)
        if batch.reviews:
            reviews.save(self.connection, batch.reviews.values(), now)
        if batch.knowledge:
            self.problems.keep_links(batch.knowledge, now)

    def _save_incidents(self, incidents: Mapping[int, Incident]) -> None:
        """Write whole what is new, and of what this transaction read the columns that changed."""
        new: list[tuple[object, ...]] = []
        changed: dict[tuple[str, ...], list[tuple[object, ...]]] = {}
        for incident_id, incident in sorted(incidents.items()):
            before = self._incidents.get(incident_id)
            if before is None:
                new.append(s.INCIDENT.encode(incident))
                continue
            names, cells = s.INCIDENT.changes(before, incident)
            if names:
                changed.setdefault(names, []).append((*cells, incident_id))
        self._statements.incidents.run(self._cursor, new)
        for names, rows in changed.items():
            self._statements.incidents_changing(names).run(self._cursor, rows)
        self._incidents.update(incidents)
        self.saved.update(incidents)

    def _save_keys(self, keys: Mapping[str, tuple[int, Key]]) -> None:
        rows = [(k, new, to_json(key.pairs), self.owned.get(k, 0)) for k, (new, key) in sorted(keys.items())]
        if self._statements.keys.run(self._cursor, rows) != len(rows):
            raise Conflict("a key belongs to another unfinished incident meanwhile")
        self.owned.update((k, new) for k, (new, _) in keys.items())
