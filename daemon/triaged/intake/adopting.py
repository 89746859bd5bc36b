"""What a person reported by opening an issue, on the write path: an alert of people, and what ties it to the issue.

The issue's place is the report's identity: found twice, by whomever, it is the same alert.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from triaged.core.events import Adopted
from triaged.core.model import Actor, ActorKind, Incident
from triaged.core.reports import SOURCE, Report, alert_of
from triaged.core.rules import RuleSet
from triaged.ids import delivery_id
from triaged.intake.observing import person
from triaged.intake.units import Adopt, Delivery
from triaged.ports.source import Reading

EARLIEST: Final = timedelta(days=30)
"""So long before the issue was opened it may have begun."""
_LONGEST: Final = 200
_UNNAMED: Final = "Reported without a summary"
_PREFIX: Final = re.compile(r"\s*(?:\[[^\[\]]{0,40}\]|incident(?: report)?\s*:)\s*", re.IGNORECASE)
_MEANT_FOR_LINES: Final = frozenset("\n\t")


def read(unit: Adopt, rules: RuleSet) -> Reading:
    """The report as the one alert of a delivery."""
    opened, filed, address = unit.opened, unit.opened.filed, unit.address
    began = filed.started_at or opened.at
    report = Report(
        key=f"{address.backend} {address.repository.lower()}#{address.number}",
        by=person(rules, opened.by),
        summary=_summary(filed.summary or _PREFIX.sub("", opened.title, count=1)),
        service=_known(filed.services, rules.services),
        category=filed.category,
        impact=filed.impact,
        urgency=filed.urgency,
        symptoms=_shown(filed.symptoms),
        links=(address.url,),
        started_at=began if began >= opened.at - EARLIEST else opened.at,
    )
    return Reading(alerts=(alert_of(report),), rejected=())


def delivery(reading: Reading) -> Delivery:
    """The reading as it comes in: of an alert that there was before nothing changes."""
    expects = {alert.fingerprint: None for alert in reading.alerts}
    return Delivery(id=delivery_id(), source=SOURCE, body=b"", reading=reading, expects=expects)


def event(unit: Adopt, like: Incident | None, rules: RuleSet) -> Adopted:
    """What the incident is told of its issue; of another one only where everybody may know of that."""
    shown = like is not None and like.opened_at is not None and not like.restricted
    return Adopted(
        actor=Actor(name=person(rules, unit.opened.by), kind=ActorKind.PERSON),
        login=unit.opened.by,
        url=unit.address.url,
        like=like.id if like is not None and shown else None,
        titled=like.title if like is not None and shown else "",
    )


def _summary(text: str) -> str:
    text = " ".join(_shown(text).split())
    return (text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…") or _UNNAMED


def _known(names: Sequence[str], services: Mapping[str, object]) -> str:
    """The first of the names that the catalogue knows, as it writes it; "" for none."""
    known = {name.casefold(): name for name in services}
    return next((known[name.casefold()] for name in names if name.casefold() in known), "")


def _shown(text: str) -> str:
    """Without what cannot be seen, or kept."""
    return "".join(sign for sign in text if sign.isprintable() or sign in _MEANT_FOR_LINES)
