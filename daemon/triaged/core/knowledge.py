"""Links to what is known: kept on an incident, and offered at the next similar one; pure."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from triaged.core.draft import Draft
from triaged.core.effects import KeepKnowledge
from triaged.core.events import KnowledgeAdded
from triaged.core.model import Actor, Entry, Link, TimelineEntry
from triaged.errors import ActError

MOST: Final = 20
"""So many links an incident, or a problem, has."""
LONGEST_URL: Final = 2_000
LONGEST_TITLE: Final = 200


def add(draft: Draft, event: KnowledgeAdded) -> None:
    """Keep a link, also once it is closed: that is when people write things down."""
    known = draft.incident.process.knowledge
    expect_link(event.link)
    expect_new(draft.incident.name, event.link, [link.url for link in known])
    draft.proceed(knowledge=(*known, event.link))
    draft.timeline.append(entry_of(draft.incident.id, event.actor, event.link, draft.now))
    incident = draft.incident
    draft.effects.append(
        KeepKnowledge(
            number=incident.id,
            key=incident.key,
            service=incident.service,
            category=incident.category,
            restricted=incident.restricted,
            link=event.link,
            by=event.actor.name,
        )
    )
    draft.publish()


def expect_link(link: Link) -> None:
    """Refuse what no browser should be led to. Raises ActError."""
    try:
        parts = urlsplit(link.url)
        fit = parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        fit = False
    whole = link.url.isprintable() and not any(map(str.isspace, link.url)) and len(link.url) <= LONGEST_URL
    if not fit or not whole:
        shown = link.url if len(link.url) <= 80 else f"{link.url[:80]}…"
        raise ActError(
            f"url: expected a link like https://wiki.example.com/page of at most {LONGEST_URL:,} characters,"
            f" without a password, got {shown!r}"
        )
    if not link.title.strip() or not link.title.isprintable() or len(link.title) > LONGEST_TITLE:
        raise ActError(f"title: expected one line of at most {LONGEST_TITLE} characters that says what it leads to")


def expect_new(name: str, link: Link, known: Collection[str]) -> None:
    """Refuse a link that is there already, or one too many. Raises ActError."""
    if link.url in known:
        raise ActError(f"url: expected a link that {name} does not have yet, got {link.url}")
    if len(known) >= MOST:
        raise ActError(f"{name} has {MOST} links to what is known: expected fewer")


def entry_of(number: int, actor: Actor, link: Link, now: datetime) -> TimelineEntry:
    """What a timeline tells of a link that is kept."""
    text = f"knowledge: {link.title} ({link.url})"
    return TimelineEntry(incident_id=number, at=now, entry=Entry.KNOWLEDGE, by=actor.name, text=text)
