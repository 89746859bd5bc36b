"""triage.yaml: matrix, defaults, key, storm and the rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta

from msgspec import structs

from triaged.core.catalogue import FACTS
from triaged.core.growth import Growth, Refires, reference
from triaged.core.model import Category, Impact, Severity, Urgency
from triaged.core.rule import Rule
from triaged.core.rules import Defaults, ProblemRules, Storm
from triaged.rulefiles import words
from triaged.rulefiles.problems import read as problem_rules
from triaged.rulefiles.services import NAME, NAMED, repository
from triaged.rulefiles.severities import closer
from triaged.rulefiles.values import Fields, Value

KEYS = {
    "matrix": "The severity of each impact, for urgency critical, high, medium, low.",
    "default": "What holds where no rule sets it.",
    "key": "Which alerts belong together: label names, or service, team, category, source.",
    "storm": "When many incidents at once become one.",
    "problems": "When incidents that recur are a problem; nothing of it, and none is.",
    "rules": "Tried from top to bottom; all that match count.",
}
REQUIRED = ("matrix", "default", "key", "rules")
CONDITIONS = {
    "match": "Holds when the labels meet all of these matchers, in Alertmanager's syntax.",
    "annotations": "Holds when the annotations meet all of these matchers.",
    "source": "Holds when the name of the source meets these matchers.",
    "service": "Holds when the catalogue's entry for the alert meets these matchers.",
    "until": "The last day (UTC) of the rule.",
    "during": "Holds while this calendar is open.",
    "outside": "Holds while this calendar is closed.",
}
SETTINGS = {
    "impact": "How much is hurt; the gravest of all matches counts.",
    "urgency": "How soon it must be mended; the gravest of all matches counts.",
    "at_most": "No graver than this, whatever else matches.",
    "category": "What kind of trouble it is; the first match that sets it counts.",
    "key": "Which alerts belong together; the first match that sets it counts.",
    "team": "Who it goes to; the first match that sets it counts.",
    "repository": "Where its issue goes; the first match that sets it counts.",
    "delay": "How long it must last before it becomes an incident.",
    "close": "Who closes it once resolved.",
    "labels": "Labels of the incident; those of all matches.",
    "restricted": "Whether details are not for everybody.",
    "stop": "No rule after this one is tried.",
    "drop": "No incident, for this reason.",
    "because": "One sentence for whoever is woken up.",
    "grows": "What makes it graver as more alerts join or time passes.",
}
RULE_KEYS = {"name": "Unique; traces, metrics and logs call the rule by it.", **CONDITIONS, **SETTINGS}
DEFAULTS = ("impact", "urgency", "category", "team")
STEADY = ("key", "drop", "delay", "repository")
"""What a rule may set only if neither annotations nor calendars decide whether it matches."""
UNSTEADY = ("annotations", "during", "outside")


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The names of the other files."""

    teams: Collection[str]
    calendars: Collection[str]
    default_team: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TriageFile:
    """What triage.yaml says; `default` is None where it has findings."""

    matrix: Mapping[Impact, Mapping[Urgency, Severity]]
    default: Defaults | None
    key: tuple[str, ...]
    storm: Storm | None
    problems: ProblemRules
    rules: tuple[Rule, ...]


def read(root: Value, known: Known) -> TriageFile:
    """The rules with all that they need, as far as they have no findings."""
    fields = root.fields(KEYS, required=REQUIRED)
    default = fields.read("default", _default)
    storm = fields.read("storm", _storm)
    problems = fields.read("problems", problem_rules)
    known = replace(known, default_team=default.team if default else None)
    rules = fields.many("rules", lambda rules: _rules(rules, known))
    return TriageFile(
        matrix=fields.read("matrix", _matrix) or {},
        default=default,
        key=fields.many("key", _key),
        storm=storm,
        problems=problems or ProblemRules(),
        rules=rules,
    )


def _matrix(value: Value) -> dict[Impact, Mapping[Urgency, Severity]]:
    impacts = [impact.value for impact in Impact]
    matrix: dict[Impact, Mapping[Urgency, Severity]] = {}
    for name, row in value.fields(impacts, required=impacts).items():
        what = f"four severities, for urgency {', '.join(Urgency)}"
        severities = row.exactly(len(Urgency), lambda word: word.choice(Severity), what=what)
        matrix[Impact(name)] = dict(zip(Urgency, severities, strict=False))
    return matrix


