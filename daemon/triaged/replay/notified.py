"""Who is told in virtual time: notices are taken up as the daemon would, but nothing is sent."""

from __future__ import annotations

from collections.abc import Sequence

from triaged.core.effects import Audience
from triaged.core.events import NobodyTold
from triaged.core.model import Incident
from triaged.core.recipients import Directory
from triaged.intake.units import Happened, Unit
from triaged.ports.store import Notice
from triaged.replay.world import World
from triaged.store import notices, shifts


class Notified:
    """Keeps whom each incident's notices reached; every channel that a team names counts as configured."""

    def __init__(self) -> None:
        self._told: dict[int, dict[str, None]] = {}

    def of(self, incident_id: int) -> tuple[str, ...]:
        """Names of people and channels that were told of an incident so far, each once, in their order."""
        return tuple(self._told.get(incident_id, ()))

    def take_up(self, world: World) -> None:
        """Answer what waits at this instant; what finds nobody is said to the write path, and may bring more."""
        while True:
            with world.store.read() as reader:
                notice = next(iter(notices.waiting(reader.connection, 1)), None)
                if notice is None:
                    return
                row = reader.incident(notice.incident_id)
                names = () if row is None else self._names(world, notice, row.incident)
            self._told.setdefault(notice.incident_id, {}).update(dict.fromkeys(names))
            units: list[Unit] = []
            if row is not None and not names and notice.audience is Audience.RESPONDERS:
                units.append(Happened(incident_id=notice.incident_id, event=NobodyTold(key=notice.key)))
            with world.store.begin() as transaction:
                outcome = "taken" if names else "nobody"
                notices.take_up(transaction.connection, notice, outcome, world.clock.now())
            world.ask(*units)

    def _names(self, world: World, notice: Notice, incident: Incident) -> Sequence[str]:
        rules, now = world.intake.rules.rule_set, world.clock.now()
        with world.store.read() as reader:
            rota = shifts.rota(rules, reader.connection)
        channels = {name for team in rules.teams.values() for name in team.channels}
        directory = Directory(
            teams=rules.teams, people=rules.people, channels=channels, on_call=lambda team: rota.now(team, now)
        )
        meant = directory.answer(notice.recipients, incident.team)
        return [one.name for one in meant if one.name in channels or rules.people[one.name].notify]
