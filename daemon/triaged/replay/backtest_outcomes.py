"""What a history came to, by incident: small tables in a SQLite file, alike for a replay and for the record."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from triaged.store.codec import from_us, to_us
from triaged.store.history import Held, History, Member, Span

FIELDS: Final = ("severity", "team", "opened_at", "alerts", "pages", "response", "resolution")
"""What of an incident is compared, by its name as a column."""

# What is read of a store; a replay's has these tables, with more columns.
_TABLES: Final = """
CREATE TABLE incidents (
  id INTEGER PRIMARY KEY, title TEXT, severity TEXT, team TEXT, opened_at INTEGER, round INTEGER, parent INTEGER
);
CREATE TABLE episodes (fingerprint TEXT, begun_at INTEGER, incident_id INTEGER);
CREATE TABLE happenings (incident_id INTEGER, what TEXT);
"""
_INDEX: Final = "CREATE INDEX IF NOT EXISTS ix_episodes_fingerprint ON episodes (fingerprint, begun_at)"
# An incident that was folded from its first instant never had an issue: its alerts are its parent's.
_DISTIL: Final = """
CREATE VIEW members AS
SELECT e.fingerprint, e.begun_at, CASE WHEN i.round > 0 THEN i.id ELSE i.parent END AS incident_id
FROM episodes e JOIN incidents i ON i.id = e.incident_id
WHERE i.round > 0 OR i.parent IS NOT NULL;
CREATE TABLE outcomes (
  id INTEGER PRIMARY KEY, title TEXT, severity TEXT, team TEXT, opened_at INTEGER,
  alerts INTEGER, pages INTEGER, response INTEGER, resolution INTEGER
);
INSERT INTO outcomes
SELECT i.id, i.title, i.severity, i.team, i.opened_at,
  m.alerts, coalesce(h.pages, 0), coalesce(h.response, 0), coalesce(h.resolution, 0)
FROM incidents i
JOIN (SELECT incident_id, count(*) AS alerts FROM members GROUP BY incident_id) m ON m.incident_id = i.id
LEFT JOIN (
  SELECT incident_id, sum(what = 'page') AS pages, sum(what = 'response') AS response,
    sum(what = 'resolution') AS resolution
  FROM happenings GROUP BY incident_id
) h ON h.incident_id = i.id
WHERE i.round > 0;
"""


class Outcome(Struct, frozen=True, kw_only=True):
    """One incident that had an issue: its last severity and team, when it opened, and what happened until the end.

    `pages` counts how often people were notified at once, `response` and `resolution` the breaches. `id` is a number of
    that replay alone; `name` is the recorded incident's, empty where there is none.
    """

    id: int
    title: str
    severity: str
    team: str
    opened_at: datetime
    alerts: int = 0
    pages: int = 0
    response: int = 0
    resolution: int = 0
    name: str = ""


def distil(file: Path) -> None:
    """Make the outcomes of a store that has the three tables (and no more than the room of a few columns a row)."""
    with _scratch(file) as connection:
        connection.execute(_INDEX)
        connection.executescript(_DISTIL)
        connection.commit()


def write(file: Path, incidents: Iterable[Held], members: Iterable[Member]) -> None:
    """The outcomes of incidents as they were recorded, in a new file. Their pages were not recorded, and are 0."""
    with _scratch(file) as connection:
        connection.executescript(_TABLES)
        connection.executemany("INSERT INTO episodes VALUES (?, ?, ?)", map(_member, members))
        for held in incidents:
            incident = held.incident
            opened_at = None if incident.opened_at is None else to_us(incident.opened_at)
            row = (incident.id, incident.title, incident.severity.value, incident.team, opened_at, incident.round)
            connection.execute("INSERT INTO incidents VALUES (?, ?, ?, ?, ?, ?, ?)", (*row, incident.parent))
            breached = [("response", held.response), ("resolution", held.resolution)]
            rows = [(incident.id, what) for what, times in breached for _ in range(times)]
            connection.executemany("INSERT INTO happenings VALUES (?, ?)", rows)
        connection.commit()
    distil(file)


def record(history: History, span: Span, file: Path) -> None:
    """The outcomes of what was recorded in the span, in a new file."""
    write(file, history.incidents(span), history.members(span))


def outcomes(rows: Iterable[tuple[Any, ...]]) -> Iterator[Outcome]:
    """Rows of the table, whole, as values."""
    for number, title, severity, team, opened_at, *counts in rows:
        alerts, pages, response, resolution = counts
        yield Outcome(
            id=number,
            title=title,
            severity=severity,
            team=team,
            opened_at=from_us(opened_at),
            alerts=alerts,
            pages=pages,
            response=response,
            resolution=resolution,
        )


@contextmanager
def _scratch(file: Path) -> Iterator[sqlite3.Connection]:
    """A file that need not survive anything: no fsync, no journal."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("PRAGMA journal_mode=OFF")
        yield connection


def _member(member: Member) -> tuple[str, int, int]:
    return member.fingerprint, to_us(member.begun_at), member.incident_id
