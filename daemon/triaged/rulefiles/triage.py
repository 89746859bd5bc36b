"""triage.yaml: matrix, defaults, key, storm and the rules."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta

from triaged.core.catalogue import FACTS
from triaged.core.growth import Growth, Refires
from triaged.core.model import Category, Impact, Severity, Urgency
from triaged.core.rule import Rule
from triaged.core.rules import Defaults
from triaged.errors import Finding
from triaged.rulefiles import words
from triaged.rulefiles.services import repository
from triaged.rulefiles.severities import closer
from triaged.rulefiles.values import Fields, Value

KEYS = ("matrix", "default", "key", "storm", "rules")
REQUIRED = ("matrix", "default", "key", "rules")
CONDITIONS = ("match", "annotations", "source", "service", "until", "during", "outside")
SETTINGS = (
    "impact",
    "urgency",
    "at_most",
    "category",
    "key",
    "team",
    "repository",
    "delay",
    "close",
    "labels",
    "restricted",
    "stop",
    "drop",
    "because",
    "grows",
)
DEFAULTS = ("impact", "urgency", "category", "team")
STEADY = ("key", "drop", "delay", "repository")
"""What a rule may set only if neither annotations nor calendars decide whether it matches."""
UNSTEADY = ("annotations", "during", "outside")
ENDS_SOON = timedelta(days=14)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The names of the other files, and today where it matters."""

    teams: Collection[str]
    calendars: Collection[str]
    today: date | None
    default_team: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TriageFile:
    """What triage.yaml says; `default` is None where it has findings."""

    matrix: Mapping[Impact, Mapping[Urgency, Severity]]
    default: Defaults | None
    key: tuple[str, ...]
    rules: tuple[Rule, ...]
    warnings: tuple[Finding, ...]


def read(root: Value, known: Known) -> TriageFile:
    """The rules with all that they need, as far as they have no findings."""
    fields = root.fields(KEYS, required=REQUIRED)
    default = fields.read("default", _default)
    fields.read("storm", _storm)
    warnings: list[Finding] = []
    if default and known.teams and default.team not in known.teams:
        place = fields["default"].fields(DEFAULTS)["team"]
        warnings.append(
            place.noted(f"team {default.team} is not in services.yaml", words.nearest(default.team, known.teams))
        )
    known = replace(known, default_team=default.team if default else None)
    rules = fields.many("rules", lambda rules: _rules(rules, known, warnings))
    return TriageFile(
        matrix=fields.read("matrix", _matrix) or {},
        default=default,
        key=fields.many("key", _key),
        rules=rules,
        warnings=tuple(warnings),
    )


def _matrix(value: Value) -> dict[Impact, Mapping[Urgency, Severity]]:
    impacts = [impact.value for impact in Impact]
    matrix: dict[Impact, Mapping[Urgency, Severity]] = {}
    for name, row in value.fields(impacts, required=impacts).items():
        severities = row.each(lambda word: word.choice(Severity))
        if row.length is not None and row.length != len(Urgency):
            row.complain(f"expected four severities, for urgency {', '.join(Urgency)}, got {row.length}")
        matrix[Impact(name)] = dict(zip(Urgency, severities, strict=False))
    return matrix


def _default(value: Value) -> Defaults | None:
    fields = value.fields(DEFAULTS, required=DEFAULTS)
    impact = fields.read("impact", lambda word: word.choice(Impact))
    urgency = fields.read("urgency", lambda word: word.choice(Urgency))
    category = fields.read("category", lambda word: word.choice(Category))
    team = fields.read("team", Value.text)
    if not (impact and urgency and category and team):
        return None
    return Defaults(impact=impact, urgency=urgency, category=category, team=team)


def _key(value: Value) -> tuple[str, ...]:
    if value.length == 0:
        value.complain("expected at least one name, like alertname")
    return value.names()


def _storm(value: Value) -> None:
    fields = value.fields(("opened", "within", "severity"), required=("opened", "within"))
    fields.read("opened", Value.whole)
    fields.read("within", _some_span)
    fields.read("severity", lambda word: word.choice(Severity))


def _rules(value: Value, known: Known, warnings: list[Finding]) -> list[Rule]:
    rules: list[Rule] = []
    lines: dict[str, int] = {}
    conditions: dict[object, str] = {}
    for item in value.items():
        fields = item.fields((*CONDITIONS, "name", *SETTINGS), required=("name",))
        name = fields.read("name", _name)
        if name is None:
            name = "?"
        elif name in lines:
            fields["name"].complain(f"expected every rule name once, got {name} here and in line {lines[name]}")
        lines.setdefault(name, item.node.line)
        rule = _rule(name, fields, known)
        rules.append(rule)
        same = _conditions(rule)
        if same in conditions:
            warnings.append(
                item.noted(f"rule {name} has the very conditions of {conditions[same]}: make one of the two")
            )
        conditions.setdefault(same, name)
        warnings += _ending(fields, rule, known.today)
    return rules


