"""What is known of issues that people work on: hints that one changed, what was seen of it, and how it is looked at."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from msgspec import Struct

from triaged.core.observed import Doer, Looked, Seen
from triaged.core.reports import Filed
from triaged.ports.backend import Address


class Look(Struct, frozen=True, kw_only=True):
    """A row of `looks`, by what the issue is of: whether it is to be looked at, and what was seen of it last.

    `hinted_at` is when we heard that it may have changed, None while there is nothing to look for; `through_at` is up
    to which change of the issue it was seen (the backend's clock). `closed_at` to `remark` are as in Seen.
    `remarked_at` is when the last remark was written, `remarks` how many there were that are not ours. `shown` are the
    labels that we had written before the write that met what we were hinted at.
    """

    number: int
    hinted_at: datetime | None = None
    due_at: datetime
    attempts: int = 0
    failure: str = ""
    through_at: datetime | None = None
    closed_at: datetime | None = None
    bot_closes: int = 0
    labels: tuple[str, ...] = ()
    assignees: tuple[str, ...] = ()
    ticks: tuple[str, ...] = ()
    remark: int = 0
    remarked_at: datetime | None = None
    remarks: int = 0
    shown: tuple[str, ...] = ()


class Basis(Struct, frozen=True, kw_only=True):
    """What we wrote last to an issue, and until when somebody of us may be writing to it, None where nobody is."""

    closed: bool
    labels: tuple[str, ...]
    digest: str
    claimed_until: datetime | None
    assigned: tuple[str, ...] = ()


def seen(look: Look, basis: Basis) -> Seen:
    """What is no news of an issue."""
    return Seen(
        closed=basis.closed,
        closed_at=look.closed_at,
        bot_closes=look.bot_closes,
        written=basis.labels,
        shown=look.shown or basis.labels,
        labels=look.labels,
        # Whom we assigned is no news, whether it was seen by now or not.
        assignees=(*look.assignees, *basis.assigned),
        ticks=look.ticks,
        remark=look.remark,
    )


class Comment(Struct, frozen=True, kw_only=True):
    """A comment as it stands there: `operation` is that of a marker in it, "" for none; `ours` by its author.

    `edited` says that it is not as it was written first.
    """

    id: int
    by: Doer
    ours: bool
    operation: str
    text: str
    url: str
    at: datetime
    edited: bool = False


class Opened(Struct, frozen=True, kw_only=True):
    """A report that a person of login `by` filed by opening an issue of that title; `at` is when (aware UTC)."""

    by: str
    at: datetime
    title: str
    filed: Filed


class Sight(Struct, frozen=True, kw_only=True):
    """An issue as it was found: where it is, what it is like, the newest comments and how many there are in all.

    `through_at` is up to which change it is certainly seen, by the backend's clock. `opened` is there in a list of what
    changed, of an open issue that a person opened since then to report something.
    """

    address: Address
    looked: Looked
    through_at: datetime
    comments: tuple[Comment, ...] = ()
    count: int = 0
    opened: Opened | None = None


class Changed(Struct, frozen=True, kw_only=True):
    """Issues that changed since an instant, oldest change first; none where nothing has since the list of `tag`.

    Where there are others, which changed later, `until` is up to when these did. `moved_to` is the repository's name
    now, where that is another one.
    """

    sights: tuple[Sight, ...] = ()
    tag: str = ""
    until: datetime | None = None
    moved_to: str = ""


class Watch(Protocol):
    """How issues are looked at. Thread safe; every failure is a DeliveryError; nothing is written."""

    name: str

    def look(self, address: Address, since: datetime | None) -> Sight:
        """The issue, with comments that changed since then; `doers` is empty."""
        ...

    def doers(self, address: Address) -> dict[str, Doer]:
        """Who did what to it last, as in Looked."""
        ...

    def close(self) -> None:
        """Give connections back."""
        ...


class Lists(Protocol):
    """How repositories are asked what changed there. As a Watch else."""

    def changed(self, repository: str, since: datetime, tag: str) -> Changed:
        """What changed there since; `tag` is that of the same question's last answer, "" for none."""
        ...


class LookTable(Protocol):
    """What the writer asks of looks within its transaction."""

    def basis(self, number: int) -> Basis | None: ...

    def of(self, number: int) -> Look | None: ...

    def known(self, address: Address) -> bool:
        """Whether the issue there is of something."""
        ...

    def keep(self, look: Look) -> None:
        """Write what was seen; a hint that came after `look.hinted_at` stays."""
        ...

    def state(self, number: int, *, closed: bool, now: datetime) -> None:
        """The issue is found so, and shall be made to look as it should."""
        ...
