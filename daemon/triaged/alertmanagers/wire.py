"""What a member of an Alertmanager cluster says, as its API gives it.

Wire format: API v2, https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from msgspec import Struct

from triaged.alertmanagers.configured import Configured


class UnreadableError(Exception):
    """The member cannot be read; the text says what was expected and what came."""


class Status(Struct, frozen=True):
    """`state` is active, suppressed, or unprocessed: not yet looked at.

    `mutedBy` names mute times, in answers about groups since 0.28; None where they are not told.
    """

    state: str
    silencedBy: tuple[str, ...] = ()  # noqa: N815 - the wire's name
    inhibitedBy: tuple[str, ...] = ()  # noqa: N815
    mutedBy: tuple[str, ...] | None = None  # noqa: N815


class Receiver(Struct, frozen=True):
    name: str


class HeldAlert(Struct, frozen=True):
    """An alert that an Alertmanager holds; those that have ended are not among them."""

    labels: dict[str, str]
    status: Status
    annotations: dict[str, str] = {}
    receivers: tuple[Receiver, ...] = ()
    startsAt: str = ""  # noqa: N815
    endsAt: str = ""  # noqa: N815
    fingerprint: str = ""
    generatorURL: str = ""  # noqa: N815


class GroupedAlert(Struct, frozen=True):
    """An alert as far as its group tells more of it."""

    status: Status
    fingerprint: str = ""


class Group(Struct, frozen=True):
    """Alerts that go to one receiver together; an alert is in several where several routes take it."""

    labels: dict[str, str]
    receiver: Receiver
    alerts: tuple[GroupedAlert, ...]


class SilenceStatus(Struct, frozen=True):
    state: str


class Silence(Struct, frozen=True):
    """`status.state` is active, pending or expired; expired ones are given for some days more."""

    id: str
    status: SilenceStatus
    createdBy: str = ""  # noqa: N815
    comment: str = ""
    endsAt: str = ""  # noqa: N815


class Answer(Struct, frozen=True, kw_only=True):
    """What one member said; `at` is when it was asked, `started_at` when its process began.

    `configured` is None where its configuration is not told.
    """

    at: datetime
    started_at: datetime
    alerts: list[HeldAlert]
    silences: Mapping[str, Silence]
    configured: Configured | None = None


class Readable(Protocol):
    """A member that can be asked; `name` is its address, fit for logs and pages."""

    @property
    def url(self) -> str: ...

    @property
    def name(self) -> str: ...

    def read(self, now: datetime) -> Answer:
        """All that it holds. Raises UnreadableError."""
        ...

    def groups(self) -> list[Group]:
        """What goes where, and what is muted. Raises UnreadableError."""
        ...


class Changeable(Protocol):
    """A member whose silences can be changed; `name` is its address, fit for logs and pages."""

    @property
    def name(self) -> str: ...

    def silences(self) -> list[Silence]:
        """All that it knows, ended ones for some days too. Raises UnreadableError."""
        ...

    def make_silence(self, silence: Mapping[str, Any]) -> str:
        """Its id. Raises DeliveryError; ambiguous: it may exist all the same."""
        ...

    def remove_silence(self, ref: str) -> None:
        """End it at once; one that is not known has ended. Raises DeliveryError."""
        ...