def _default(value: Value) -> Defaults | None:
    fields = value.fields(DEFAULTS, required=DEFAULTS)
    impact = fields.read("impact", lambda word: word.choice(Impact))
    urgency = fields.read("urgency", lambda word: word.choice(Urgency))
    category = fields.read("category", lambda word: word.choice(Category))
    team = fields.read("team", lambda team: team.shaped(NAME, NAMED))
    if not (impact and urgency and category and team):
        return None
    return Defaults(impact=impact, urgency=urgency, category=category, team=team)


def _key(value: Value) -> tuple[str, ...]:
    return value.names() if value.filled("at least one name, like alertname") else ()


def _storm(value: Value) -> Storm | None:
    fields = value.fields(("opened", "within", "severity"), required=("opened", "within"))
    opened = fields.read("opened", Value.whole)
    within = fields.read("within", _some_span)
    severity = fields.read("severity", lambda word: word.choice(Severity))
    if not (opened and within):
        return None
    return Storm(opened=opened, within=within, severity=severity or Severity.SEV2)


def _rules(value: Value, known: Known) -> list[Rule]:
    rules: list[Rule] = []
    lines: dict[str, int] = {}
    for item in value.items():
        fields = item.fields(RULE_KEYS, required=("name",))
        name = fields.read("name", _name)
        if name is None:
            name = "?"
        elif name in lines:
            fields["name"].complain(f"expected every rule name once, got {name} here and in line {lines[name]}")
        lines.setdefault(name, item.node.line)
        rules.append(_rule(name, fields, known))
    return rules


def _name(value: Value) -> str | None:
    return value.shaped(r"[^\s#,][^#,\n]{0,99}", NAMED)


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
        labels=fields.many("labels", _labels),
        restricted=fields.read("restricted", Value.flag),
        stop=fields.read("stop", Value.flag) or False,
        drop=fields.read("drop", _because),
        because=fields.read("because", _because) or "",
        grows=fields.many("grows", lambda grows: _growths(name, grows)),
    )


def _team(value: Value, known: Known) -> str | None:
    if value.word == known.default_team:
        return value.word
    return value.one_of(known.teams, "a team of services.yaml")


def _until(value: Value) -> datetime | None:
    day = value.plain(words.day, "a date like 2026-12-24")
    return None if day is None else datetime.combine(day, time.min, UTC) + timedelta(days=1)


def _labels(value: Value) -> tuple[str, ...]:
    return value.names() if value.filled("at least one label") else ()


def _growths(rule: str, value: Value) -> list[Growth]:
    if not value.filled("at least one entry like {when: {alerts: 5}, impact: extensive}"):
        return []
    found = []
    alike: Counter[str] = Counter()
    for growth in (_growth(rule, item) for item in value.items()):
        ref = reference(growth)
        # Entries that differ in their reasons at most are told apart by their order.
        found.append(structs.replace(growth, ref=f"{ref}.{alike[ref]}" if alike[ref] else ref))
        alike[ref] += 1
    return found


def _growth(rule: str, value: Value) -> Growth:
    fields = value.fields(("when", "impact", "urgency", "because"), required=("when",), either=("impact", "urgency"))
    when = fields.read("when", _when) or Fields()
    return Growth(
        ref="",
        rule=rule,
        alerts=when.read("alerts", Value.whole),
        firing_for=when.read("firing_for", _some_span),
        distinct=when.read("distinct", _distinct) or {},
        refires=when.read("refires", _refires),
        impact=fields.read("impact", lambda word: word.choice(Impact)),
        urgency=fields.read("urgency", lambda word: word.choice(Urgency)),
        because=fields.read("because", _because) or "",
    )


def _when(value: Value) -> Fields:
    names = ("alerts", "firing_for", "distinct", "refires")
    return value.fields(names) if value.filled(f"at least one of {words.listed(names)}") else Fields()


def _distinct(value: Value) -> dict[str, int]:
    if not value.filled("at least one label with how many values it must have, like {pod: 3}"):
        return {}
    return {label: least for label, number in value.by_name() if (least := number.whole()) is not None}


def _because(value: Value) -> str | None:
    return value.phrase("a reason in words")


def _refires(value: Value) -> Refires | None:
    fields = value.fields(("count", "within"), required=("count", "within"))
    count, within = fields.read("count", Value.whole), fields.read("within", _some_span)
    return Refires(count=count, within=within) if count and within else None


def _some_span(value: Value) -> timedelta | None:
    return value.plain(words.some_span, "a duration like 15m")
