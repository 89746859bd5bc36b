"""What is known at the door: the last committed state of every alert, so that a repeat touches no disk."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import Final

from msgspec import Struct

MOST: Final = 1_000_000
# An HA pair whose members differ in their generator URLs sends two texts of one state in turn.
_TEXTS_OF_ONE_ALERT: Final = 4


class Changes(Struct, frozen=True, kw_only=True):
    """What became known or unknown: status by digest, None: unknown from now on. With `cleared`, all former is."""

    cleared: bool
    states: dict[bytes, str | None]

    def apply(self, copy: dict[bytes, str]) -> None:
        """Make a copy of what was known before, status by digest, one of what is known after."""
        if self.cleared:
            copy.clear()
        for digest, status in self.states.items():
            if status is None:
                copy.pop(digest, None)
            else:
                copy[digest] = status


class Known:
    """Digests of alerts that would change nothing. The writer enters and removes them; any thread may ask.

    A digest is entered after its commit, never before, and removed before the commit of any other state of its alert:
    so a digest that is here is the state that is on disk.
    """

    def __init__(self) -> None:
        self._digests: dict[bytes, str] = {}
        self._of: dict[str, tuple[bytes, ...]] = {}

    def __len__(self) -> int:
        return len(self._digests)

    def status(self, digest: bytes) -> str | None:
        """`firing` or `resolved` of a known state, else None."""
        return self._digests.get(digest)

    def alerts(self, digests: AbstractSet[bytes]) -> list[str]:
        """The alerts of which one of these is a known state; takes some 100 ns for each that is known."""
        # The copy is one step of the interpreter: the writer may go on meanwhile.
        return [alert for alert, texts in self._of.copy().items() if not digests.isdisjoint(texts)]

    def same(self, fingerprint: str, digest: bytes, status: str) -> None:
        """Another text of the state that this alert is known to have."""
        texts = self._of.get(fingerprint, ())
        self._remove(texts[: max(0, len(texts) + 1 - _TEXTS_OF_ONE_ALERT)])
        self._of[fingerprint] = (*texts[-(_TEXTS_OF_ONE_ALERT - 1) :], digest)
        self._enter(digest, status)
        while len(self._of) > MOST:
            self.forget((next(iter(self._of)),))

    def learn(self, fingerprint: str, digest: bytes, status: str) -> None:
        """The alert's one known state is this now."""
        self.forget((fingerprint,))
        self.same(fingerprint, digest, status)

    def forget(self, fingerprints: Iterable[str]) -> None:
        for fingerprint in fingerprints:
            if digests := self._of.pop(fingerprint, ()):
                self._remove(digests)

    def clear(self) -> None:
        """Know nothing: other rules may judge otherwise."""
        self._digests.clear()
        self._of.clear()

    def _enter(self, digest: bytes, status: str) -> None:
        self._digests[digest] = status

    def _remove(self, digests: Iterable[bytes]) -> None:
        for digest in digests:
            self._digests.pop(digest, None)


class Mirrored(Known):
    """Known, and what changed since it was last asked for: the copy at the door is kept right with that."""

    def __init__(self) -> None:
        super().__init__()
        self._cleared = False
        self._changed: dict[bytes, str | None] = {}

    def changes(self) -> Changes | None:
        """What changed since the last call; None where nothing did. For the writer's thread, as all that changes it."""
        if not self._changed and not self._cleared:
            return None
        changes = Changes(cleared=self._cleared, states=self._changed)
        self._cleared, self._changed = False, {}
        return changes

    def clear(self) -> None:
        super().clear()
        self._cleared, self._changed = True, {}

    def _enter(self, digest: bytes, status: str) -> None:
        super()._enter(digest, status)
        self._changed[digest] = status

    def _remove(self, digests: Iterable[bytes]) -> None:
        super()._remove(digests)
        for digest in digests:
            self._changed[digest] = None
