"""Histories lived through: a sender's alerts over some days, under rules of one's own, with all that came of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import select

import building
from triaged import rulefiles
from triaged.app import rules_of
from triaged.core.model import Entry, Incident, Severity
from triaged.intake.units import Answer, Delivery, Rules, Unit
from triaged.replay.world import World
from triaged.sources import alertmanager
from triaged.store import schema as s
from triaged.store.store import Store
from world import START, alert, body

READERS = {"alertmanager": alertmanager.read}
PAGES = (Severity.SEV1, Severity.SEV2)
TRIAGE = """
matrix:
  extensive:   [sev1, sev1, sev2, sev3]
  significant: [sev1, sev2, sev3, sev3]
  moderate:    [sev2, sev3, sev3, sev4]
  minor:       [sev3, sev3, sev4, sev4]
default: {{impact: moderate, urgency: high, category: error, team: platform}}
key: [{key}]
{storm}
rules:{rules}
"""
# What is said again and again while nothing happens is most of a month, and counts as nothing in what came of it.
OFTEN = re.compile(r"\b(repeat|update_every|check_in_every): (?:15m|30m|1h)\b")
RULE = """
- name: {name}
  match: ['alertname="{name}"']
{words}  because: It says so.
"""


@cache
def rules(key: str = "alertname, cluster", storm: str = "", **words: str) -> Rules:
    """Rules by alertname: `Disk="impact: minor; delay: 15m"`; the rest is as shipped, but for what is said OFTEN."""
    told = "".join(
        RULE.format(name=name, words="".join(f"  {word.strip()}\n" for word in said.split(";") if word.strip()))
        for name, said in words.items()
    )
    files = {name: text for name, text in building.rule_files().files.items() if "/" not in name}
    files["severities.yaml"] = OFTEN.sub(r"\1: 12h", files["severities.yaml"])
    files["triage.yaml"] = TRIAGE.format(key=key, storm=storm, rules=told or " []")
    return rules_of(rulefiles.read(files))


@dataclass(frozen=True, kw_only=True)
class Sent:
    """What a sender does at a moment, `after` the one before: to fire, to resolve or to repeat some of its alerts."""

    after: timedelta
    fires: tuple[int, ...] = ()
    resolves: tuple[int, ...] = ()
    repeats: tuple[int, ...] = ()
    rewords: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Lived:
    """An incident that had an issue, with what it came to; `alerts` are fingerprints and arrivals."""

    id: int
    title: str
    severity: str
    team: str
    opened_at: datetime
    alerts: frozenset[tuple[str, int]]
    pages: int
    response: int
    resolution: int


class Life(World):
    """A daemon that lives a history; its door knows repeats as the real one does."""

    def __init__(self, in_force: Rules, store: Store) -> None:
        super().__init__(in_force, START, readers=READERS, store=store)
        self.pages: Counter[int] = Counter()
        self._number = 0
        self._former = {incident.id: incident for incident in self.incidents()}

    def ask(self, *units: Unit) -> list[Answer]:
        answers = super().ask(*units)
        for incident in self.incidents():
            self.pages[incident.id] += paged(self._former.get(incident.id), incident)
            self._former[incident.id] = incident
        return answers

    def post(self, alerts: Sequence[Mapping[str, Any]]) -> None:
        sent = body(alerts)
        known = alertmanager.digests("alertmanager", sent) or []
        if not all(self.intake.known.status(digest) for digest in known):
            self._number += 1
            (answer,) = self.ask(Delivery(id=f"d{self._number}", source="alertmanager", body=sent))
            assert answer.status == 200, answer.error

    def incidents(self) -> list[Incident]:
        with self.store.read() as reader:
            rows = reader.connection.execute(select(*(s.incidents.c[name] for name in s.INCIDENT.names)).order_by("id"))
            return [s.INCIDENT.decode(tuple(row)) for row in rows]

    def lived(self) -> list[Lived]:
        incidents = {incident.id: incident for incident in self.incidents()}
        with self.store.read() as reader:
            c, t = s.episodes.c, s.timeline.c
            episodes = list(reader.connection.execute(select(c.fingerprint, c.begun_at, c.incident_id)))
            told = list(reader.connection.execute(select(t.incident_id, t.text).where(t.entry == Entry.BREACHED.value)))
        alerts: dict[int, set[tuple[str, int]]] = {}
        for fingerprint, begun_at, incident_id in episodes:
            incident = incidents[incident_id]
            home = incident_id if incident.round else incident.parent
            if home is not None:
                alerts.setdefault(home, set()).add((fingerprint, begun_at))
        breached = Counter((incident_id, text.split()[0]) for incident_id, text in told)
        return [
            Lived(
                id=incident.id,
                title=incident.title,
                severity=incident.severity.value,
                team=incident.team,
                opened_at=incident.opened_at,
                alerts=frozenset(alerts.get(incident.id, ())),
                pages=self.pages[incident.id],
                response=breached[incident.id, "response"],
                resolution=breached[incident.id, "resolution"],
            )
            for incident in incidents.values()
            if incident.round and incident.opened_at is not None
        ]


def paged(before: Incident | None, after: Incident) -> bool:
    """Whether people were notified at once of what became of an incident."""
    if after.opened_at is None or after.parent is not None:
        return False
    if before is None or after.round > before.round:
        return after.severity in PAGES
    return after.severity in PAGES and after.severity.graver_than(before.severity)


@dataclass
class Sender:
    """Alertmanager as it would tell of six alerts of three names, in two clusters."""

    starts: dict[int, datetime] = field(default_factory=dict)
    words: Counter[int] = field(default_factory=Counter)

    def alerts(self, sent: Sent, at: datetime) -> list[dict[str, Any]]:
        """One notification: it tells of each alert once."""
        told = {}
        for number in sent.fires:
            self.starts.setdefault(number, at)
            told[number] = self._alert(number)
        for number in sent.resolves:
            if number in self.starts:
                told[number] = self._alert(number, at)
                del self.starts[number]
        for number in sent.rewords:
            self.words[number] += number in self.starts
        told.update({number: self._alert(number) for number in (*sent.rewords, *sent.repeats) if number in self.starts})
        return list(told.values())

    def _alert(self, number: int, ends: datetime | None = None) -> dict[str, Any]:
        return alert(
            ("Disk", "Down", "Slow")[number % 3],
            "firing" if ends is None else "resolved",
            labels={"cluster": f"eu-{number % 2}", "pod": f"pod-{number}"},
            starts=self.starts[number],
            ends=ends,
            annotations={"summary": f"It is {self.words[number]}."},
        )


def live(history: Iterable[Sent], in_force: Rules, store: Store, *, until: datetime) -> Life:
    """What comes of a history under these rules, until all of its deadlines have passed at `until`."""
    life, sender = Life(in_force, store), Sender()
    at = START
    for sent in history:
        # A commit lies between two transactions: no two of them have one instant.
        at += max(sent.after, timedelta(microseconds=1))
        life.advance(at)
        if told := sender.alerts(sent, at):
            life.post(told)
    life.advance(until)
    return life
