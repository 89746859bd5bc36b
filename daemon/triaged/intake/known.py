"""What the door knows: the last committed state of every alert, so that a repeat touches no disk."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

MOST: Final = 1_000_000
# An HA pair whose members differ in their generator URLs sends two texts of one state in turn.
_TEXTS_OF_ONE_ALERT: Final = 4


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

    def same(self, fingerprint: str, digest: bytes, status: str) -> None:
        """Another text of the state that this alert is known to have."""
        texts = self._of.get(fingerprint, ())
        for old in texts[: max(0, len(texts) + 1 - _TEXTS_OF_ONE_ALERT)]:
            self._digests.pop(old, None)
        self._of[fingerprint] = (*texts[-(_TEXTS_OF_ONE_ALERT - 1) :], digest)
        self._digests[digest] = status
        self._bound()

    def learn(self, fingerprint: str, digest: bytes, status: str) -> None:
        """The alert's one known state is this now."""
        self.forget((fingerprint,))
        self.same(fingerprint, digest, status)

    def forget(self, fingerprints: Iterable[str]) -> None:
        for fingerprint in fingerprints:
            for digest in self._of.pop(fingerprint, ()):
                self._digests.pop(digest, None)

    def clear(self) -> None:
        """Know nothing: other rules may judge otherwise."""
        self._digests.clear()
        self._of.clear()

    def _bound(self) -> None:
        while len(self._of) > MOST:
            self.forget((next(iter(self._of)),))
