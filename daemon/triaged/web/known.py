"""What is known of an incident already, over the API: its problem, the links of people, and the act to keep one."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, Field

from triaged.core.events import Act, KnowledgeAdded
from triaged.core.knowledge import LONGEST_TITLE, LONGEST_URL
from triaged.core.model import Actor, Incident, Link
from triaged.core.problems import Kept, ProblemKind, ProblemState
from triaged.store import problems
from triaged.store.reading import Reader
from triaged.web.acts import Asked
from triaged.web.fields import clean

_NAMES: Final = ("kind", "state", "title", "incidents", "workaround")

TheUrl = Annotated[str, Field(max_length=LONGEST_URL), AfterValidator(clean)]
TheTitle = Annotated[str, Field(max_length=LONGEST_TITLE), AfterValidator(clean)]


class Knowledge(Asked):
    """Keep a link to what is known; the next incident like this one offers it."""

    url: TheUrl = Field(description="Of a page that a browser can open, such as a runbook or a write-up.")
    title: TheTitle = Field(description="What it leads to, in one line.")

    def act(self, actor: Actor) -> Act:
        return KnowledgeAdded(actor=actor, link=self.link)

    @property
    def link(self) -> Link:
        return Link(url=self.url, title=self.title)


class KnownLink(BaseModel):
    """A link that somebody kept."""

    url: str
    title: str
    by: str
    at: datetime


class PartOf(BaseModel):
    """The problem that an incident is part of, and what helps until that is mended."""

    id: str
    kind: ProblemKind
    state: ProblemState
    title: str
    incidents: int
    workaround: str
    url: str


def known(reader: Reader, incident: Incident, public_url: str, *, whole: bool) -> dict[str, object]:
    """What an incident shows of it, by the name of the field; nothing without `whole`."""
    problem = problems.of_incident(reader.connection, incident.id) if whole else None
    kept = problems.known(reader.connection, incident) if whole else ()
    part: dict[str, object] | None = None
    if problem is not None:
        page = f"{public_url}/problems/{problem.name}"
        part = {**{name: getattr(problem, name) for name in _NAMES}, "id": problem.name, "url": page}
    return {"problem": part, "knowledge": [link(one) for one in kept]}


def link(kept: Kept) -> dict[str, object]:
    return {"url": kept.link.url, "title": kept.link.title, "by": kept.by, "at": kept.at}
