"""One replay: the recorded alerts and acts go again through the real intake, each at its own instant.

The record holds each alert when it changed something, and repeats are not among it. That is enough, because whether a
firing goes on does not depend on the rules: a repeat of the text that an episode has changes nothing under any rules,
and another text was recorded if its content was another. What rules drop has no episode, so there every text is
recorded, that of its end too. It is not enough where a repeat would be judged anew later: where a drop of the other
rules ends on a date, nobody knows whether the alert was still repeated then; and a second text of one state (members of
an HA pair differ in their generator URL) may, with calendars or growth, be judged anew live where a replay has no such
text. What was taken in together, at one instant, goes in together again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from heapq import merge
from itertools import groupby
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import Final, NamedTuple

from msgspec import Struct, field
from msgspec.structs import replace

from triaged.core.events import Act, MergeAsked, SilenceAsked, SplitAsked
from triaged.core.maintenance import Plan
from triaged.errors import ConfigError, StoreError
from triaged.intake.known import Known
from triaged.intake.units import Ask, Delivery, Job, Rules, Unit
from triaged.ports.source import Read
from triaged.ports.store import AlertRecord, Fate
from triaged.replay.world import World
from triaged.sources import alertmanager
from triaged.store.acts import Acted
from triaged.store.history import History, Span
from triaged.store.scratch import ScratchStore

_EXAMPLES: Final = 20
_AT_ONCE: Final = 500
_MOST_RULE_SETS: Final = 4
_ENDED_OR_DROPPED: Final = frozenset({Fate.ENDED, Fate.DROPPED})

ReadRules = Callable[[Mapping[str, str]], Rules]
Told = Callable[[int], None]
"""Called now and then with the number of records that have been replayed."""


class Replayed(Struct, kw_only=True):
    """What a replay went through; `lost` are people's acts, `broken` alerts, that could not be replayed.

    `why` are sentences on what could not, the first few.
    """

    records: int = 0
    standing: int = 0
    acts: int = 0
    lost: int = 0
    broken: int = 0
    why: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        if len(self.why) < _EXAMPLES and text not in self.why:
            self.why.append(text)


class Replay:
    """Plays a history into new stores. `readers` are asked by the source's name, `read_rules` for stored texts."""

    def __init__(
        self, history: History, *, readers: Mapping[str, Read], read_rules: ReadRules, told: Told = lambda _number: None
    ) -> None:
        self._history = history
        self._readers = readers
        self._read_rules = read_rules
        self._told = told

    def run(self, span: Span, file: Path, rules: Rules | None = None) -> Replayed:
        """Play the span into a new store at `file`; `rules` judge all of it, or (None) those in force at the time.

        What fired at the beginning is taken to have begun then. Raises ConfigError where no rules can be had, and
        StoreError where a store fails.
        """
        found = Replayed()
        book = _Book(self._history, self._read_rules, found) if rules is None else None
        first = rules if book is None else book.first(span)
        if first is None:
            raise ConfigError("backtest: expected the rules that were in force, found none that can be read")
        store = ScratchStore(file)
        try:
            world = _Past(first, span.since, readers=self._readers, store=store)
            _Playing(world, self._history, found, book=book, told=self._told).play(span)
        finally:
            store.close()
        return found


class _Forgetful(Known):
    """Knows nothing: what was recorded was judged then, so it is judged again."""

    def same(self, fingerprint: str, digest: bytes, status: str) -> None:
        """Not kept."""


class _Past(World):
    """A world on a store to be thrown away, quick at asking what is due."""

    def __init__(self, rules: Rules, at: datetime, *, readers: Mapping[str, Read], store: ScratchStore) -> None:
        super().__init__(rules, at, readers=readers, store=store, known=_Forgetful())
        self.scratch = store

    def _next_due(self) -> datetime | None:
        return self.scratch.next_due_at()

    def _next_missed(self) -> datetime | None:
        """Never: that a heartbeat was heard is not recorded, but that it was missing is, as an alert of our own."""
        return None


class _Book:
    """The rule sets that were in force, as they were stored; one that cannot be read leaves the former in force."""

    def __init__(self, history: History, read: ReadRules, found: Replayed) -> None:
        self._history = history
        self._read = read
        self._found = found
        self._rules: dict[str, Rules | None] = {}

    def first(self, span: Span) -> Rules | None:
        """The first that can be read of those in force in the span."""
        return next((rules for digest in self._history.rule_sets(span) if (rules := self.rules(digest))), None)

    def rules(self, digest: str) -> Rules | None:
        if digest not in self._rules:
            if len(self._rules) >= _MOST_RULE_SETS:
                del self._rules[next(iter(self._rules))]
            self._rules[digest] = self._stored(digest)
        return self._rules[digest]

    def _stored(self, digest: str) -> Rules | None:
        files = self._history.rule_set(digest)
        try:
            if files is not None:
                return self._read(files)
            why = "the store does not have them"
        except ConfigError as error:
            why = str(error).splitlines()[0]
        self._found.say(f"the rules {digest} were in force and cannot be read, so the former stay: {why}")
        return None


