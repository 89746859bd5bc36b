"""What is told of an incident, gathered from the store, the rules in force and its frozen policy."""

from __future__ import annotations

from triaged.core import verification
from triaged.core.model import Incident, Objective
from triaged.core.recipients import STAKEHOLDERS
from triaged.explaining.former import Former
from triaged.explaining.why import why
from triaged.intake.units import Rules
from triaged.ports.backend import Places, Related, Report
from triaged.store import comments, findings, health, linked, problems, suppressions
from triaged.store.reading import Reader

_EPISODES = 25
_ENTRIES = 40
_FOLDED = 20


def gather(  # noqa: PLR0913 - what a report is made of
    reader: Reader, incident_id: int, *, rules: Rules, former: Former, public_url: str, places: Places, chosen: str = ""
) -> Report | None:
    """The report of an incident; None where there is no such incident, or none that was opened.

    `chosen` is the repository that its issue was sent to before, where it may be by now.
    """
    row = reader.incident(incident_id)
    if row is None or row.incident.opened_at is None:
        return None
    incident = row.incident
    episodes = reader.episodes(incident_id, firing=True, limit=_EPISODES)
    if not episodes:
        episodes = reader.episodes(incident_id, firing=False, limit=_EPISODES)
    policy = former.policy(reader, incident.policy, current=rules)
    targets = policy.severities[incident.severity].targets
    repository = row.address.repository if row.address else chosen or places.of(incident)
    folded, folded_count = reader.folded(incident_id, _FOLDED)
    problem, review = problems.of_incident(reader.connection, incident.id), incident.process.review
    numbers = (problem.id if problem else 0, review.number if review else 0)
    places_of = linked.addresses(reader.connection, numbers) if any(numbers) else {}
    return Report(
        incident=incident,
        repository=repository,
        hidden=places.hides(incident, repository),
        by_comment=places.by_comment,
        episodes=tuple(episodes),
        timeline=tuple(reader.timeline(incident_id, _ENTRIES)),
        targets={objective: targets[objective].text for objective in Objective},
        service=rules.rule_set.services.get(incident.service),
        public_url=public_url,
        why=why(reader, incident, rules, former),
        parent=_parent(reader, incident),
        folded=tuple(Related(incident=row.incident, address=row.address) for row in folded),
        folded_count=folded_count,
        suppressed=suppressions.of_episodes(reader.connection, episodes),
        unheard=row.unheard,
        health=health.of_round(reader.connection, incident) if incident.restored_at is not None else (),
        watched_until=verification.ends_at(incident, policy),
        watched_for=verification.in_words(incident, policy),
        roles=policy.severities[incident.severity].roles,
        meets=bool(policy.severities[incident.severity].bridge),
        evidence=findings.of_incident(reader.connection, incident_id),
        problem=problem,
        problem_at=places_of.get(numbers[0]),
        review_at=places_of.get(numbers[1]),
        unsaid=comments.unsaid(reader.connection, incident.id),
        knowledge=problems.known(reader.connection, incident),
        informs=STAKEHOLDERS in rules.rule_set.teams and policy.severities[incident.severity].update_every is not None,
    )


def _parent(reader: Reader, incident: Incident) -> Related | None:
    row = None if incident.parent is None else reader.incident(incident.parent)
    return None if row is None else Related(incident=row.incident, address=row.address)