def _name(value: Value) -> str | None:
    return value.shaped(r"[^\s#,][^#,\n]{0,99}", "a name without # and ,")


def _rule(name: str, fields: Fields, known: Known) -> Rule:
    for setting in STEADY:
        if setting in fields:
            for condition in filter(fields.__contains__, UNSTEADY):
                fields[setting].complain(
                    f"expected no `{condition}` in a rule that sets {setting}",
                    "annotations and calendars change while the alert stays the same",
                )
    close = fields.read("close", lambda who: who.one_of(("person", "daemon")))
    return Rule(
        name=name,
        match=fields.many("match", Value.matchers),
        annotations=fields.many("annotations", Value.matchers),
        source=fields.many("source", lambda matchers: matchers.matchers(("name",))),
        service=fields.many("service", lambda matchers: matchers.matchers(FACTS)),
        until=fields.read("until", _until),
        during=fields.read("during", lambda name: name.one_of(known.calendars, "a calendar of calendars.yaml")),
        outside=fields.read("outside", lambda name: name.one_of(known.calendars, "a calendar of calendars.yaml")),
        impact=fields.read("impact", lambda word: word.choice(Impact)),
        urgency=fields.read("urgency", lambda word: word.choice(Urgency)),
        at_most=fields.read("at_most", lambda word: word.choice(Severity)),
        category=fields.read("category", lambda word: word.choice(Category)),
        key=fields.read("key", _key),
        team=fields.read("team", lambda team: _team(team, known)),
        repository=fields.read("repository", repository),
        delay=fields.read("delay", _some_span),
        close=None if close is None else closer(close),
        labels=fields.many("labels", Value.names),
        restricted=fields.read("restricted", Value.flag),
        stop=fields.read("stop", Value.flag) or False,
        drop=fields.read("drop", lambda reason: reason.shaped(r"(?s).*\S.*", "a reason in words")),
        because=fields.read("because", Value.text) or "",
        grows=fields.many("grows", lambda grows: _growths(name, grows)),
    )


def _team(value: Value, known: Known) -> str | None:
    if value.word == known.default_team:
        return value.word
    return value.one_of(known.teams, "a team of services.yaml")


def _until(value: Value) -> datetime | None:
    day = value.plain(words.day, "a date like 2026-12-24")
    return None if day is None else datetime.combine(day, time.min, UTC) + timedelta(days=1)


def _growths(rule: str, value: Value) -> list[Growth]:
    return [_growth(f"{rule}#{n}", rule, item) for n, item in enumerate(value.items())]


def _growth(ref: str, rule: str, value: Value) -> Growth:
    fields = value.fields(("when", "impact", "urgency", "because"), required=("when",))
    if "impact" not in fields and "urgency" not in fields:
        value.complain("expected `impact` or `urgency`, got neither")
    names = ("alerts", "firing_for", "distinct", "refires")
    when = fields["when"].fields(names) if "when" in fields else Fields()
    if "when" in fields and not fields["when"].entries():
        fields["when"].complain(f"expected at least one of {words.listed(names)}")
    return Growth(
        ref=ref,
        rule=rule,
        alerts=when.read("alerts", Value.whole),
        firing_for=when.read("firing_for", _some_span),
        distinct=when.read("distinct", _distinct) or {},
        refires=when.read("refires", _refires),
        impact=fields.read("impact", lambda word: word.choice(Impact)),
        urgency=fields.read("urgency", lambda word: word.choice(Urgency)),
        because=fields.read("because", Value.text) or "",
    )


def _distinct(value: Value) -> dict[str, int]:
    return {key.word: least for key, number in value.entries() if (least := number.whole()) is not None}


def _refires(value: Value) -> Refires | None:
    fields = value.fields(("count", "within"), required=("count", "within"))
    count, within = fields.read("count", Value.whole), fields.read("within", _some_span)
    return Refires(count=count, within=within) if count and within else None


def _some_span(value: Value) -> timedelta | None:
    return value.plain(words.some_span, "a duration like 15m")


def _conditions(rule: Rule) -> object:
    matchers = (rule.match, rule.annotations, rule.source, rule.service)
    return (*map(frozenset, matchers), rule.during, rule.outside)


def _ending(fields: Fields, rule: Rule, today: date | None) -> list[Finding]:
    if rule.until is None or today is None:
        return []
    last = rule.until.date() - timedelta(days=1)
    if last < today:
        return [fields["until"].noted(f"rule {rule.name} ended on {last}: remove it, or move the date")]
    if last <= today + ENDS_SOON:
        return [fields["until"].noted(f"rule {rule.name} ends on {last}")]
    return []
