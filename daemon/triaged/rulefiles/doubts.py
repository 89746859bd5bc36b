"""What is well formed in a rules folder and yet hardly meant so: the warnings of `triaged check`."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from triaged.core import conditions, wording
from triaged.core.catalogue import FACTS, UNKNOWN, Service, Users
from triaged.core.conditions import Clash, Entries, Subject
from triaged.core.matchers import Matcher
from triaged.core.rule import Rule
from triaged.core.rules import RuleSet
from triaged.core.sla import ALWAYS
from triaged.errors import Finding
from triaged.rulefiles import heartbeats, maintenance, oncall
from triaged.rulefiles.ending import ENDS_SOON, ending_calendars, last_day, unreachable_targets
from triaged.rulefiles.services import LOWEST_TIER
from triaged.rulefiles.sheet import Sheet
from triaged.rulefiles.values import Value
from triaged.rulefiles.words import listed, nearest

KEYWORDS = {"label": "match", "annotation": "annotations", "source": "source", "service": "service"}
WORDS = {
    "users": tuple(Users),
    "revenue": ("true", "false"),
    "tier": tuple(map(str, range(1, LOWEST_TIER + 1))),
}
"""Facts whose values are words of the language."""
SHOWN_MATCHERS = 3
SHOWN_UNMATCHED = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What the recorded alerts met: how many, the first of them when, the names of rules and services.

    `unmatched` are those that met no rule, by alertname, with how many; `heartbeats` the names of those ever heard,
    `windows` the ids of maintenance windows that cover one of the alerts.
    """

    alerts: int
    since: datetime
    rules: Collection[str]
    services: Collection[str]
    unmatched: Mapping[str, int] = field(default_factory=dict)
    heartbeats: Collection[str] = ()
    windows: Collection[str] = ()


def doubts(sheet: Sheet, today: date) -> Iterator[Finding]:
    """A finding for each, at its own line; `today` is the date in UTC."""
    yield from _of_the_default_team(sheet)
    yield from _of_rules(sheet, today)
    yield from _of_services(sheet)
    yield from _of_unused_names(sheet)
    yield from ending_calendars(sheet, today)
    yield from unreachable_targets(sheet, today)
    yield from heartbeats.doubts(sheet)
    yield from maintenance.doubts(sheet, today)
    yield from oncall.doubts(sheet, _escalated_to(sheet))


def unmet(sheet: Sheet, history: History) -> Iterator[Finding]:
    """The rules that none of the recorded alerts met, and the services that nothing names and none belonged to."""
    yield from _unmatched(sheet, history)
    since = f"none of the {wording.count(history.alerts, 'alert')} recorded since {history.since:%Y-%m-%d}"
    for rule, value in zip(sheet.rules.rules, sheet.rule_values(), strict=True):
        if rule.name not in history.rules:
            yield _named(value).noted(f"rule {rule.name} matched {since}")
    for name, (key, _) in sheet.entries(heartbeats.FILE).items():
        if name not in history.heartbeats:
            yield key.noted(f"heartbeat {name} was never heard")
    yield from maintenance.unmet(sheet, history.windows, since)
    named = {need for service in sheet.rules.services.values() for need in service.depends_on}
    asking = [matcher for rule in sheet.rules.rules for matcher in rule.service if matcher.name == "name"]
    for name, (key, _) in sheet.entries("services.yaml", "services").items():
        if name not in history.services and name not in named and not any(matcher.matches(name) for matcher in asking):
            yield key.noted(f"no rule and no service names {name}, and {since} belonged to it")


def _unmatched(sheet: Sheet, history: History) -> Iterator[Finding]:
    """What got the default, most first."""
    if not history.unmatched:
        return
    _, default = sheet.entries("triage.yaml")["default"]
    most = sorted(history.unmatched.items(), key=lambda one: (-one[1], one[0]))
    names = wording.listing([f"{name[:60]} ({number:,})" for name, number in most], most=SHOWN_UNMATCHED)
    number = wording.count(sum(history.unmatched.values()), "alert")
    yield default.noted(f"no rule matched {number} recorded since {history.since:%Y-%m-%d}: {names}")


