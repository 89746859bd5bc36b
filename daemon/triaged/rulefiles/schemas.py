"""The JSON Schema of each file of a rules folder, by the file's short name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from triaged.rulefiles import calendars, heartbeats, maintenance, services, severities, sources, triage
from triaged.rulefiles.names import Names
from triaged.rulefiles.sketch import Schema, schema_of
from triaged.rulefiles.values import Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """A sort of rule files: a glob below the rules folder, and what reads their documents."""

    glob: str
    read: Callable[[Value], object]


FILES: Mapping[str, Described] = {
    "triage": Described(
        glob="triage.yaml", read=lambda root: triage.read(root, triage.Known(teams=Names(None), calendars=Names(None)))
    ),
    "services": Described(glob="services.yaml", read=lambda root: services.read(root, Names(None))),
    "severities": Described(glob="severities.yaml", read=lambda root: severities.read(root, Names(None))),
    "calendars": Described(glob="calendars.yaml", read=calendars.read),
    "heartbeats": Described(glob="heartbeats.yaml", read=heartbeats.read),
    "maintenance": Described(glob="maintenance.yaml", read=maintenance.read),
    "sources": Described(glob="sources/*.yaml", read=lambda root: sources.read("name", root)),
}


def schema(name: str) -> Schema:
    """The schema of the files of that name; raises KeyError for one that is none of them."""
    described = FILES[name]
    return schema_of(described.read, f"triaged: {described.glob}")
