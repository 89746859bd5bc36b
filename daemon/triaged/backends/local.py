"""Incidents as Markdown files in a folder, one each: `INC-12.md`; so their reviews and problems.

```
# INC-12 HighErrorRate · checkout · eu-1

State: open
Labels: severity: sev2, team: payments

the body, as anywhere else

## Comments
```
A person closes an incident by writing `closed` behind `State:`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

from triaged.backends import document
from triaged.backends.text import prose
from triaged.clock import Clock
from triaged.core import wording
from triaged.core.model import CloseReason
from triaged.core.observed import REOPENED, Doer, Looked
from triaged.errors import DeliveryError
from triaged.ports.backend import Address, Found, Issue, Kind, Twin, Written
from triaged.ports.looks import Sight

RETRY_AFTER = timedelta(seconds=30)
BETWEEN_WRITES = timedelta(milliseconds=200)
SKEW = timedelta(minutes=5)
SOMEBODY = "local"
STATE, LABELS = "State:", "Labels:"
NAMED = re.compile(rf"(?:{'|'.join(Kind)})-(\d+)(?:\.\d+)?\.md")
BELOW_THE_FRONT = re.compile(r"^(?:<!--|## )", re.MULTILINE)
COMMENTS = re.compile(r"^## Comments[ \t]*\r?$", re.MULTILINE)
REASONS = {reason.replace("_", " "): reason for reason in CloseReason if reason is not CloseReason.UNOPENED}


class LocalBackend:
    """Not thread safe, and alone with its folder but for people's editors: a file is replaced whole or not at all."""

    name = "local"
    settled_after = timedelta()
    hidden_for = timedelta()
    late_for = timedelta()
    remembers = timedelta()

    def __init__(self, directory: Path, clock: Clock) -> None:
        self._directory = directory.resolve()
        self._clock = clock
        self._wrote_at: datetime | None = None

    def ready_at(self, now: datetime, *, urgent: bool, creates: bool) -> datetime:
        """At once, but in a storm one after the other: files leave the processor to the alerts."""
        if self._wrote_at is None:
            return now
        return max(now, self._wrote_at + BETWEEN_WRITES)

    def remember(self, creations: Iterable[datetime]) -> None:
        """Nobody counts files."""

    def close(self) -> None:
        """Nothing is held open between calls."""

    def create(self, issue: Issue, operation: str) -> Address:
        """The file's address; idempotent. A file of another history's INC-12 stays, this one becomes `INC-12.2.md`."""
        self._wrote_at = self._clock.now()
        text = "\n\n".join((f"# {prose(issue.title)}", _front(issue), document.compose(issue, operation)))
        with self._disk():
            self._directory.mkdir(parents=True, exist_ok=True)
            number = 1
            while (path := self._path(issue.name, number)).exists():
                if document.carries(_read(path), operation):
                    return self._address(issue.incident_id, path)
                number += 1
            self._replace(path, text)
        return self._address(issue.incident_id, path)

    def find(self, operation: str, since: datetime, repository: str) -> Address | None:
        with self._disk():
            for path in self._directory.glob("*-*.md"):
                named = NAMED.fullmatch(path.name)
                changed_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
                if named and changed_at >= since - SKEW and document.carries(_read(path), operation):
                    return self._address(int(named[1]), path)
        return None

    def close_twin(self, true: Mapping[str, Address], since: datetime, repository: str) -> Twin | None:
        """A file is made once: there are none."""
        return None

    def update(self, address: Address, issue: Issue, last: Written) -> Found:
        self._wrote_at = self._clock.now()
        with self._disk():
            path = self._file(address)
            text = _read(path)
            state = _line(STATE, text)
            closed = _is_closed(state[1]) if state else last.closed
            changed = _merged(text, issue, last)
            if issue.closed != last.closed and issue.closed != closed:
                changed = _put(STATE, changed, _state(issue))
            labels = _line(LABELS, changed)
            if labels is not None:
                changed = _put(LABELS, changed, _labels(labels[1], issue, last))
            if changed != text:
                self._replace(path, changed)
        return Found(address=self._address(address.number, path), closed=closed)

    def comment(
        self,
        address: Address,
        text: str,
        operation: str,
        *,
        mentions: Sequence[str] = (),
        rows: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Idempotent, other than the interface asks for."""
        with self._disk():
            path = self._file(address)
            current = _read(path)
            if _has_mark(current, operation):
                return
            gap = "\n" if current.endswith("\n") else "\n\n"
            heading = "" if COMMENTS.search(current) else "## Comments\n\n"
            said = f"### {wording.instant(self._clock.now())}\n\n{document.comment(text, operation, mentions, rows)}"
            self._replace(path, f"{current}{gap}{heading}{said}")

    def react(self, address: Address, comment: int, reaction: str) -> None:
        """Nobody asks for anything by a comment in a file."""

    def has_comment(self, address: Address, operation: str, since: datetime) -> bool:
        with self._disk():
            path = self._file(address)
            return _has_mark(_read(path), operation)

    def look(self, address: Address, since: datetime | None) -> Sight:
        """What people wrote behind `State:` and `Labels:`, and ticked; who it was nobody can tell. Thread safe."""
        with self._disk():
            path = self._file(address)
            text = _read(path)
            edited_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        state, labels = _line(STATE, text), _line(LABELS, text)
        closed = state is not None and _is_closed(state[1])
        looked = Looked(
            closed=closed,
            closer=Doer(login=SOMEBODY),
            closed_at=edited_at if closed else None,
            reason=_reason(state[1]) if state else CloseReason.COMPLETED,
            labels=() if labels is None else tuple(filter(None, map(str.strip, labels[1].split(",")))),
            ticks=document.ticks(text),
            actions=document.actions(text),
        )
        return Sight(address=self._address(address.number, path), looked=looked, through_at=edited_at)

    def doers(self, address: Address) -> dict[str, Doer]:
        """Nobody can tell."""
        return {REOPENED: Doer(login=SOMEBODY)}

    def _path(self, name: str, number: int) -> Path:
        return self._directory / (f"{name}.md" if number == 1 else f"{name}.{number}.md")

    def _file(self, address: Address) -> Path:
        """By name: the folder may have been moved since."""
        return self._directory / Path(unquote(urlsplit(address.url).path)).name

    def _address(self, incident_id: int, path: Path) -> Address:
        return Address(backend=self.name, repository=str(self._directory), number=incident_id, url=path.as_uri())

    def _replace(self, path: Path, text: str) -> None:
        """The new text is on disk, under its name, when this returns: a crash leaves the old file or the new one."""
        beside = path.with_suffix(".part")
        with beside.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        folder = os.open(self._directory, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    @contextmanager
    def _disk(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            if not self._directory.is_dir():
                problem = f"there is no folder {self._directory}"
                raise DeliveryError(problem, reason="disk", retry_at=self._clock.now() + RETRY_AFTER) from error
            name = Path(error.filename).name if error.filename else "the file"
            raise DeliveryError(f"{name} is gone from {self._directory}", reason="gone") from error
        except OSError as error:
            problem = f"cannot write to {self._directory}: {error.strerror}"
            raise DeliveryError(problem, reason="disk", retry_at=self._clock.now() + RETRY_AFTER) from error


def _read(path: Path) -> str:
    """The text with its own line ends, and whatever bytes a person's editor left in it."""
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        return file.read()


def _has_mark(text: str, operation: str) -> bool:
    return document.mark(operation) in map(str.strip, text.splitlines())


def _front(issue: Issue) -> str:
    return f"{STATE} {_state(issue)}\n{LABELS} {', '.join(issue.labels)}"


def _state(issue: Issue) -> str:
    if not issue.closed:
        return "open"
    return f"closed ({str(issue.close_reason).replace('_', ' ')})" if issue.close_reason else "closed"


def _is_closed(state: str) -> bool:
    return state.lower().startswith("closed")


def _reason(state: str) -> CloseReason:
    """`closed (not planned)` and the like; anything else is completed."""
    words = re.sub(r"[^a-z]+", " ", state.lower()).removeprefix("closed").strip()
    return REASONS.get(words, CloseReason.COMPLETED)


def _labels(line: str, issue: Issue, last: Written) -> str:
    """The labels on the line, changed only where our wish changed."""
    there = [name for name in map(str.strip, line.split(",")) if name]
    gone = set(last.labels) - set(issue.labels)
    new = [name for name in issue.labels if name not in last.labels and name not in there]
    return ", ".join([*(name for name in there if name not in gone), *new])


def _merged(text: str, issue: Issue, last: Written) -> str:
    """The text with our block as it should be; comments are apart, because no limit holds for a file."""
    comments = COMMENTS.search(text)
    end = comments.start() if comments else len(text)
    body = document.merge(text[:end], last.block, issue)
    return text if body is None else body + text[end:]


def _line(name: str, text: str) -> re.Match[str] | None:
    """The line of that name above the body; its first group is the value. None where people took it away."""
    below = BELOW_THE_FRONT.search(text)
    pattern = re.compile(rf"^{name}[ \t]*([^\r\n]*?)[ \t]*(?=\r?$)", re.MULTILINE)
    return pattern.search(text, 0, below.start() if below else len(text))


def _put(name: str, text: str, value: str) -> str:
    found = _line(name, text)
    if found is None or found[1] == value:
        return text
    return f"{text[: found.start()]}{name} {value}{text[found.end() :]}"
