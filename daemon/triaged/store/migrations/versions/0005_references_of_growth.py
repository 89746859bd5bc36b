"""Growth conditions are known by what they ask and set, and no more by their place in their rule's list.

The store has the texts of all rules that judged something, so each old reference (`rule#0`) is read where it stood.
What cannot be read any more stays as it is: no rules know it, and the severity that it led to never falls.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

import msgspec
import sqlalchemy as sa
import yaml
from alembic import op

revision = "0005"
down_revision = "0004"

_PAGE = 500
_SECONDS = (604_800, 86_400, 3_600, 60, 1)
_SPAN = re.compile(r"(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", re.ASCII)
# Rules have no aliases, and to this loader every scalar is text.
_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)

incidents = sa.table("incidents", sa.column("id"), sa.column("grown"))
episodes = sa.table("episodes", sa.column("incident_id"), sa.column("verdict"))
verdicts = sa.table("verdicts", sa.column("id"), sa.column("rule_set"), sa.column("body"))
rule_sets = sa.table("rule_sets", sa.column("hash"), sa.column("files"), sa.column("first_used_at"))
counts = [
    sa.table(name, sa.column("incident_id"), sa.column("ref"))
    for name in ("growth_members", "growth_values", "growth_refires")
]


def upgrade() -> None:
    known: dict[str, dict[str, str]] = {}
    _verdicts(op.get_bind(), known)
    _incidents(op.get_bind(), known)


def _verdicts(connection: sa.Connection, known: dict[str, dict[str, str]]) -> None:
    grow = verdicts.c.body.like('%"growing":["%')
    last = ""
    while True:
        page = sa.select(verdicts).where(grow, verdicts.c.id > last).order_by(verdicts.c.id).limit(_PAGE)
        rows = connection.execute(page).all()
        if not rows:
            return
        last = rows[-1].id
        for row in rows:
            names = _references(connection, row.rule_set, known)
            body = json.loads(row.body)
            body["growing"] = [names.get(old, old) for old in body["growing"]]
            _set(connection, verdicts, verdicts.c.id == row.id, body=msgspec.json.encode(body).decode())


def _incidents(connection: sa.Connection, known: dict[str, dict[str, str]]) -> None:
    grown = dict(map(tuple, connection.execute(sa.select(incidents).where(incidents.c.grown != "[]"))))
    counting = {row[0] for table in counts for row in connection.execute(sa.select(table.c.incident_id).distinct())}
    for incident_id in sorted({*grown, *counting}):
        names = _names_in(connection, incident_id, known)
        if incident_id in grown:
            refs = [names.get(old, old) for old in json.loads(grown[incident_id])]
            _set(connection, incidents, incidents.c.id == incident_id, grown=msgspec.json.encode(refs).decode())
        for table in counts if incident_id in counting else ():
            mine = table.c.incident_id == incident_id
            for (old,) in connection.execute(sa.select(table.c.ref).where(mine).distinct()).all():
                if old in names:
                    _set(connection, table, mine & (table.c.ref == old), ref=names[old])


def _names_in(connection: sa.Connection, incident_id: int, known: dict[str, dict[str, str]]) -> dict[str, str]:
    """By the newest of the rules that judged alerts of the incident: so its conditions were read up to now."""
    judged = (
        sa.select(rule_sets.c.hash, rule_sets.c.first_used_at)
        .where(
            episodes.c.incident_id == incident_id,
            verdicts.c.id == episodes.c.verdict,
            rule_sets.c.hash == verdicts.c.rule_set,
        )
        .distinct()
        .order_by(rule_sets.c.first_used_at)
    )
    names: dict[str, str] = {}
    for row in connection.execute(judged).all():
        names |= _references(connection, row.hash, known)
    return names


def _references(connection: sa.Connection, rule_set: str, known: dict[str, dict[str, str]]) -> dict[str, str]:
    """The new reference of each old one of a rule set."""
    if rule_set not in known:
        files = connection.execute(sa.select(rule_sets.c.files).where(rule_sets.c.hash == rule_set)).scalar()
        try:
            known[rule_set] = dict(_read(json.loads(files or "{}").get("triage.yaml", "")))
        except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError):
            known[rule_set] = {}
    return known[rule_set]


def _read(triage: str) -> Iterator[tuple[str, str]]:
    for rule in (yaml.load(triage, _LOADER) or {}).get("rules") or ():  # noqa: S506 - the base loader makes texts only
        alike: Counter[str] = Counter()
        for index, entry in enumerate(rule.get("grows") or ()):
            form = msgspec.json.encode([*_asked(entry)])
            new = f"{rule['name']}#v1:{blake2b(form, digest_size=8).hexdigest()}"
            yield f"{rule['name']}#{index}", f"{new}.{alike[new]}" if alike[new] else new
            alike[new] += 1


def _asked(entry: dict[str, Any]) -> Iterator[tuple[str, str | int]]:
    when = entry["when"]
    if "alerts" in when:
        yield "alerts", int(when["alerts"])
    for label, wanted in sorted(when.get("distinct", {}).items()):
        yield f"distinct {label}", int(wanted)
    if "firing_for" in when:
        yield "firing_for", _seconds(when["firing_for"])
    if "refires" in when:
        yield "refires", int(when["refires"]["count"])
        yield "within", _seconds(when["refires"]["within"])
    for axis in ("impact", "urgency"):
        if axis in entry:
            yield axis, entry[axis]


def _seconds(span: str) -> int:
    amounts = _SPAN.fullmatch(span)
    if amounts is None:
        raise ValueError(span)
    return sum(int(amount or 0) * seconds for amount, seconds in zip(amounts.groups(), _SECONDS, strict=True))


def _set(connection: sa.Connection, table: sa.TableClause, where: sa.ColumnElement[bool], **values: str) -> None:
    connection.execute(sa.update(table).where(where).values(**values))