class _Moment(NamedTuple):
    """What happened at an instant: maintenance, then alerts that came together, judged by a rule set, or an act."""

    at: datetime
    order: int
    rule_set: str
    what: list[AlertRecord] | Acted | Plan


class _Playing:
    """The loop of one replay."""

    def __init__(self, world: _Past, history: History, found: Replayed, *, book: _Book | None, told: Told) -> None:
        self._world = world
        self._history = history
        self._found = found
        self._book = book
        self._told = told
        self._in_force = ""

    def play(self, span: Span) -> None:
        self._stand(span)
        arrivals = groupby(self._history.records(span), key=attrgetter("received_at", "rule_set"))
        windows: Iterator[_Moment] = (
            _Moment(max(plan.begins_at, span.since), -1, "", plan) for plan in self._history.windows(span)
        )
        moments: Iterator[_Moment] = (_Moment(at, 0, rule_set, list(records)) for (at, rule_set), records in arrivals)
        acts: Iterator[_Moment] = (_Moment(acted.at, 1, "", acted) for acted in self._history.acts(span))
        for moment in merge(windows, moments, acts, key=itemgetter(0, 1)):
            self._world.advance(moment.at)
            if isinstance(moment.what, Acted):
                self._act(moment.what)
            elif isinstance(moment.what, Plan):
                self._maintain(moment.what)
            else:
                self._arrive(moment.rule_set, moment.what)
        self._world.advance(span.until)
        self._told(self._found.records)

    def _stand(self, span: Span) -> None:
        """What fired when the span began."""
        standing = iter(self._history.standing(span.since))
        while taken := [record for record, _ in zip(standing, range(_AT_ONCE), strict=False)]:
            self._found.standing += len(taken)
            self._deliver(taken)

    def _arrive(self, rule_set: str, records: list[AlertRecord]) -> None:
        if self._book is not None and rule_set != self._in_force:
            self._in_force = rule_set
            rules = self._book.rules(rule_set)
            if rules is not None and rules is not self._world.intake.rules:
                self._world.intake.use(rules)
        self._deliver(records)
        before = self._found.records
        self._found.records += len(records)
        if before // _AT_ONCE != self._found.records // _AT_ONCE:
            self._told(self._found.records)

    def _deliver(self, records: list[AlertRecord]) -> None:
        for answer in self._world.ask(*_deliveries(records)):
            if answer.status != 200:
                raise StoreError(f"backtest: a recorded delivery could not be replayed: {answer.error}")
            if failed := answer.counts.get(Fate.FAILED, 0):
                self._found.broken += failed
                self._found.say("alerts met a bug of this release and were left out; its log says more")

    def _maintain(self, plan: Plan) -> None:
        """A recorded window as it was in the end, known from its beginning on, which may lie before the span."""
        known = replace(plan, number=0, name="", ended_by=None)
        (answer,) = self._world.ask(Job(run=lambda transaction, _now: transaction.keep_plan(known)))
        if answer.status != 200:
            raise StoreError(f"backtest: a recorded maintenance window could not be replayed: {answer.error}")

    def _act(self, acted: Acted) -> None:
        """Let the act follow the incident that holds the alert it was done on."""
        if isinstance(acted.act, SilenceAsked):
            self._found.say("silences were left out: here no Alertmanager keeps quiet, nor acknowledges by that")
            return
        self._found.acts += 1
        name = f"{acted.kind} by {acted.by} on INC-{acted.incident_id} at {acted.at:%Y-%m-%d %H:%M} UTC"
        target = self._where(acted.incident_id, acted)
        if target is None:
            self._lose(f"{name}: no incident holds an alert of it")
            return
        act: Act = acted.act
        if isinstance(act, MergeAsked):
            into = self._where(act.into, acted)
            if into is None or into == target:
                self._lose(f"{name}: there is nothing to merge it into")
                return
            act = replace(act, into=into)
        (answer,) = self._world.ask(Ask(incident_id=target, act=act))
        if answer.status != 200:
            self._lose(f"{name}: {answer.error.replace(f'INC-{target} ', 'its incident there ')}")

    def _where(self, incident_id: int, acted: Acted) -> int | None:
        """The opened incident that holds the first alert of a recorded one; of a folded one, its parent."""
        for fingerprint, begun_at in self._history.alerts_of(incident_id, acted.at):
            found = self._world.scratch.incident_of(fingerprint, begun_at)
            incident = None if found is None else self._world.incident(found)
            if incident is not None and incident.opened_at is not None:
                is_split = isinstance(acted.act, SplitAsked)
                return incident.id if incident.parent is None or is_split else incident.parent
        return None

    def _lose(self, why: str) -> None:
        self._found.lost += 1
        self._found.say(why)


def _deliveries(records: Iterable[AlertRecord]) -> Iterator[Unit]:
    """The requests that the records came in."""
    for (delivery, source), group in groupby(records, key=attrgetter("delivery", "source")):
        alerts = list(group)
        # An alert that says no status follows its group's, which is resolved only where all of it is.
        fates = {record.fate for record in alerts}
        status = "resolved" if Fate.ENDED in fates and fates <= _ENDED_OR_DROPPED else "firing"
        body = alertmanager.kept((record.raw for record in alerts), status)
        yield Delivery(id=delivery, source=source, body=body)
