"""Why an incident is as grave as it is, in the short form that its issue tells: from stored facts alone."""

from __future__ import annotations

from triaged.core import trace
from triaged.core.model import Incident
from triaged.core.storm import FINGERPRINT
from triaged.explaining.former import Former
from triaged.intake.units import Rules
from triaged.ports.backend import Why
from triaged.store import evidence
from triaged.store.reading import Reader

_MOST_KEYS = 5


def why(reader: Reader, incident: Incident, rules: Rules, former: Former) -> Why | None:
    """How the gravest alert was judged; None where no rules did, or those that did cannot be had any more."""
    found, _ = evidence.judged(reader, incident.id, 1)
    verdict = found[0].verdict if found else None
    if verdict is None or found[0].example.fingerprint == FINGERPRINT:
        return None
    then = former.rule_set(reader, found[0].rule_set, current=rules)
    if then is None:
        return None
    keys = evidence.keys(reader, incident.id, _MOST_KEYS)
    return Why(
        rule_set=found[0].rule_set,
        rules=trace.matched(then, verdict),
        arithmetic=trace.arithmetic(then, verdict, incident.grown),
        growing=trace.growing(then, verdict, incident.grown),
        keys=tuple(keys),
        keys_left_out=evidence.count_keys(reader, incident.id) - len(keys),
    )
