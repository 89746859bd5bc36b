"""A transaction that reads like the writer's and keeps nothing: what would be decided, without deciding it."""

from __future__ import annotations

from sqlalchemy import select

from triaged.store import schema as s
from triaged.store.transaction import Transaction


class Rehearsal(Transaction):
    """Ids are those that would come next, as things are; they are given to nobody."""

    def next_id(self, of: str) -> int:
        ids = self._ids[of]
        if not ids:
            last = self.connection.execute(select(s.sequences.c.value).where(s.sequences.c.name == of)).scalar()
            ids.append(int(last or 0) + 1)
        ids.append(ids[-1] + 1)
        return ids[-2]