def _of_the_default_team(sheet: Sheet) -> Iterator[Finding]:
    team, (_, default) = sheet.rules.default_team, sheet.entries("triage.yaml")["default"]
    place = default.below("team")
    if place and len(sheet.teams) and team not in sheet.teams:
        yield place.noted(f"team {team} is not in services.yaml", nearest(team, sheet.teams))


# ---------------------------------------------------------------- rules


def _of_rules(sheet: Sheet, today: date) -> Iterator[Finding]:
    rules, values = sheet.rules.rules, sheet.rule_values()
    asked = [conditions.of_rule(rule) for rule in rules]
    domains = _domains(sheet.rules.services.values())
    entries = Entries([UNKNOWN, *(service.facts for service in sheet.rules.services.values())])
    impossible: set[int] = set()
    for at, (rule, value) in enumerate(zip(rules, values, strict=True)):
        found = [*_never(rule, value, conditions.clash(asked[at], domains), domains)]
        found = found or [*_nowhere(rule, value, entries)]
        if found:
            impossible.add(at)
        yield from found
        yield from _ending(rule, value, today)
        yield from _over(sheet.rules, rule, value, today)
    hiding = [at for at, rule in enumerate(rules) if _hides(rule) and at not in impossible]
    hidden = {later: at for later, at in conditions.hidden(asked, hiding).items() if later not in impossible}
    for later, at in hidden.items():
        verb = "drops" if rules[at].drop is not None else "stops at"
        yield _named(values[later]).noted(
            f"rule {rules[later].name} never has its turn: rule {rules[at].name} in line {values[at].node.line} "
            f"{verb} all that it matches"
        )
    yield from _twice(rules, values, but={*hidden, *impossible})


def _hides(rule: Rule) -> bool:
    return rule.ends and not (rule.annotations or rule.until or rule.during or rule.outside)


def _domains(services: Collection[Service]) -> Mapping[Subject, Collection[str]]:
    """Every value of each fact that the catalogue says of some service; "" is that of an unknown one."""
    return {
        ("service", fact): dict.fromkeys(("", *(value for service in services for value in service.facts[fact])))
        for fact in FACTS
    }


def _never(
    rule: Rule, value: Value, clash: Clash | None, domains: Mapping[Subject, Collection[str]], /
) -> Iterator[Finding]:
    calendar = rule.outside
    if calendar is not None and calendar in (ALWAYS, rule.during):
        place = value.below("outside") or value
        what = f"{calendar} is always open" if calendar == ALWAYS else f"it asks for `during` {calendar}, too"
        yield place.noted(f"rule {rule.name} can never match: {what}")
    elif clash:
        kind, name = clash.subject
        place = _place(value.below(KEYWORDS[kind]), clash.matchers) or value
        told = [matcher.text for matcher in clash.matchers]
        if len(told) > 1:
            who = (
                f"`{name}` of a service" if kind == "service" else f"{kind} `{name}`" if kind != "source" else "source"
            )
            meets = "both " + " and ".join(told) if len(told) == 2 else wording.listing(told, most=SHOWN_MATCHERS)
            yield place.noted(f"rule {rule.name} can never match: no {who} meets {meets}")
        else:
            words = WORDS.get(name, ())
            slip = bool(words) and not any(map(clash.matchers[0].matches, ("", *words)))
            what = f"`{name}` is {listed(words)}" if slip else "no service in services.yaml has that"
            known = words if slip else [*filter(None, domains[clash.subject])]
            hint = nearest(clash.matchers[0].value, known) if name != "tier" else ""
            yield place.noted(f"rule {rule.name} can never match {told[0]}: {what}", hint)


def _nowhere(rule: Rule, value: Value, entries: Entries) -> Iterator[Finding]:
    """Where each matcher holds for some service, and no service has all of it."""
    if parted := entries.parted(rule.service):
        told = wording.listing([matcher.text for matcher in parted], most=SHOWN_MATCHERS)
        place = _place(value.below("service"), parted) or value
        yield place.noted(f"rule {rule.name} can never match: no service in services.yaml has {told} together")


