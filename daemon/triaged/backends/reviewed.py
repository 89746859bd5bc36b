"""What an issue says of its incident's review in a line, and the action items under a heading."""

from __future__ import annotations

from triaged.backends.text import link, prose
from triaged.core import wording
from triaged.core.model import ActionItem, ActionKind, Incident, Review, ReviewOutcome
from triaged.ports.backend import Address

KINDS = {
    ActionKind.PREVENTIVE: "Preventive measures",
    ActionKind.PROCESS: "Process improvements",
    ActionKind.TOOL: "Tool enhancements",
    ActionKind.TRAINING: "Training needs",
}
"""The kinds of action items, as the process calls them."""


def standing(review: Review, at: Address | None = None) -> str:
    """`**Review:** REV-12, to be held by …`; the name leads to its issue where that is somewhere."""
    name = (link(review.name, at.url) if at else None) or review.name
    match review.outcome:
        case ReviewOutcome.OPEN:
            return f"**Review:** {name}, to be held by {wording.instant(review.due_at)}"
        case ReviewOutcome.WITHDRAWN:
            return f"**Review:** {name}, withdrawn"
        case outcome:
            return f"**Review:** {name}, {outcome} by {prose(review.by, most=80)}"


def action_items(incident: Incident, *, heading: str) -> str:
    """The action items under a heading, by kind; "" where there are none."""
    actions = incident.process.actions
    done = sum(item.done_at is not None for item in actions)
    parts = [f"{heading} ({done} of {len(actions)} done)"]
    for kind, words in KINDS.items():
        lines = [_item(item) for item in actions if item.kind is kind]
        if lines:
            parts.append(f"**{words}**\n\n" + "\n".join(lines))
    return "\n\n".join(parts) if actions else ""


def _item(item: ActionItem) -> str:
    whose = f"{prose(item.owner, most=80)}: " if item.owner else ""
    due = f" · due {wording.instant(item.due_at)}" if item.due_at and item.done_at is None else ""
    done = f" · done {wording.instant(item.done_at)} by {prose(item.done_by, most=80)}" if item.done_at else ""
    return f"- [{'x' if item.done_at else ' '}] {item.id}. {whose}{prose(item.text, most=1_000)}{due}{done}"
