"""How many comments of ours an issue takes: one that flaps must not fill it, nor the mailboxes of who follows it.

What is left out is not lost: timeline and issue tell it, and only the notification is spared.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from triaged.core.effects import CommentKind
from triaged.core.model import Severity

HOUR: Final = timedelta(hours=1)
AN_HOUR: Final = 10
"""Of the daemon's own: an incident that comes and goes more often tells nobody anything by one more."""
IN_ALL: Final = 200
"""Of the daemon's own: nobody reads more, and GitHub takes 2,500 of everybody's, ever."""
OF_PEOPLE: Final = 300
"""What people publish or are answered has room of its own, which no flapping can use up."""
OWN: Final = frozenset(
    {
        CommentKind.SEVERITY_RAISED,
        CommentKind.JUDGED_ABOVE,
        CommentKind.ESCALATED,
        CommentKind.REOPENED,
        CommentKind.RESOLVED,
    }
)
"""What the daemon says by itself; all else is said because a person did something, or is asked of one."""

SPENT: Final = "left out"
FULL: Final = "comment_limit"
GONE: Final = "gone"


class Said(Struct, frozen=True, kw_only=True):
    """How many comments of an issue went out or will; `full` where the backend takes no more of them."""

    lately: int = 0
    own: int = 0
    of_people: int = 0
    full: bool = False

    def and_one(self, kind: CommentKind) -> Said:
        if kind not in OWN:
            return replace(self, of_people=self.of_people + 1)
        return replace(self, lately=self.lately + 1, own=self.own + 1)


class Unsaid(Struct, frozen=True, kw_only=True):
    """How many comments of an issue were left out; `full` where the backend takes no more of them.

    `failure` is why one that waits could not be written when that was tried last, "" for none.
    """

    count: int = 0
    full: bool = False
    failure: str = ""


def left_out(kind: CommentKind, severity: Severity, said: Said) -> str:
    """Why such a comment of an incident of that severity is left out, SPENT or FULL; "" where it goes out.

    What has to reach somebody, a severity raised to Sev-1 or Sev-2 and the like, does not wait for another hour.
    """
    if said.full:
        return FULL
    if kind not in OWN:
        return SPENT if said.of_people >= OF_PEOPLE else ""
    grave = kind in {CommentKind.ESCALATED, CommentKind.JUDGED_ABOVE}
    grave = grave or (kind is CommentKind.SEVERITY_RAISED and severity.pages)
    return SPENT if said.own >= IN_ALL or (said.lately >= AN_HOUR and not grave) else ""
