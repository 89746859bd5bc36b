"""Who comes together in virtual time: as the daemon would call them, but no service is asked for a bridge."""

from __future__ import annotations

from triaged.core.assembling import is_wanted, link
from triaged.core.events import Assembled
from triaged.core.sla import HOOK
from triaged.explaining.former import Former
from triaged.intake.units import Happened
from triaged.replay.world import World
from triaged.store import shifts


def call_together(world: World, former: Former) -> None:
    """Say to the write path who is on call to command, and where people meet by the severity's own link."""
    rules, now = world.intake.rules, world.clock.now()
    for incident_id in world.wanting():
        with world.store.read() as reader:
            row = reader.incident(incident_id)
            policy = None if row is None else former.policy(reader, row.incident.policy, current=rules)
            if row is None or policy is None or not is_wanted(row.incident, policy):
                continue
            on_call = shifts.rota(rules.rule_set, reader.connection).now(row.incident.team, now)
        bridge = policy.severities[row.incident.severity].bridge
        met = "" if bridge == HOOK else link(bridge, row.incident)
        found = Assembled(bridge=met, commander=next(iter(on_call), ""))
        world.ask(Happened(incident_id=incident_id, event=found))
