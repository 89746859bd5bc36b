"""What the API says of why an incident is as it is, as described JSON."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from pydantic import BaseModel

from triaged.core import trace, wording
from triaged.core.model import (
    Category,
    DeadlineKind,
    Impact,
    Objective,
    Outcome,
    Severity,
    State,
    Tried,
    Urgency,
    Verdict,
)
from triaged.explaining.incident import Explanation, Judgement
from triaged.web.answers import Told


class Condition(BaseModel):
    """A condition of a rule, and the value that it saw."""

    condition: str
    saw: str


class TriedRule(BaseModel):
    """One rule in its turn: `conditions` are all that held, or the one that failed."""

    rule: str
    matched: bool
    conditions: list[Condition]
    sets: Mapping[str, str]
    because: str


class Sum(BaseModel):
    """Impact × urgency is `cell` of the matrix, which `at_most` limits to `severity`; `_by` names rules and growth."""

    impact: Impact
    impact_by: list[str]
    urgency: Urgency
    urgency_by: list[str]
    cell: Severity
    at_most: Severity | None
    at_most_by: list[str]
    severity: Severity


class GrowthCondition(BaseModel):
    """What an incident becomes when it grows: `when` is waited for, `sees` is what there is now."""

    ref: str
    when: str
    sees: str
    sets: Mapping[str, str]
    because: str
    held: bool


class Difference(BaseModel):
    """What the rules in force would say differently."""

    of: str
    then: str
    now: str


class Said(BaseModel):
    """The verdict as it was recorded."""

    severity: Severity
    impact: Impact
    urgency: Urgency
    category: Category
    service: str
    team: str
    key: Mapping[str, str]
    at_most: Severity | None
    matched: list[str]
    because: list[str]
    dropped: str | None
    delay: str | None
    close: str | None
    repository: str | None
    labels: list[str]
    restricted: bool


class JudgedAlert(BaseModel):
    """An alert with its verdict, which `alike` alerts share; `note` says what cannot be told."""

    labels: Mapping[str, str]
    source: str
    starts_at: datetime
    received_at: datetime
    ended_at: datetime | None
    alike: int
    rule_set: str
    verdict: Said | None
    arithmetic: Sum | None
    rules: list[TriedRule]
    rules_left_out: int
    growth: list[GrowthCondition]
    today: list[Difference]
    note: str


class DerivedDeadline(BaseModel):
    """A deadline that stands, and what it follows from."""

    kind: DeadlineKind
    due_at: datetime
    derived: str


class DerivedObjective(BaseModel):
    """An objective of the present round, what its instant follows from, and its outcome."""

    objective: Objective
    due_at: datetime
    derived: str
    outcome: Outcome | None


class Explained(BaseModel):
    """Why an incident is as it is: at most 5 different verdicts, gravest first, of each alert at most 1,000 rules.

    `standing` says in words why it is in its state. `rule_set` is the hash of the rules that opened it, `rule_set_now`
    that of the rules in force. `decisions` are the newest 100.
    """

    id: str
    title: str
    state: State
    severity: Severity
    judged: Severity
    parent: str | None
    standing: list[str]
    rule_set: str
    rule_set_now: str
    keys: list[Mapping[str, str]]
    judgements: list[JudgedAlert]
    verdicts_left_out: int
    objectives: list[DerivedObjective]
    deadlines: list[DerivedDeadline]
    decisions: list[Told]


def explained(found: Explanation, *, whole: bool) -> Explained:
    """The explanation; without `whole` only what everybody may know of a restricted incident."""
    incident = found.incident
    parent = incident.parent
    return Explained(
        id=incident.name,
        title=incident.title,
        state=incident.state,
        severity=incident.severity,
        judged=incident.judged,
        parent=None if parent is None else f"INC-{parent}",
        standing=list(found.standing) if whole else ["restricted: with an API token there is more to see"],
        rule_set=incident.rule_set,
        rule_set_now=found.rule_set_now,
        keys=[dict(key.pairs) for key in found.keys] if whole else [],
        judgements=[_judged(one) for one in found.judgements] if whole else [],
        verdicts_left_out=found.verdicts_left_out if whole else 0,
        objectives=[
            DerivedObjective(objective=one.objective, due_at=one.due_at, derived=one.derived, outcome=one.outcome)
            for one in found.objectives
        ],
        deadlines=[DerivedDeadline(kind=one.kind, due_at=one.due_at, derived=one.derived) for one in found.deadlines],
        decisions=[Told(at=e.at, entry=e.entry, by=e.by, text=e.text) for e in found.decisions] if whole else [],
    )


def _judged(one: Judgement) -> JudgedAlert:
    alert = one.alert
    return JudgedAlert(
        labels=alert.labels,
        source=alert.source,
        starts_at=alert.starts_at,
        received_at=alert.begun_at,
        ended_at=alert.ended_at,
        alike=one.alike,
        rule_set=one.rule_set,
        verdict=None if one.verdict is None else _said(one.verdict),
        arithmetic=None if one.arithmetic is None else _sum(one.arithmetic),
        rules=[_tried(tried) for tried in one.tried],
        rules_left_out=one.untold,
        growth=[
            GrowthCondition(ref=g.name, when=g.when, sees=sees, sets=g.sets, because=g.because, held=g.held)
            for g, sees in one.growing
        ],
        today=[Difference(of=d.of, then=d.then, now=d.now) for d in one.today],
        note=one.note,
    )


def _tried(tried: Tried) -> TriedRule:
    conditions = tried.held if tried.matched else ((tried.failed, tried.saw),)
    return TriedRule(
        rule=tried.rule,
        matched=tried.matched,
        conditions=[Condition(condition=condition, saw=saw) for condition, saw in conditions],
        sets=tried.sets,
        because=tried.because,
    )


def _sum(found: trace.Arithmetic) -> Sum:
    return Sum.model_validate({name: getattr(found, name) for name in Sum.model_fields})


def _said(verdict: Verdict) -> Said:
    fields = {name: getattr(verdict, name) for name in Said.model_fields}
    fields["key"] = dict(verdict.key.pairs)
    fields["delay"] = None if verdict.delay is None else wording.span(verdict.delay)
    return Said.model_validate(fields)
