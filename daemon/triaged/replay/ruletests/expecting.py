"""What can be expected of an incident: how each expectation is written, what it looks at, and when it holds."""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from triaged.core.model import (
    Category,
    DeadlineKind,
    Fold,
    Impact,
    Incident,
    Objective,
    Outcome,
    ReviewOutcome,
    Severity,
    State,
    Urgency,
    Verdict,
)
from triaged.replay.ruletests.cases import Labels
from triaged.replay.ruletests.wording import NONE, moment
from triaged.rulefiles import words
from triaged.rulefiles.values import Value

DUE: Final = tuple(kind.value for kind in DeadlineKind)
"""What `due` can name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What is to be seen at an instant: the verdict on the newest alert in question, and its incident with all of it.

    `opened` is how many incidents have a number, `issues` how many have an issue; `parent_alerts` are the labels of the
    parent's alerts; `notified` are the names of people and channels that were told of it so far.
    """

    start: datetime
    opened: int = 0
    issues: int = 0
    verdict: Verdict | None = None
    incident: Incident | None = None
    parent_alerts: tuple[Labels, ...] = ()
    due: Mapping[DeadlineKind, datetime] = field(default_factory=dict)
    timeline: tuple[str, ...] = ()
    notified: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """`read` takes what is expected from the file (None is `none`), `see` what came; `holds` compares the two."""

    read: Callable[[Value, datetime], object]
    see: Callable[[Scene], object]
    holds: Callable[[Any, Any], bool] = operator.eq


# ---------------------------------------------------------------- how expectations are written


def _or_none(read: Callable[[Value], object]) -> Callable[[Value, datetime], object]:
    return lambda value, _start: None if value.word == NONE else read(value)


def _choice(known: Iterable[str]) -> Callable[[Value, datetime], object]:
    choices = [*map(str, known), NONE]
    return _or_none(lambda value: value.one_of(choices))


def _flag(value: Value, _start: datetime) -> bool | None:
    return value.flag()


def _count(value: Value, _start: datetime) -> int | None:
    return value.whole(least=0)


def _texts(value: Value, _start: datetime) -> tuple[str, ...]:
    """One text, or a list of them: at least one, for nothing is a part of everything."""
    if value.length is not None:
        return value.names() if value.filled("at least one text") else ()
    text = value.phrase()
    return () if text is None else (text,)


def _span(value: Value, _start: datetime) -> timedelta | None:
    return None if value.word == NONE else value.plain(words.some_span, "a duration like 15m")


def _when(value: Value, start: datetime) -> datetime | None:
    return None if value.word == NONE else value.plain(lambda text: moment(text, start), "a time since the start")


def _names(value: Value, _start: datetime) -> tuple[str, ...]:
    return value.names()


def _objectives(value: Value, _start: datetime) -> tuple[str, ...]:
    return value.names(lambda name: name.one_of([objective.value for objective in Objective]))


def _dropped(value: Value, _start: datetime) -> object:
    return value.flag() if value.word in ("true", "false") else value.phrase("true, false or a part of the reason")


def _key(value: Value, _start: datetime) -> object:
    if not value.filled("at least one name in the key"):
        return None
    return value.names() if value.length is not None else labels(value)


def _labels_or_none(value: Value, _start: datetime) -> Labels | None:
    return None if value.word == NONE else some_labels(value)


def labels(value: Value) -> dict[str, str]:
    """A mapping of texts."""
    read = {name: value.text("text") for name, value in value.by_name()}
    return {name: text for name, text in read.items() if text is not None}


def some_labels(value: Value) -> dict[str, str]:
    """The labels that say which alert is meant, at least one: none would mean any."""
    return labels(value) if value.filled("at least one label") else {}


# ---------------------------------------------------------------- when they hold


def _contains(wanted: Sequence[str], seen: Sequence[str]) -> bool:
    return all(any(text in told for told in seen) for text in wanted)


def _same_names(wanted: Collection[str], seen: Collection[str]) -> bool:
    return set(wanted) == set(seen)


def _same_key(wanted: object, seen: object) -> bool:
    if not isinstance(seen, Mapping):
        return False
    return dict(seen) == wanted if isinstance(wanted, Mapping) else _same_names(tuple(_listed(wanted)), tuple(seen))


def _listed(value: object) -> Collection[str]:
    return value if isinstance(value, tuple) else ()


def _is_dropped(wanted: object, seen: str | None) -> bool:
    return bool(wanted) is bool(seen) and (not isinstance(wanted, str) or wanted in (seen or ""))


def _is_parent(wanted: Labels | None, seen: Sequence[Labels] | None) -> bool:
    if wanted is None or seen is None:
        return wanted is None and seen is None
    return any(wanted.items() <= alert.items() for alert in seen)


# ---------------------------------------------------------------- what they look at


def _of_incident(name: str) -> Callable[[Scene], object]:
    return lambda scene: getattr(scene.incident, name, None)


def _of_verdict(name: str) -> Callable[[Scene], object]:
    """The incident's own, whose verdict is the gravest of its alerts; else that of the alert, which was dropped."""
    return lambda scene: getattr(scene.incident or scene.verdict, name, None) or None


def _listed_of(name: str) -> Callable[[Scene], object]:
    return lambda scene: tuple(getattr(scene.incident or scene.verdict, name, ()))


def _with_outcome(outcome: Outcome) -> Expectation:
    def see(scene: Scene) -> tuple[str, ...]:
        return tuple(o.value for o in Objective if _outcome(scene, o) is outcome)

    return Expectation(read=_objectives, see=see, holds=_same_names)


def _outcome(scene: Scene, objective: Objective) -> Outcome | None:
    return getattr(scene.incident, f"{objective}_outcome", None)


