"""One Alertmanager, whichever of its members answers: silences are made, found again and removed there.

Members share their silences, so one of them is enough; alerts they do not share.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from triaged.alertmanagers.wire import Changeable, UnreadableError
from triaged.core.suppression import operation_in
from triaged.errors import DeliveryError


@dataclass(frozen=True, slots=True, kw_only=True)
class Alertmanager:
    """The members of one cluster, under the name that timelines and logs give it."""

    name: str
    members: Sequence[Changeable]

    def make(self, matchers: Mapping[str, str], *, by: str, comment: str, span: tuple[datetime, datetime]) -> str:
        """The id of a new silence of what has these labels. Raises DeliveryError; ambiguous: it may exist."""
        starts_at, ends_at = span
        silence = {
            "matchers": [
                {"name": name, "value": value, "isRegex": False, "isEqual": True} for name, value in matchers.items()
            ],
            "startsAt": _instant(starts_at),
            "endsAt": _instant(ends_at),
            "createdBy": by,
            "comment": comment,
        }
        error = DeliveryError(f"{self.name} has no member", reason="unreachable")
        for member in self.members:
            try:
                return member.make_silence(silence)
            except DeliveryError as failure:
                error = failure
                if failure.ambiguous or failure.reason == "refused":
                    break
        raise error

    def find(self, operation: str) -> list[str]:
        """The ids of silences with this mark that have not ended. Raises DeliveryError where no member can be read."""
        return [ref for _, refs in self._marked(operation) for ref in refs]

    def remove(self, operation: str) -> int:
        """End the silences with this mark; how many there were. Raises DeliveryError. Idempotent."""
        removed: set[str] = set()
        for member, refs in self._marked(operation):
            for ref in refs:
                # The next member may not have heard of it yet.
                if ref not in removed:
                    member.remove_silence(ref)
                    removed.add(ref)
        return len(removed)

    def _marked(self, operation: str) -> list[tuple[Changeable, list[str]]]:
        found: list[tuple[Changeable, list[str]]] = []
        failures: list[str] = []
        for member in self.members:
            try:
                known = member.silences()
            except UnreadableError as error:
                failures.append(f"({member.name}): {error}")
                continue
            mine = [one.id for one in known if one.status.state != "expired" and operation_in(one.comment) == operation]
            found.append((member, mine))
        if not found:
            raise DeliveryError("; ".join(failures) or f"{self.name} has no member", reason="unreachable")
        return found


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
