"""What a look at an issue found, on the write path: acts to be done, and what was seen, in one transaction."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Final

from msgspec.structs import replace

from triaged.core.events import CloseAsked, ClosedByBot, ReopenAsked, ReviewAsked, Said, Ticked
from triaged.core.model import CloseReason, Incident, ReviewOutcome
from triaged.core.observed import Done, Looked, Seen, compare
from triaged.core.rules import RuleSet
from triaged.core.solving import ProblemClosed, ProblemReopened
from triaged.intake.units import Answer, Ask, AskProblem, Happened, Observed
from triaged.ports.backend import Kind
from triaged.ports.looks import Look, seen
from triaged.ports.store import Transaction

Step = Ask | AskProblem | Happened
"""What is to be done because of it, in this transaction."""
OVERTAKEN: Final = 409
_MOST_KEPT: Final = 200


def take(
    transaction: Transaction, unit: Observed, incident: Incident | None, rules: RuleSet, now: datetime
) -> tuple[Answer, list[Step]]:
    """What the unit is answered, and what follows; 409 where we wrote to the issue meanwhile: look again."""
    table = transaction.looks
    basis = table.basis(unit.number)
    if basis is None:
        return Answer(), []
    busy = basis.claimed_until is not None and basis.claimed_until > now
    if busy or replace(basis, claimed_until=None) != replace(unit.basis, claimed_until=None):
        return Answer(status=OVERTAKEN, error="it was written to meanwhile"), []
    look = table.of(unit.number) or Look(number=unit.number, due_at=now)
    former, looked = seen(look, basis), unit.looked
    done = compare(looked, former, incident if unit.kind is Kind.INCIDENT else None, partial(person, rules))
    left = any(isinstance(one, ClosedByBot) and one.left for one in done) or _left_before(looked, former)
    if looked.closed != former.closed and not left:
        table.state(unit.number, closed=looked.closed, now=now)
    table.keep(_after(look, unit, bots=sum(isinstance(one, ClosedByBot) for one in done)))
    return Answer(), [step for one in done if (step := _step(unit, one)) is not None]


def person(rules: RuleSet, login: str) -> str:
    """The name by which the rules know who has this login, else the login."""
    wanted = login.casefold()
    return next((name for name, one in rules.people.items() if one.github.casefold() == wanted), login)


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
        ticks=looked.ticks[:_MOST_KEPT],
        remark=look.remark if last is None else max(last.id, look.remark),
        remarked_at=look.remarked_at if last is None else last.at,
        remarks=unit.remarks,
        shown=(),
    )


def _step(unit: Observed, done: Done) -> Step | None:
    match done:
        case Said() | Ticked() | ClosedByBot():
            return Happened(incident_id=unit.incident_id, event=done)
        case CloseAsked() | ReopenAsked() if unit.kind is Kind.REVIEW:
            return on_review(unit.incident_id, done)
        case CloseAsked() | ReopenAsked() if unit.kind is Kind.PROBLEM:
            return on_problem(unit.number, done)
        case _:
            return Ask(incident_id=unit.incident_id, act=done)


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
