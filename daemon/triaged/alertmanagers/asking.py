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
        found, _ = self._marked(operation)
        return [ref for _, refs in found for ref in refs]

    def remove(self, operation: str) -> int:
        """End the silences with this mark wherever they are; how many there were. Idempotent.

        Raises DeliveryError where a member could not be asked: it may be the only one that has heard of them.
        """
        removed: set[str] = set()
        found, missed = self._marked(operation)
        failure: DeliveryError | None = None
        for member, refs in found:
            for ref in refs:
                # The next member may not have heard of it yet.
                if ref not in removed:
                    try:
                        member.remove_silence(ref)
                    except DeliveryError as error:
                        failure = error
                    else:
                        removed.add(ref)
        if failure is not None:
            raise failure
        if missed:
            raise DeliveryError("; ".join(missed), reason="unreachable")
        return len(removed)

    def _marked(self, operation: str) -> tuple[list[tuple[Changeable, list[str]]], list[str]]:
        """By member the ids of those that have not ended, and what is wrong with members that cannot be read."""
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
        return found, failures


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
