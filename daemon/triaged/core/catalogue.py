"""The service catalogue: what is known of a service, and which service an alert tells of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum, unique
from types import MappingProxyType
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from triaged.core.matchers import Matcher, Operator, hold
from triaged.core.rotation import Rotation
from triaged.core.sieve import Need, Sieve

FACTS = ("name", "team", "tier", "users", "functions", "revenue", "depends_on")
"""What a rule can ask of a catalogue entry."""


@unique
class Users(StrEnum):
    """How many users a service has."""

    MOST = "most"
    MANY = "many"
    SOME = "some"
    FEW = "few"


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """Shifts that an iCalendar elsewhere says: its `url`, or a `file` that holds the URL, which is often a secret.

    Days and times without a zone count in `zone`.
    """

    url: str = ""
    file: str = ""
    zone: ZoneInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """Who answers for services; `repository` is where its issues go instead of the common one.

    `channels` are where it is told, `on_call` says whose turn it is, `hours` names the calendar in which it works.
    """

    name: str
    repository: str | None = None
    channels: tuple[str, ...] = ()
    on_call: Rotation | Feed | None = None
    hours: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who is told; `github` is the name there, "" where unknown, `notify` are URLs where to.

    `known_as` are the names and mail addresses, in lower case, by which a calendar may mean this person.
    """

    name: str
    github: str = ""
    notify: tuple[str, ...] = ()
    known_as: frozenset[str] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        names = {self.name, self.github, *(address for url in self.notify for address in addresses(url))} - {""}
        object.__setattr__(self, "known_as", frozenset(name.casefold() for name in names))


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How long a service may be down within a time before somebody looks back at it."""

    budget: timedelta
    within: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """An entry of the catalogue; `links` are URL templates by name, `code` repositories on GitHub.

    `repository` is where its issues go instead of its team's; `facts` is what rules can ask, "" where unknown.
    """

    name: str
    match: tuple[Matcher, ...] = ()
    team: str = ""
    tier: int | None = None
    users: Users | None = None
    functions: tuple[str, ...] = ()
    revenue: bool = False
    runbook: str = ""
    links: Mapping[str, str] = field(default_factory=dict)
    depends_on: tuple[str, ...] = ()
    healthy: tuple[str, ...] = ()
    code: tuple[str, ...] = ()
    repository: str | None = None
    budget: Budget | None = None
    facts: Mapping[str, tuple[str, ...]] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        facts = {
            "name": (self.name,),
            "team": (self.team,),
            "tier": ("" if self.tier is None else str(self.tier),),
            "users": ("" if self.users is None else self.users.value,),
            "functions": self.functions or ("",),
            "revenue": ("true" if self.revenue else "false",),
            "depends_on": self.depends_on or ("",),
        }
        object.__setattr__(self, "facts", MappingProxyType(facts))


UNKNOWN: Mapping[str, tuple[str, ...]] = MappingProxyType(dict.fromkeys(FACTS, ("",)))
"""The facts of an alert whose service is not in the catalogue."""


class Catalogue:
    """The services in their order; `labels` are the names that their matchers ask."""

    def __init__(self, services: Iterable[Service]) -> None:
        services = tuple(services)
        self.services: Mapping[str, Service] = MappingProxyType({service.name: service for service in services})
        self.labels = frozenset(matcher.name for service in services for matcher in service.match)
        needs = {service.name: service.depends_on for service in services}
        needed_by: dict[str, list[str]] = {}
        for name, others in needs.items():
            for other in others:
                needed_by.setdefault(other, []).append(name)
        self._needs, self._needed_by = needs, needed_by
        self._matching = tuple(service for service in services if service.match)
        asked: list[list[Need]] = [[*label_needs(service.match)] for service in self._matching]
        self._sieve = Sieve(asked)

    def service_of(self, labels: Mapping[str, str]) -> str:
        """Name of the first service whose matchers hold, else the label `service` if it names one, else ""."""
        for position in self._sieve.candidates(labels.items()):
            service = self._matching[position]
            if hold(service.match, labels):
                return service.name
        named = labels.get("service", "")
        return named if named in self.services else ""

    def needs(self, service: str) -> tuple[str, ...]:
        """Every service that this one depends on, directly or through others, nearest first."""
        return _reached(service, self._needs)

    def needed_by(self, service: str) -> tuple[str, ...]:
        """Every service that depends on this one, directly or through others, nearest first."""
        return _reached(service, self._needed_by)

    def facts_of(self, service: str) -> Mapping[str, tuple[str, ...]]:
        """What rules can ask of the named service; every fact is "" for one that the catalogue does not know."""
        return self.services[service].facts if service in self.services else UNKNOWN


def _reached(start: str, edges: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    left = list(edges.get(start, ()))
    for name in left:
        if name not in found and name != start:
            found[name] = None
            left.extend(edges.get(name, ()))
    return tuple(found)


def addresses(url: str) -> Iterator[str]:
    """The mail addresses that a URL of a mailbox names: `mailto://ann@example.com`, `mailtos://user:password@host?to=…`.

    The forms are those of https://appriseit.com/services/email/.
    """
    scheme, _, rest = url.partition(":")
    if scheme in ("mailto", "mailtos"):
        # A password stands between the user's name and the host; it is nobody's address.
        plain = re.sub(r"^([^:@/?]*):[^/?]*@", r"\1@", rest.removeprefix("//"))
        yield from re.findall(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+", unquote(plain))


def label_needs(matchers: Iterable[Matcher]) -> list[tuple[str, Matcher]]:
    """The needs (see Sieve) of label matchers: an absent label meets no need, so those that match "" give none."""
    positive = (Operator.EQUAL, Operator.REGEX)
    return [(matcher.name, matcher) for matcher in matchers if matcher.operator in positive and not matcher.matches("")]


def asks(matcher: Matcher, values: tuple[str, ...]) -> bool:
    """Whether the matcher holds for a fact with several values: =, =~ for any of them, !=, !~ for all."""
    quantifier = any if matcher.operator in (Operator.EQUAL, Operator.REGEX) else all
    return quantifier(matcher.matches(value) for value in values)
