"""People's acts as rows and back: whole, so that a backtest can do them again; the timeline has them in words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, func, select

from triaged.core.events import (
    Acknowledged,
    Act,
    ActionAsked,
    Assigned,
    CloseAsked,
    EscalateAsked,
    Expected,
    KnowledgeAdded,
    MergeAsked,
    Noted,
    PauseAsked,
    ReopenAsked,
    ResolveAsked,
    ResumeAsked,
    ReviewAsked,
    RoleGiven,
    SeverityChosen,
    SilenceAsked,
    SplitAsked,
    Unacknowledged,
    Updated,
    WorkedAround,
)
from triaged.store import schema as s
from triaged.store.codec import from_us, to_us

WORDS: Final[Mapping[str, type[Any]]] = {
    "ack": Acknowledged,
    "severity": SeverityChosen,
    "resolve": ResolveAsked,
    "close": CloseAsked,
    "reopen": ReopenAsked,
    "merge": MergeAsked,
    "split": SplitAsked,
    "silence": SilenceAsked,
    "escalate": EscalateAsked,
    "pause": PauseAsked,
    "resume": ResumeAsked,
    "unack": Unacknowledged,
    "assign": Assigned,
    "role": RoleGiven,
    "note": Noted,
    "update": Updated,
    "eta": Expected,
    "workaround": WorkedAround,
    "review": ReviewAsked,
    "action": ActionAsked,
    "knowledge": KnowledgeAdded,
}
"""What an act is called in the table, and everywhere else where people read it."""
NAMES: Final = ("at", "incident_id", "act", "by", "body")

_CALLED: Final = {kind: word for word, kind in WORDS.items()}
_encode = msgspec.json.Encoder().encode


class Acted(Struct, frozen=True, kw_only=True):
    """An act that was done on an incident at an instant; `kind` is its word, `by` who did it."""

    at: datetime
    incident_id: int
    kind: str
    by: str
    act: Act


def encode(incident_id: int, act: Act, now: datetime) -> tuple[Any, ...]:
    """The row of an act, in the order of NAMES."""
    return to_us(now), incident_id, _CALLED[type(act)], act.actor.name, _encode(act).decode()


def decode(row: tuple[Any, ...]) -> Acted:
    at, incident_id, kind, by, body = row
    act = msgspec.json.decode(body, type=WORDS[kind])
    return Acted(at=from_us(at), incident_id=incident_id, kind=kind, by=by, act=act)


def actors(connection: Connection, incident_id: int) -> list[str]:
    """The names of the people who acted on an incident, in the order in which they began to."""
    c = s.acts.c
    query = select(c.by).where(c.incident_id == incident_id).group_by(c.by).order_by(func.min(c.id))
    return [*connection.execute(query).scalars()]