def _at_risk(scene: Scene) -> tuple[str, ...]:
    return tuple(
        o.value for o in Objective if not _outcome(scene, o) and getattr(scene.incident, f"{o}_at_risk", False)
    )


def _issue(scene: Scene) -> str | None:
    """What the issue would be: what is held back has none, what is folded none that is open."""
    incident = scene.incident
    if incident is None or incident.round == 0:
        return None
    return "closed" if incident.state is State.CLOSED or incident.parent is not None else "open"


def _key_pairs(scene: Scene) -> Mapping[str, str] | None:
    return None if scene.verdict is None else dict(scene.verdict.key.pairs)


def _drop_reason(scene: Scene) -> str | None:
    return scene.verdict.dropped if scene.verdict is not None and scene.incident is None else None


def _parents(scene: Scene) -> tuple[Labels, ...] | None:
    return None if scene.incident is None or scene.incident.parent is None else scene.parent_alerts


def _level(scene: Scene) -> int:
    """How many levels of escalation were told since somebody was last asked for."""
    return 0 if scene.incident is None else scene.incident.process.level


def _owner(scene: Scene) -> str | None:
    return None if scene.incident is None else scene.incident.process.owner or None


def _bridge(scene: Scene) -> str | None:
    return None if scene.incident is None else scene.incident.process.bridge or None


def _roles(scene: Scene) -> dict[str, str] | None:
    """Who holds which role."""
    return None if scene.incident is None else dict(scene.incident.process.roles) or None


def _review(scene: Scene) -> str | None:
    review = None if scene.incident is None else scene.incident.process.review
    return None if review is None else review.outcome


def _actions(scene: Scene) -> int:
    """How many action items are not done."""
    return 0 if scene.incident is None else sum(item.done_at is None for item in scene.incident.process.actions)


def _due(kind: DeadlineKind) -> Expectation:
    return Expectation(read=_when, see=lambda scene: scene.due.get(kind))


_TEXT: Final = _or_none(Value.text)

EXPECTATIONS: Final[Mapping[str, Expectation]] = {
    "severity": Expectation(read=_choice(Severity), see=_of_incident("severity")),
    "judged": Expectation(read=_choice(Severity), see=_of_incident("judged")),
    "impact": Expectation(read=_choice(Impact), see=_of_verdict("impact")),
    "urgency": Expectation(read=_choice(Urgency), see=_of_verdict("urgency")),
    "category": Expectation(read=_choice(Category), see=_of_verdict("category")),
    "service": Expectation(read=_TEXT, see=_of_verdict("service")),
    "team": Expectation(read=_TEXT, see=_of_verdict("team")),
    "repository": Expectation(read=_TEXT, see=_of_verdict("repository")),
    "close": Expectation(read=_TEXT, see=_of_verdict("close")),
    "restricted": Expectation(read=_flag, see=lambda scene: bool(_of_verdict("restricted")(scene))),
    "labels": Expectation(read=_names, see=_listed_of("labels"), holds=_same_names),
    "matched": Expectation(read=_names, see=_listed_of("matched")),
    "because": Expectation(read=_texts, see=_listed_of("because"), holds=_contains),
    "key": Expectation(read=_key, see=_key_pairs, holds=_same_key),
    "delay": Expectation(read=_span, see=lambda scene: getattr(scene.verdict, "delay", None)),
    "dropped": Expectation(read=_dropped, see=_drop_reason, holds=_is_dropped),
    "state": Expectation(read=_choice(State), see=_of_incident("state")),
    "issue": Expectation(read=_choice(("open", "closed")), see=_issue),
    "round": Expectation(read=_count, see=lambda scene: getattr(scene.incident, "round", 0)),
    "firing": Expectation(read=_count, see=lambda scene: getattr(scene.incident, "firing", 0)),
    "incidents": Expectation(read=_count, see=lambda scene: scene.opened),
    "issues": Expectation(read=_count, see=lambda scene: scene.issues),
    "parent": Expectation(read=_labels_or_none, see=_parents, holds=_is_parent),
    "fold": Expectation(read=_choice(Fold), see=_of_incident("fold")),
    "level": Expectation(read=_count, see=_level),
    "owner": Expectation(read=_TEXT, see=_owner),
    "bridge": Expectation(read=_TEXT, see=_bridge),
    "review": Expectation(read=_choice(ReviewOutcome), see=_review),
    "actions": Expectation(read=_count, see=_actions),
    "roles": Expectation(read=_labels_or_none, see=_roles),
    "acknowledged_by": Expectation(read=_TEXT, see=_of_incident("acknowledged_by")),
    "at_risk": Expectation(read=_objectives, see=_at_risk, holds=_same_names),
    "breached": _with_outcome(Outcome.BREACHED),
    "met": _with_outcome(Outcome.MET),
    "not_required": _with_outcome(Outcome.NOT_REQUIRED),
    "response": Expectation(read=_choice(Outcome), see=_of_incident("response_outcome")),
    "resolution": Expectation(read=_choice(Outcome), see=_of_incident("resolution_outcome")),
    "notified": Expectation(read=_names, see=lambda scene: scene.notified, holds=_same_names),
    "timeline": Expectation(read=_texts, see=lambda scene: scene.timeline, holds=_contains),
    **{f"due.{kind}": _due(kind) for kind in DeadlineKind},
}
"""Every expectation by its name; those of `due` stand below it in files."""

COUNTS: Final = frozenset({"incidents", "issues"})
"""Those that are not about one incident."""
KEYS: Final = (*dict.fromkeys(name.partition(".")[0] for name in EXPECTATIONS),)
"""What `expect` can name."""
