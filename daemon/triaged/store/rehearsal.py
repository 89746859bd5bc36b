"""A transaction that reads like the writer's and keeps nothing: what would be decided, without deciding it."""

from __future__ import annotations

import sys

from sqlalchemy import select

from triaged.store import schema as s
from triaged.store.transaction import Transaction


class Rehearsal(Transaction):
    """Ids are those that would come next, as things are; they are given to nobody."""

    def next_id(self, of: str) -> int:
        spare = self.spare_ids.get(of)
        if spare is None:
            last = self.connection.execute(select(s.sequences.c.value).where(s.sequences.c.name == of)).scalar()
            spare = range(int(last or 0) + 1, sys.maxsize)
        self.spare_ids[of] = spare[1:]
        return spare[0]