def _place(matchers: Value | None, clashing: Sequence[Matcher]) -> Value | None:
    """The last of the clashing matchers, where the second look belongs."""
    last = clashing[-1]
    items = matchers.items() if matchers else []
    return next((item for item in reversed(items) if last in item.parsed()), None)


def _ending(rule: Rule, value: Value, today: date) -> Iterator[Finding]:
    place = value.below("until")
    if rule.until is None or place is None:
        return
    last = rule.until.date() - timedelta(days=1)
    if last < today:
        yield place.noted(f"rule {rule.name} ended on {last}: remove it, or move the date")
    elif last <= today + ENDS_SOON:
        yield place.noted(f"rule {rule.name} ends on {last}")


def _over(rules: RuleSet, rule: Rule, value: Value, today: date) -> Iterator[Finding]:
    calendar = rules.calendars[rule.during] if rule.during else None
    place, last = value.below("during"), last_day(calendar) if calendar else None
    if place and last and last < today:
        yield place.noted(
            f"rule {rule.name} can match no more: calendar {rule.during} had its last open time on {last}"
        )


def _twice(rules: Collection[Rule], values: Collection[Value], *, but: Collection[int]) -> Iterator[Finding]:
    seen: dict[object, str] = {}
    for at, (rule, value) in enumerate(zip(rules, values, strict=True)):
        lists = map(frozenset, (rule.match, rule.annotations, rule.source, rule.service))
        same = (*lists, rule.during, rule.outside)
        if same in seen and at not in but:
            yield _named(value).noted(f"rule {rule.name} has the very conditions of {seen[same]}: make one of the two")
        seen.setdefault(same, rule.name)


def _named(rule: Value) -> Value:
    return rule.below("name") or rule


# ---------------------------------------------------------------- the catalogue


def _of_services(sheet: Sheet) -> Iterator[Finding]:
    services, places = [*sheet.rules.services.values()], sheet.entries("services.yaml", "services")
    for service in services:
        if not service.team:
            yield places[service.name][0].noted(
                f"service {service.name} has no team: its incidents go to the default team"
            )
    matched = [service for service in services if service.match]
    asked = [conditions.of_labels(service.match) for service in matched]
    impossible = set()
    for at, service in enumerate(matched):
        if clash := conditions.clash(asked[at], {}):
            impossible.add(at)
            inner = places[service.name][1]
            told = wording.listing([matcher.text for matcher in clash.matchers], most=SHOWN_MATCHERS)
            place = _place(inner.below("match"), clash.matchers) or inner
            yield place.noted(f"service {service.name} can never match: no label `{clash.subject[1]}` meets {told}")
    for later, at in conditions.hidden(asked, {*range(len(matched))} - impossible).items():
        if later not in impossible:
            key, first = places[matched[later].name][0], places[matched[at].name][0]
            yield key.noted(
                f"service {key.word} is never found by its match: service {first.word} in line {first.node.line} "
                "takes all of it"
            )


def _of_unused_names(sheet: Sheet) -> Iterator[Finding]:
    told = _escalated_to(sheet) | oncall.perhaps_named(sheet)
    for names, file, path, message in (
        (sheet.teams, "services.yaml", ("teams",), "no service, no rule and no default names team {}"),
        (sheet.people, "services.yaml", ("people",), "no rotation of a team names {}"),
        (sheet.calendars, "calendars.yaml", (), "nothing uses calendar {}"),
    ):
        for name, (key, _) in sheet.entries(file, *path).items():
            if name not in names.used | told:
                yield key.noted(message.format(name))


def _escalated_to(sheet: Sheet) -> set[str]:
    """The words of all escalations: a person or a team may stand there, too."""
    severities = (value for _, value in sheet.entries("severities.yaml").values())
    steps = (step for value in severities if (steps := value.below("escalation")) for step in steps.items())
    return {name.word for step in steps if (notify := step.below("notify")) for name in notify.items()}
