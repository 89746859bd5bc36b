"""`problems` of triage.yaml: how often, or for how long, what recurs is a problem."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from triaged.core.rules import Downtime, ProblemRules, Recurrence
from triaged.rulefiles import words
from triaged.rulefiles.values import Value

KEYS: Final = {
    "same_key": "So many incidents of the same key.",
    "same_service": "So many incidents of the same service and category.",
    "downtime": "So much downtime of a service, by its outages and failures of critical functions.",
}
MOST: Final = 100
FURTHEST: Final = timedelta(days=366)


def read(value: Value) -> ProblemRules:
    """When what recurs is a problem, as far as it has no findings."""
    fields = value.fields(KEYS)
    return ProblemRules(
        same_key=fields.read("same_key", _recurrence),
        same_service=fields.read("same_service", _recurrence),
        downtime=fields.read("downtime", _downtime),
    )


def _recurrence(value: Value) -> Recurrence | None:
    fields = value.fields(("incidents", "within"), required=("incidents", "within"))
    incidents, within = fields.read("incidents", Value.whole), fields.read("within", _within)
    if incidents is not None and not 2 <= incidents <= MOST:
        fields["incidents"].wrong(f"expected a number from 2 to {MOST}")
        return None
    return Recurrence(incidents=incidents, within=within) if incidents and within else None


def _downtime(value: Value) -> Downtime | None:
    fields = value.fields(("of", "within"), required=("of", "within"))
    of, within = fields.read("of", _span), fields.read("within", _within)
    if of is not None and within is not None and of > within:
        fields["of"].wrong("expected no more downtime than the span of `within`")
        return None
    return Downtime(of=of, within=within) if of and within else None


def _within(value: Value) -> timedelta | None:
    span = _span(value)
    if span is not None and span > FURTHEST:
        value.wrong(f"expected at most {FURTHEST.days} days, like 30d")
        return None
    return span


def _span(value: Value) -> timedelta | None:
    return value.plain(words.some_span, "a duration like 30d")
