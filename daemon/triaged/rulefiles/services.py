"""services.yaml: the service catalogue, teams and people."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice

from triaged.core.catalogue import Budget, Person, Service, Team, Users
from triaged.core.evidence import PLACEHOLDERS, unknown_in
from triaged.rulefiles import oncall, words
from triaged.rulefiles.circles import circles
from triaged.rulefiles.names import Names
from triaged.rulefiles.values import Fields, Value

KEYS = {
    "services": "What you run: an alert belongs to the first whose match holds, else to the one its label names.",
    "teams": "Who answers for it.",
    "people": "Who is on call.",
}
SERVICE_KEYS = {
    "match": "Alerts whose labels meet all of these matchers belong to it.",
    "team": "Who answers for it.",
    "tier": "How important it is; 1 is the most important.",
    "users": "How many users it has.",
    "functions": "The business functions that need it.",
    "revenue": "Whether customers pay here.",
    "code": "Repositories where changes are looked for.",
    "repository": "Where its issues go; else its team's repository.",
    "runbook": "What to do, as a URL.",
    "links": "URLs by name.",
    "healthy": "Queries that must hold before it counts as restored.",
    "depends_on": "Services without which it does not work.",
    "downtime": "How long it may be down within a time before somebody looks back at it.",
}
TEAM_KEYS = {
    "repository": "Where its issues go.",
    "channels": "Where it is notified.",
    "on_call": "Whose turn it is.",
    "hours": "The calendar in which it works.",
}
PERSON_KEYS = {"github": "The name at GitHub.", "notify": "Where notifications go, as URLs."}
NAME = r"[^\s#,/][^#,\n]{0,99}"
NAMED = "a name of at most 100 characters without # and commas"
REPOSITORY = r"[A-Za-z0-9-]+/[A-Za-z0-9._-]+"
LOWEST_TIER = 9
MOST_QUERIES = 10
LONGEST_QUERY = 1_000
LONGEST_WITHIN = timedelta(days=366)
SHOWN_NAMES = 10
"""Of a circle of dependencies."""
MOST_CIRCLES = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueFile:
    """What services.yaml says; `team_names` and `people_names` know which of them it uses itself."""

    services: tuple[Service, ...] = ()
    teams: Mapping[str, Team] = field(default_factory=dict)
    people: Mapping[str, Person] = field(default_factory=dict)
    team_names: Names = field(default_factory=lambda: Names(()))
    people_names: Names = field(default_factory=lambda: Names(()))


def read(root: Value | None, calendars: Collection[str]) -> CatalogueFile:
    """The catalogue; without a file an empty one."""
    if root is None:
        return CatalogueFile()
    fields = root.fields(KEYS)
    people = {name: _person(name, value) for name, value in _named(fields, "people")}
    people_names = Names(people)
    teams = {name: _team(name, value, people_names, calendars) for name, value in _named(fields, "teams")}
    team_names = Names(teams)
    entries = _named(fields, "services")
    names = dict.fromkeys(name for name, _ in entries)
    services = [_service(name, value.fields(SERVICE_KEYS), team_names, names) for name, value in entries]
    _no_circle({service.name: service.depends_on for service in services}, dict(entries))
    return CatalogueFile(
        services=tuple(services), teams=teams, people=people, team_names=team_names, people_names=people_names
    )


def _named(fields: Fields, key: str) -> list[tuple[str, Value]]:
    """The entries of a mapping by name, without those whose name has findings."""
    entries = fields[key].entries() if key in fields else []
    return [(name, value) for word, value in entries if (name := word.shaped(NAME, NAMED))]


def _person(name: str, value: Value) -> Person:
    fields = value.fields(PERSON_KEYS)
    github = fields.read("github", lambda own: own.shaped(r"[A-Za-z0-9-]{1,39}", "a GitHub user name"))
    notify = fields.many(
        "notify", lambda urls: urls.names(lambda url: url.shaped(r"[a-z0-9+.-]+:.+", "a URL like mailto://…"))
    )
    return Person(name=name, github=github or "", notify=notify)


def _team(name: str, value: Value, people: Collection[str], calendars: Collection[str]) -> Team:
    fields = value.fields(TEAM_KEYS)
    shifts = fields.get("on_call")
    return Team(
        name=name,
        repository=fields.read("repository", repository),
        channels=fields.many("channels", Value.names),
        on_call=None if shifts is None else oncall.read(shifts, people),
        hours=fields.read("hours", lambda hours: hours.one_of(calendars, "a calendar of calendars.yaml")),
    )


def repository(value: Value) -> str | None:
    """A repository on GitHub as owner/name."""
    return value.shaped(REPOSITORY, "a repository like acme/incidents")


def _service(name: str, fields: Fields, teams: Collection[str], services: Collection[str]) -> Service:
    return Service(
        name=name,
        match=fields.many("match", Value.matchers),
        team=fields.read("team", lambda team: team.one_of(teams, "a team of services.yaml")) or "",
        tier=fields.read("tier", lambda tier: tier.whole(1, LOWEST_TIER)),
        users=fields.read("users", lambda users: users.choice(Users)),
        functions=fields.many("functions", Value.names),
        revenue=fields.read("revenue", Value.flag) or False,
        runbook=fields.read("runbook", _url) or "",
        links={key: url for key, value in _named(fields, "links") if (url := _link(value))},
        healthy=fields.many("healthy", _queries),
        code=fields.many("code", lambda code: code.names(repository)),
        repository=fields.read("repository", repository),
        depends_on=fields.many(
            "depends_on", lambda names: names.names(lambda name: name.one_of(services, "a service of services.yaml"))
        ),
        budget=fields.read("downtime", _budget),
    )


def _budget(value: Value) -> Budget | None:
    fields = value.fields(("budget", "within"), required=("budget", "within"))
    budget, within = fields.read("budget", _some_span), fields.read("within", _some_span)
    if budget is None or within is None:
        return None
    if within > LONGEST_WITHIN or budget >= within:
        value.complain(f"expected a budget below `within`, and that of at most {LONGEST_WITHIN.days}d")
        return None
    return Budget(budget=budget, within=within)


def _some_span(value: Value) -> timedelta | None:
    return value.plain(words.some_span, "a duration like 1h")


def _queries(value: Value) -> tuple[str, ...]:
    queries = value.names(
        lambda query: query.shaped(
            rf"\S(?:.|\n){{0,{LONGEST_QUERY - 1}}}", f"a query of Prometheus, of at most {LONGEST_QUERY:,} characters"
        )
    )
    if len(queries) > MOST_QUERIES:
        value.complain(f"expected at most {MOST_QUERIES} queries, got {len(queries)}")
    return queries


def _url(value: Value) -> str | None:
    return value.shaped(r"https?://\S.*", "a URL like https://…")


def _link(value: Value) -> str | None:
    """A URL; what it wants filled in is something that can be."""
    url = _url(value)
    for unknown in unknown_in(url or ""):
        known = ", ".join(f"{{{{ {name} }}}}" for name in PLACEHOLDERS)
        value.complain(f"expected only the placeholders {known}, got {unknown[:60]}")
    return url


def _no_circle(needs: Mapping[str, Collection[str]], entries: Mapping[str, Value]) -> None:
    asked = {name: value.below("depends_on") for name, value in entries.items() if needs[name]}
    places = {(name, item.word): item for name, value in asked.items() if value for item in value.items()}
    for circle in islice(circles(needs), MOST_CIRCLES):
        names = [*circle, circle[0]]
        shown = names if len(names) <= SHOWN_NAMES else [*names[: SHOWN_NAMES - 3], "…", *names[-2:]]
        places[circle[-1], circle[0]].complain(f"expected no circle of dependencies, got {' → '.join(shown)}")
