"""What is asked of reviews and action items: rows beside the incident that they belong to, and a review's report."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from triaged.core.model import ActionKind, Review, ReviewOutcome, Severity
from triaged.ports.backend import Address, Report


class ReviewRow(Struct, frozen=True, kw_only=True, tag="review"):
    """A review; `changes` counts how often it changed, the last time at `changed_at`."""

    number: int
    incident_id: int
    team: str
    severity: Severity
    opens_at: datetime
    due_at: datetime
    state: ReviewOutcome
    changes: int = 0
    changed_at: datetime


class ActionRow(Struct, frozen=True, kw_only=True, tag="action"):
    """An action item of an incident, `id` counted within it; `changes` as of a review."""

    incident_id: int
    id: int
    team: str
    kind: ActionKind
    owner: str
    text: str
    due_at: datetime | None
    done_at: datetime | None
    changes: int = 0
    changed_at: datetime


class ReviewReport(Struct, frozen=True, kw_only=True):
    """Everything that a review's issue tells.

    `report` is its incident's, with more of its timeline; `repository` and `hidden` in it are of the review's issue.
    `incident_at` is where the incident's issue is. `participants` are those who acted, at most some tens; `invited`
    says that stakeholders are.
    """

    report: Report
    review: Review
    incident_at: Address | None
    participants: tuple[str, ...]
    invited: bool


class Dated(Struct, frozen=True, kw_only=True):
    """Something with an instant for a calendar; `title` is its incident's."""

    row: ReviewRow | ActionRow
    title: str
