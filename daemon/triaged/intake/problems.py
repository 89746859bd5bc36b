"""Problems on the write path: incidents that opened or ended are counted, people's acts are done.

Asked after all else of the transaction is saved, so that it sees what that decided.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from msgspec.structs import replace

from triaged.core import solving, storm
from triaged.core.effects import KeepKnowledge
from triaged.core.model import Incident, Severity
from triaged.core.problems import (
    Cause,
    Counted,
    Followed,
    Problem,
    ProblemState,
    causes,
    counted,
    joined,
    left,
    made_by,
    opened,
    within,
)
from triaged.core.rules import RuleSet
from triaged.core.solving import ProblemExplained
from triaged.errors import ActError
from triaged.intake.units import Answer, AskProblem, Recurring
from triaged.ports.store import Batch, Transaction, Want

SEVERITY: Final = Severity.SEV4
"""What is known of a problem waits for what burns."""


def take(transaction: Transaction, unit: Recurring | AskProblem, rules: RuleSet, now: datetime) -> tuple[Answer, Batch]:
    """What the unit is answered, and the rows that are to be saved with it."""
    solving_it = _Solving(transaction, rules, now)
    if isinstance(unit, AskProblem):
        return solving_it.act(unit), solving_it.batch
    solving_it.follow(unit)
    return Answer(), solving_it.batch


class _Solving:
    """One unit: what was read, and what is to be written."""

    def __init__(self, transaction: Transaction, rules: RuleSet, now: datetime) -> None:
        self._transaction = transaction
        self._table = transaction.problems
        self._rules = rules
        self._now = now
        self.batch = Batch()

    def follow(self, unit: Recurring) -> None:
        """Count these incidents, oldest first, and see what that makes of them."""
        ids = sorted(unit.incident_ids)
        incidents = self._transaction.incidents(ids)
        rows = self._table.counted(ids)
        for incident_id in ids:
            incident = incidents.get(incident_id)
            if incident is not None:
                self._follow(incident, rows.get(incident_id))
        self._table.seen(unit.seen)

    def act(self, unit: AskProblem) -> Answer:
        """Do what a person asks of a problem."""
        problem = self._table.of_number(unit.number)
        if problem is None:
            return Answer(status=404, error=f"PRB-{unit.number} does not exist")
        try:
            changed = solving.act(problem, unit.act, self._table.urls(problem.id), self._now)
        except ActError as error:
            if unit.quietly:
                # What was done to its issue is undone.
                self._publish(problem.id, ())
                return Answer()
            return Answer(status=409, error=str(error))
        if isinstance(unit.act, ProblemExplained):
            self.batch.knowledge.append(_kept(problem, unit.act))
        problem = changed.problem
        if problem.closed_at is not None:
            late = self._table.since(problem.id, problem.closed_at)
            problem = replace(problem, incidents=problem.incidents - len(late))
            self._table.keep((), [replace(row, problem_id=None) for row in late])
        self._table.keep([problem], ())
        self.batch.timeline.extend(changed.timeline)
        self._publish(problem.id, ())
        if changed.tells:
            unfinished = self._table.unfinished(problem.id)
            self._publish(problem.id, self._transaction.incidents(unfinished).values())
        return Answer(value=problem)

    def _follow(self, incident: Incident, before: Counted | None) -> None:
        row = None if incident.source == storm.SOURCE else counted(incident)
        if row is None:
            if before is not None:
                self._leave(incident, before)
            return
        if before is not None and before.problem_id is not None:
            self._still(before, row)
            return
        if row != before:
            self._table.keep((), [row])
        if not self._join(incident, row):
            self._recur(incident, row)

    def _join(self, incident: Incident, row: Counted) -> bool:
        """Whether an open problem of one of its causes follows it from now on."""
        for cause in causes(row):
            problem = self._table.of_cause(cause.name)
            if problem is not None and problem.state is ProblemState.OPEN:
                self._save(joined(problem, row, self._now), [incident])
                return True
        return False

    def _recur(self, incident: Incident, row: Counted) -> None:
        """Open the first problem that it makes with those before it, if any."""
        for cause in causes(row):
            former = self._table.of_cause(cause.name)
            found = self._alike(cause, row, former)
            because = made_by(cause, found, self._rules.problems)
            if not because:
                continue
            number = self._transaction.next_id("incident") if former is None else former.id
            followed = opened(cause, incident, found[::-1], because, former=former, number=number, now=self._now)
            self._save(followed, self._transaction.incidents([one.incident_id for one in found]).values())
            return

    def _alike(self, cause: Cause, row: Counted, former: Problem | None) -> list[Counted]:
        span = within(cause, self._rules.problems)
        if span is None:
            return []
        since = row.opened_at - span
        if former is not None and former.closed_at is not None:
            since = max(since, former.closed_at)
        return self._table.alike(cause, since, row.opened_at)

    def _still(self, before: Counted, row: Counted) -> None:
        """A problem follows it already, and shows how it ended."""
        known = replace(row, problem_id=before.problem_id)
        if known != before:
            self._table.keep((), [known])
        problem = self._table.of_number(before.problem_id or 0)
        if problem is None:
            return
        if known.restricted and not problem.restricted:
            self._table.keep([replace(problem, restricted=True)], ())
            self._publish(problem.id, ())
        elif known != before and problem.state is ProblemState.OPEN:
            self._publish(problem.id, ())

    def _leave(self, incident: Incident, before: Counted) -> None:
        self._table.forget([incident.id])
        problem = None if before.problem_id is None else self._table.of_number(before.problem_id)
        if problem is not None:
            self._save(left(problem, incident, self._now), [incident])

    def _save(self, followed: Followed, told: Iterable[Incident]) -> None:
        self._table.keep([followed.problem], followed.rows)
        self.batch.timeline.extend(followed.timeline)
        self._publish(followed.problem.id, told)

    def _publish(self, number: int, incidents: Iterable[Incident]) -> None:
        """The problem's issue shall be true, and what those of the incidents say of it."""
        self.batch.wants[number] = Want(severity=SEVERITY, urgent=False)
        for incident in incidents:
            if incident.parent is None:
                self.batch.wants.setdefault(incident.id, Want(severity=incident.severity, urgent=False))


def _kept(problem: Problem, act: ProblemExplained) -> KeepKnowledge:
    return KeepKnowledge(
        number=problem.id,
        key=problem.key,
        service=problem.service,
        category=problem.category,
        restricted=problem.restricted,
        link=act.link,
        by=act.actor.name,
    )
