"""What a look at an issue found, on the write path: acts to be done, and what was seen, in one transaction."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from triaged.core.commanding import LOGIN, Command, answer, heeds, meant, refusal
from triaged.core.effects import Comment
from triaged.core.events import Acknowledged, CloseAsked, ClosedByBot, ReopenAsked, ReviewAsked, Said, Ticked, Undone
from triaged.core.model import Actor, ActorKind, CloseReason, Incident, ReviewOutcome
from triaged.core.observed import Commanded, Done, Looked, Remark, Seen, all_ticks, compare, covering, is_so
from triaged.core.reporter import offers
from triaged.core.rules import RuleSet
from triaged.core.solving import ProblemAct, ProblemClosed, ProblemReopened, ProblemSaid
from triaged.intake.units import Answer, Ask, AskProblem, Happened, Observed
from triaged.ports.backend import Kind
from triaged.ports.looks import Look, seen
from triaged.ports.store import Transaction


class Withdrawn(Struct, frozen=True, kw_only=True):
    """Whoever reported what waits to open says that it is over."""

    incident_id: int


Step = Withdrawn | Ask | AskProblem | Happened
"""What is to be done because of a look, in its transaction."""
OVERTAKEN: Final = 409
_OK: Final = 200
_MOST_KEPT: Final = 200


class Observing:
    """What follows from looks within one transaction: `do` does a step, `incident` gives one as it is by then."""

    def __init__(
        self,
        transaction: Transaction,
        rules: RuleSet,
        now: datetime,
        *,
        do: Callable[[Step], Answer],
        incident: Callable[[int], Incident | None] = lambda _: None,
    ) -> None:
        self._table = transaction.looks
        self._rules = rules
        self._now = now
        self._incident = incident
        self._do = do

    def take(self, unit: Observed) -> tuple[Answer, list[Comment]]:
        """What the unit is answered, and what people are; 409 where we wrote to the issue meanwhile: look again."""
        table, now = self._table, self._now
        basis = table.basis(unit.number)
        if basis is None:
            return Answer(), []
        busy = basis.claimed_until is not None and basis.claimed_until > now
        if busy or replace(basis, claimed_until=None) != replace(unit.basis, claimed_until=None):
            return Answer(status=OVERTAKEN, error="it was written to meanwhile"), []
        look = table.of(unit.number) or Look(number=unit.number, due_at=now)
        incident = self._incident(unit.incident_id) if unit.kind is Kind.INCIDENT else None
        if incident is not None and incident.opened_at is None:
            # People opened the issue, and nothing of ours is there yet: what they do counts once it is.
            table.keep(replace(look, hinted_at=unit.hinted_at))
            if unit.looked.closed and not unit.looked.closer.bot:
                self._do(Withdrawn(incident_id=incident.id))
            return Answer(), []
        former, looked = seen(look, basis), unit.looked
        reviewed = self._incident(unit.incident_id) if unit.kind is Kind.REVIEW else None
        done = compare(looked, former, incident, partial(person, self._rules), reviewed=reviewed)
        left = any(isinstance(one, ClosedByBot) and one.left for one in done) or _left_before(looked, former)
        if looked.closed != former.closed and not left:
            table.state(unit.number, closed=looked.closed, now=now)
        table.keep(_after(look, unit, bots=sum(isinstance(one, ClosedByBot) for one in done)))
        return Answer(), [comment for one in done for comment in self._follow(unit, one, former)]

    def _follow(self, unit: Observed, done: Done, former: Seen) -> list[Comment]:
        """Do what was done to the issue to what it is of; the answers to who asked for it there."""
        match done:
            case Commanded():
                return self._heed(unit, done.remark, former)
            case Said() | Ticked() if unit.kind is Kind.REVIEW:
                told = replace(done, where=f"{unit.kind}-{unit.number}")
                self._do(Happened(incident_id=unit.incident_id, event=told))
            case Said() if unit.kind is Kind.PROBLEM:
                said = ProblemSaid(actor=done.actor, text=done.text, url=done.url, at=done.at)
                self._do(AskProblem(number=unit.number, act=said, quietly=True))
            case Said() | Ticked() | ClosedByBot():
                self._do(Happened(incident_id=unit.incident_id, event=done))
            case CloseAsked() | ReopenAsked() if unit.kind is Kind.REVIEW:
                self._do(on_review(unit.incident_id, done))
            case CloseAsked() | ReopenAsked() if unit.kind is Kind.PROBLEM:
                self._do(on_problem(unit.number, done))
            case CloseAsked() | ReopenAsked():
                self._end(unit, done)
            case _:
                self._do(Ask(incident_id=unit.incident_id, act=done))
        return []

    def _end(self, unit: Observed, act: CloseAsked | ReopenAsked) -> None:
        incident = self._incident(unit.incident_id)
        if incident is not None and is_so(unit.looked.closed, incident):
            # A command in a comment has said the same.
            return
        refused = self._do(Ask(incident_id=unit.incident_id, act=act))
        if refused.status != _OK:
            what = "the close" if isinstance(act, CloseAsked) else "the reopening"
            undone = Undone(actor=act.actor, what=what, why=refused.error)
            self._do(Happened(incident_id=unit.incident_id, event=undone))

    def _heed(self, unit: Observed, remark: Remark, former: Seen) -> list[Comment]:
        """Do the commands of a comment in their order, each for itself."""
        incident = self._incident(unit.incident_id) if unit.kind is Kind.INCIDENT else None
        heeded = heeds(remark.commands, remark.by, remark.refused, incident)
        if remark.refused is not None and not any(heeded):
            return [*refusal(unit.number, remark.id, remark.by, remark.refused)]
        errors = [
            self._command(unit, remark, one, former) if may or remark.refused is None else remark.refused.why
            for one, may in zip(remark.commands, heeded, strict=True)
        ]
        offered = offers(incident, remark.by) if remark.refused is not None and incident is not None else ""
        return [answer(unit.number, remark.id, remark.commands, errors, offers=offered)]

    def _command(self, unit: Observed, remark: Remark, command: Command, former: Seen) -> str:
        """Why it cannot be done, "" where it is."""
        if command.act is None:
            return command.error
        actor = Actor(name=person(self._rules, remark.by), kind=ActorKind.PERSON)
        act = meant(command.act, actor, partial(called, self._rules))
        if isinstance(act, ProblemAct):
            return self._do(AskProblem(number=unit.number, act=act)).error
        if isinstance(act, CloseAsked | ReopenAsked) and unit.kind is Kind.REVIEW:
            return self._do(replace(on_review(unit.incident_id, act), quietly=False)).error
        if isinstance(act, CloseAsked):
            act = replace(act, at=min(remark.at, self._now), seen=covering(former))
        elif isinstance(act, Acknowledged):
            act = replace(act, at=remark.at)
        error = self._do(Ask(incident_id=unit.incident_id, act=act)).error
        incident = self._incident(unit.incident_id)
        if isinstance(act, CloseAsked) and not error and incident is not None and incident.state.unfinished:
            return "alerts began after that was written: it is open"
        return error


def person(rules: RuleSet, login: str) -> str:
    """The name by which the rules know who has this login, else the login."""
    wanted = login.casefold()
    return next((name for name, one in rules.people.items() if one.github.casefold() == wanted), login)


def called(rules: RuleSet, written: str) -> str:
    """Whom a command names: by a name that the rules know, or by a login."""
    known = written in rules.people or written in rules.teams
    return written if known else person(rules, written.removeprefix(LOGIN))


def _left_before(looked: Looked, former: Seen) -> bool:
    """Whether it is closed as a bot had closed it when we left it so."""
    return looked.closed and looked.closer.bot and looked.closed_at == former.closed_at


def _after(look: Look, unit: Observed, *, bots: int) -> Look:
    looked = unit.looked
    last = max(looked.remarks, key=lambda remark: remark.id, default=None)
    return replace(
        look,
        hinted_at=unit.hinted_at,
        attempts=0,
        failure="",
        through_at=unit.through_at,
        closed_at=looked.closed_at if looked.closed else look.closed_at,
        bot_closes=look.bot_closes + bots,
        labels=looked.labels[:_MOST_KEPT],
        assignees=looked.assignees[:_MOST_KEPT],
        ticks=all_ticks(looked)[:_MOST_KEPT],
        remark=look.remark if last is None else max(last.id, look.remark),
        remarked_at=look.remarked_at if last is None else last.at,
        remarks=unit.remarks,
        shown=(),
    )


def on_review(incident_id: int, act: CloseAsked | ReopenAsked) -> Ask:
    """A person's close of a review's issue says that it was held; as anything but completed it is waived."""
    asked = ReviewAsked(actor=act.actor, outcome=ReviewOutcome.OPEN, reason="its issue was opened again")
    if isinstance(act, CloseAsked) and act.reason is CloseReason.COMPLETED:
        asked = ReviewAsked(actor=act.actor, outcome=ReviewOutcome.HELD)
    elif isinstance(act, CloseAsked):
        reason = f"its issue was closed as {str(act.reason).replace('_', ' ')}"
        asked = ReviewAsked(actor=act.actor, outcome=ReviewOutcome.WAIVED, reason=reason)
    return Ask(incident_id=incident_id, act=asked, quietly=True)


def on_problem(number: int, act: CloseAsked | ReopenAsked) -> AskProblem:
    """A person's close or reopening of a problem's issue is one of the problem."""
    asked: ProblemClosed | ProblemReopened = ProblemReopened(actor=act.actor, reason="its issue was opened again")
    if isinstance(act, CloseAsked):
        completed = act.reason is CloseReason.COMPLETED
        reason = CloseReason.COMPLETED if completed else CloseReason.NOT_PLANNED
        asked = ProblemClosed(actor=act.actor, reason=reason, note="its issue was closed", at=act.at)
    return AskProblem(number=number, act=asked, quietly=True)
