"""Whom a comment mentions, asked when it is written: the rota may say somebody else by then."""

from __future__ import annotations

from datetime import datetime

from triaged.core.mentions import mentioned
from triaged.core.recipients import Directory
from triaged.core.rules import RuleSet
from triaged.ports.store import PendingComment
from triaged.store import shifts
from triaged.store.reading import Reader


def mentions(reader: Reader, comment: PendingComment, rules: RuleSet, now: datetime) -> tuple[str, ...]:
    """The logins that the comment mentions; nobody where it is on no incident's issue."""
    row = reader.incident(comment.incident_id)
    if row is None:
        return ()

    def directory() -> Directory:
        rota = shifts.rota(rules, reader.connection)
        return Directory(teams=rules.teams, people=rules.people, channels=(), on_call=lambda team: rota.now(team, now))

    return mentioned(comment.kind, comment.calls, row.incident, directory)
