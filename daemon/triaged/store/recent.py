"""What the only writer of a store committed last, so that it need not ask for it again."""

from __future__ import annotations

from typing import Final

from triaged.core.maintenance import Window
from triaged.core.model import Incident

_MOST: Final = 5_000


class Recent:
    """Incidents, who owns which key, ids that were drawn and not given yet, and maintenance windows (None: not known).

    True only where no other process writes, and only after a commit: a transaction that fails leaves it as it was.
    """

    def __init__(self) -> None:
        self.incidents: dict[int, Incident] = {}
        self.owners: dict[str, int] = {}
        self.ids: dict[str, range] = {}
        self.windows: tuple[Window, ...] | None = None

    def learn(self, incidents: dict[int, Incident], owners: dict[str, int], ids: dict[str, range]) -> None:
        """These were read or written by what is committed now."""
        for memory in (self.incidents, self.owners):
            if len(memory) > _MOST:
                memory.clear()
        self.incidents.update(incidents)
        self.owners.update(owners)
        self.ids = ids

    def forget(self, incident_ids: list[int]) -> None:
        """These were deleted, with their keys."""
        for gone in incident_ids:
            self.incidents.pop(gone, None)
        if incident_ids:
            self.owners.clear()

    def clear(self) -> None:
        """The store holds something else now."""
        self.incidents.clear()
        self.owners.clear()
        self.ids = {}
        self.windows = None
