"""Which incidents may be folded into which: causes, symptoms and the storm, in the store and in this batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from triaged.core.catalogue import Catalogue
from triaged.core.draft import Parents
from triaged.core.model import Fold, Incident, State
from triaged.core.rules import Storm
from triaged.core.storm import SOURCE
from triaged.ports.store import Transaction


class Family:
    """The relatives of incidents, as one transaction sees them. `incidents` is its working set, `load` adds to it."""

    def __init__(
        self,
        transaction: Transaction,
        catalogue: Catalogue,
        incidents: Mapping[int, Incident],
        load: Callable[[Iterable[int]], None],
    ) -> None:
        self._transaction = transaction
        self._catalogue = catalogue
        self._incidents = incidents
        self._load = load
        self._at_work: dict[str, list[int]] = {}
        self._opened_here = 0
        self._opened_before: int | None = None

    def opened(self) -> None:
        """An incident opened in this transaction, which the store does not know yet."""
        self._opened_here += 1

    def at_work(self, incident: Incident) -> None:
        """One opened, opened again or came back from verifying in this transaction; the store does not know yet."""
        if incident.service:
            self._at_work.setdefault(incident.service, []).append(incident.id)

    def saved(self) -> None:
        """The store knows by now what this transaction did."""
        self._at_work.clear()
        self._opened_here = 0
        self._opened_before = None

    def causes(self, service: str) -> Parents:
        """What this service depends on and does not work: the incidents, each as the one that it is folded into."""
        found: dict[int, Incident] = {}
        for incident in self._working_on(self._catalogue.needs(service)):
            root = self.parent(incident) or incident
            found[root.id] = root
        return tuple((Fold.DEPENDENCY, incident) for incident in found.values())

    def symptoms(self, service: str) -> list[Incident]:
        """The open incidents of services that depend on this one."""
        return self._working_on(self._catalogue.needed_by(service))

    def around(self, service: str) -> list[Incident]:
        """What is open of this service, and of those that depend on it."""
        return self._working_on((service, *self._catalogue.needed_by(service))) if service else []

    def parent(self, incident: Incident) -> Incident | None:
        if incident.parent is None:
            return None
        self._load([incident.parent])
        return self._incidents.get(incident.parent)

    def folded_into(self, incident: Incident) -> list[Incident]:
        """What is folded into it and not closed: storms first, then causes before their symptoms.

        Where the parent is over, each may take in those after it.
        """
        self._load(self._transaction.folded_into(incident.id))
        children = [one for one in self._incidents.values() if one.parent == incident.id]
        depth = {service: len(self._catalogue.needs(service)) for service in {one.service for one in children}}
        return sorted(
            (one for one in children if one.state is not State.CLOSED),
            key=lambda one: (one.source != SOURCE, depth[one.service], one.id),
        )

    def opened_within(self, storm: Storm, now: datetime) -> int:
        """How many incidents opened in a storm's span up to now, counted up to what makes a storm."""
        if self._opened_before is None:
            self._opened_before = self._transaction.opened_since(now - storm.within, storm.opened)
        return self._opened_before + self._opened_here

    def _working_on(self, services: tuple[str, ...]) -> list[Incident]:
        if not services:
            return []
        ids = {*self._transaction.working_on(services)}
        for service in services:
            ids.update(self._at_work.get(service, ()))
        self._load(ids)
        known = (self._incidents[one] for one in sorted(ids) if one in self._incidents)
        return [incident for incident in known if incident.state.working]
