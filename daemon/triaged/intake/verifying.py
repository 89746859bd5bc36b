"""Verification in one batch: what has to be known to say that an incident is over, and what its record tells."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from triaged.core.draft import Context
from triaged.core.events import Act, CloseAsked, DeadlinePassed, Event, HealthSeen
from triaged.core.model import DeadlineKind, Incident
from triaged.core.rules import RuleSet
from triaged.intake.family import Family
from triaged.ports.store import Transaction


class Verifying:
    """`asks` says that somebody asks the health queries of the rules: without a Prometheus nobody does."""

    def __init__(self, transaction: Transaction, rules: RuleSet, family: Family, *, asks: bool) -> None:
        self._transaction = transaction
        self._rules = rules
        self._family = family
        self._asks = asks

    def known(self, context: Context, incident: Incident, event: Event, acts: Sequence[tuple[int, Act]]) -> Context:
        """The context with what is asked where an incident may be over; `acts` are those of this batch."""
        over = isinstance(event, CloseAsked)
        if not over and not _asked(event):
            return context
        earlier = self._transaction.actors(incident.id)
        now = [act.actor.name for incident_id, act in acts if incident_id == incident.id]
        context = replace(context, actors=(*dict.fromkeys((*earlier, *now)),))
        if over:
            return context
        service = self._rules.services.get(incident.service)
        related = (one for one in self._family.around(incident.service) if one.id != incident.id and one.parent is None)
        return replace(
            context,
            health=service.healthy if service is not None and self._asks else (),
            related=(*related,),
        )


def _asked(event: Event) -> bool:
    of_window = isinstance(event, DeadlinePassed) and event.kind is DeadlineKind.VERIFICATION
    return of_window or isinstance(event, HealthSeen)
