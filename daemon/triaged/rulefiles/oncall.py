"""`on_call` of a team in services.yaml: a weekly rotation, or a calendar elsewhere that says the shifts."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import date, datetime
from zoneinfo import ZoneInfo

from triaged.core import wording
from triaged.core.catalogue import Feed
from triaged.core.oncall import LOOKED_AHEAD, Reading, Rota
from triaged.core.rotation import FIRST_WEEK, MONDAY, MORNING, UTC_ZONE, Rotation
from triaged.errors import Finding
from triaged.rulefiles import words
from triaged.rulefiles.sheet import Sheet
from triaged.rulefiles.values import Fields, Value

KEYS = {
    "rotation": "People in the order of their weeks.",
    "handover": "When one hands over to the next: a weekday with a time; monday 09:00 if left out.",
    "from": "A date in the first one's week; if left out, the weeks count from 1970-01-05.",
    "ical": "The URL of an iCalendar whose events are the shifts.",
    "ical_file": "A file that holds that URL, where the URL is a secret.",
    "zone": "The zone of the handover, and of what a calendar says without a zone; UTC if left out.",
}
EITHER = ("rotation", "ical", "ical_file")
OF_ROTATIONS = ("handover", "from")
ASKED = {"on_call", "on_call.next"}
"""The words of escalations that mean whoever is on call."""
SHOWN = 3
"""Gaps that are named."""


def read(value: Value, people: Collection[str]) -> Rotation | Feed | None:
    """Whose turn it is; None where that has findings."""
    before = len(value.findings)
    fields = value.fields(KEYS, either=EITHER)
    zone = fields.read("zone", lambda name: name.plain(words.zone, "a time zone like Europe/Berlin")) or UTC_ZONE
    given = [name for name in EITHER if name in fields]
    for name in given[1:]:
        fields[name].complain(f"expected one of {words.listed(EITHER)}, got {given[0]}, too")
    rotation, feed = _rotation(fields, people, zone), _feed(fields, zone)
    if "rotation" not in fields and given:
        for name in OF_ROTATIONS:
            if name in fields:
                fields[name].complain(f"expected {name} beside a rotation only, got it beside {given[0]}")
    return None if len(value.findings) > before else rotation or feed


def _rotation(fields: Fields, people: Collection[str], zone: ZoneInfo) -> Rotation | None:
    named = fields.get("rotation")
    known: tuple[str, ...] = ()
    if named is not None and named.filled("at least one person"):
        known = named.names(lambda name: name.one_of(people, "a person of services.yaml"))
    handover = fields.read("handover", lambda at: at.plain(words.handover, "a weekday with a time like monday 09:00"))
    first: date = fields.read("from", lambda day: day.plain(words.day, "a date like 2026-11-23")) or FIRST_WEEK
    if not known:
        return None
    weekday, wall = handover or (MONDAY, MORNING)
    return Rotation(people=known, weekday=weekday, wall=wall, zone=zone, first=first)


def _feed(fields: Fields, zone: ZoneInfo) -> Feed | None:
    url = fields.read("ical", lambda url: url.shaped(r"(https?|webcal)://[^\s/]+\S*", "a URL like https://…"))
    file = fields.read(
        "ical_file", lambda path: path.shaped(r"/.*[^/\s]", "the whole path of a file, like /run/secrets/calendar")
    )
    return Feed(url=url or "", file=file or "", zone=zone) if url or file else None


# ---------------------------------------------------------------- what is hardly meant so, and what is missing


def doubts(sheet: Sheet, told: Collection[str]) -> Iterator[Finding]:
    """Teams that answer for services, and of whom nobody is ever on call; `told` are the words of all escalations.

    Where no team has an on-call and no escalation asks for one, it is not used at all.
    """
    if ASKED.isdisjoint(told) and not any(team.on_call for team in sheet.rules.teams.values()):
        return
    owners: dict[str, list[str]] = {}
    for service in sheet.rules.services.values():
        owners.setdefault(service.team, []).append(service.name)
    for name, (key, _) in sheet.entries("services.yaml", "teams").items():
        if name in owners and sheet.rules.teams[name].on_call is None:
            yield key.noted(
                f"team {name} answers for {wording.listing(owners[name], most=SHOWN)}, and nobody of it is on call",
                "give it `on_call`",
            )


def perhaps_named(sheet: Sheet) -> set[str]:
    """The people whom a calendar elsewhere may name: all, where a team has one."""
    feeds = any(isinstance(team.on_call, Feed) for team in sheet.rules.teams.values())
    return {*sheet.people} if feeds else set()


def uncovered(sheet: Sheet, rota: Rota, now: datetime) -> Iterator[Finding]:
    """The teams whose calendar leaves a gap in the coming weeks, as far as it was read; at the line of `on_call`."""
    for name, place, reading in _of_feeds(sheet, rota):
        if reading.until is None:
            yield place.noted(f"expected a calendar that can be read: {reading.failure}")
        elif gaps := list(rota.gaps(name, now, min(reading.until, now + LOOKED_AHEAD))):
            weeks = LOOKED_AHEAD.days // 7
            told = wording.listing([f"{_when(begins)} to {_when(ends)}" for begins, ends in gaps], most=SHOWN)
            yield place.noted(
                f"expected somebody on call all the time of the next {weeks} weeks, got nobody from {told}"
            )


def doubted(sheet: Sheet, rota: Rota, now: datetime) -> Iterator[Finding]:
    """Whom the calendars name and nobody knows, and calendars that could not be read for long."""
    for name, place, reading in _of_feeds(sheet, rota):
        if strangers := rota.strangers(name):
            told = wording.listing([stranger[:60] for stranger in strangers], most=SHOWN)
            yield place.noted(
                f"the calendar of {name} names {told}, whom services.yaml does not know",
                "give people a name, `github` or mail address that stands in the calendar",
            )
        if reading.read_at is not None and reading.stale(now):
            yield place.noted(f"the calendar of {name} was last read at {_when(reading.read_at)}: {reading.failure}")


def _of_feeds(sheet: Sheet, rota: Rota) -> Iterator[tuple[str, Value, Reading]]:
    """The teams whose calendar was tried, each with the place of its `on_call` and what became of that."""
    for name, (key, team) in sheet.entries("services.yaml", "teams").items():
        reading = rota.readings.get(name)
        if reading is not None and isinstance(rota.teams[name].on_call, Feed):
            yield name, team.below("on_call") or key, reading


def _when(at: datetime) -> str:
    return wording.instant(at)
