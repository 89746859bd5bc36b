"""What a repository lacks to be worked in: labels, issue templates, the webhook; looked at first, then made.

What people chose stays: a label's colour or description is filled only where it is empty, a file is written only where
there is none or one that nobody has changed since we wrote it, a webhook keeps its events. Doing it again does nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import Final

from triaged.backends.github import templates
from triaged.backends.github.administration import Administration, Hook, Place
from triaged.backends.github.labels import UNCHOSEN
from triaged.backends.github.wire import Label, NewLabel
from triaged.core.wording import count
from triaged.errors import DeliveryError

EVENTS: Final = ("issues", "issue_comment")
GAP_SECONDS: Final = 1.0
"""Between two writes, as GitHub's "Best practices for using the REST API" ask for."""
_REFUSING: Final = frozenset({"rate_limited", "secondary_limit", "unauthorized", "archived"})
_NOT_ALLOWED: Final = frozenset({"forbidden", "not_found"})


@dataclass(frozen=True, slots=True, kw_only=True)
class HookWish:
    """The webhook to have: where to, and its secret. `unreachable` says why GitHub cannot call us, "" where it can."""

    url: str
    secret: Callable[[], str] = field(repr=False)
    unreachable: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What every repository is to have."""

    labels: tuple[NewLabel, ...]
    files: Mapping[str, str]
    hook: HookWish


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One change, in words and as the call that makes it. `by_hand` tells a person how to do it without us."""

    words: str
    run: Callable[[], object]
    by_hand: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be done in one repository, and what is to be told of what stays.

    `problem` is there where the repository could not be looked at, or takes nothing.
    """

    repository: str
    steps: tuple[Step, ...] = ()
    notes: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A step that was not done, and why not."""

    step: Step
    why: str


def look(client: Administration, repository: str, wish: Wish) -> Plan:
    """What the repository lacks. Nothing is changed."""
    try:
        place = client.place(repository)
        if place.archived:
            return Plan(repository=repository, problem="it is archived, and takes nothing")
        return _planned(client, repository, place, wish)
    except DeliveryError as error:
        return Plan(repository=repository, problem=str(error))


def _planned(client: Administration, repository: str, place: Place, wish: Wish) -> Plan:
    there = place.full_name
    found = [
        *_renamed(repository, place),
        *_labels(client, there, wish.labels),
        *chain.from_iterable(_file(client, place, path, text) for path, text in wish.files.items()),
        *_hook(client, place, wish.hook),
    ]
    return Plan(
        repository=repository,
        steps=tuple(one for one in found if isinstance(one, Step)),
        notes=tuple(one for one in found if isinstance(one, str)),
    )


def apply(plan: Plan, pause: Callable[[float], None], done: Callable[[Step], object]) -> tuple[Failure, ...]:
    """Do the steps one after the other, and tell `done` of each; what was not done.

    Where GitHub refuses the credential or the repository altogether, the rest is not tried.
    """
    failures: list[Failure] = []
    refused = ""
    for number, step in enumerate(plan.steps):
        if refused:
            failures.append(Failure(step=step, why=refused))
            continue
        if number:
            pause(GAP_SECONDS)
        try:
            step.run()
        except DeliveryError as error:
            failures.append(Failure(step=step, why=str(error)))
            refused = str(error) if error.reason in _REFUSING else ""
        else:
            done(step)
    return tuple(failures)


def _renamed(repository: str, place: Place) -> Iterator[str]:
    if place.full_name.lower() != repository.lower():
        yield f"it is called {place.full_name} now: change the name where it is configured"
    if not place.has_issues:
        yield "issues are switched off: switch them on in its settings"


# ---- labels


def _labels(client: Administration, repository: str, wanted: Sequence[NewLabel]) -> Iterator[Step | str]:
    present = {(label.name or "").lower(): label for label in client.labels(repository)}
    there = 0
    for label in wanted:
        known = present.get(label.name.lower())
        if known is None:
            yield Step(
                words=f"make label {label.name!r} (#{label.color}, {label.description})",
                run=partial(client.ensure_label, repository, label),
            )
            continue
        there += 1
        yield from _filled(client, repository, known, label)
    if there:
        yield f"{there} of {count(len(wanted), 'label')} {'is' if there == 1 else 'are'} there"


def _filled(client: Administration, repository: str, known: Label, label: NewLabel) -> Iterator[Step | str]:
    """Only what is empty; a colour or a description that differs is people's."""
    colour, words = (known.color or "").lower(), known.description or ""
    empty = {
        "color": label.color if colour in ("", UNCHOSEN) else "",
        "description": "" if words else label.description,
    }
    fields = {name: value for name, value in empty.items() if value}
    if fields:
        said = ", ".join(f"{name} {value}" for name, value in fields.items())
        run = partial(client.change_label, repository, known.name or label.name, fields)
        yield Step(words=f"fill label {label.name!r} ({said})", run=run)
    if colour not in ("", UNCHOSEN, label.color.lower()):
        yield f"label {label.name!r} keeps the colour #{colour} that people gave it"
    if words not in ("", label.description):
        yield f"label {label.name!r} keeps the description that people gave it"


# ---- templates


def _file(client: Administration, place: Place, path: str, text: str) -> Iterator[Step | str]:
    found = client.content(place.full_name, path)
    if found is None:
        yield _written(client, place, path, text, sha=None)
        return
    present = found.text
    if present is not None and present.replace("\r\n", "\n") == text:
        yield f"{path} is there"
    elif present is not None and templates.is_untouched(present):
        yield _written(client, place, path, text, sha=found.sha)
    else:
        yield f"{path} stays as people wrote it"


def _written(client: Administration, place: Place, path: str, text: str, *, sha: str | None) -> Step:
    verb = "write" if sha is None else "renew"
    message = f"{'Add' if sha is None else 'Renew'} the incident report template {path.rpartition('/')[2]}"
    return Step(
        words=f"{verb} {path} on branch {place.default_branch}",
        run=partial(client.write_file, place.full_name, path, text, message=message, sha=sha),
        by_hand=f"commit this as {path} to the branch {place.default_branch} of {place.html_url}:\n\n{text}",
    )


# ---- the webhook


def _hook(client: Administration, place: Place, wish: HookWish) -> Iterator[Step | str]:
    if wish.unreachable:
        yield f"webhook: {wish.unreachable}"
        return
    by_hand = (
        f"add it at {place.html_url}/settings/hooks: payload URL {wish.url}, content type application/json, the secret "
        f"of webhook_secret_file, events {', '.join(EVENTS)}"
    )
    try:
        hooks = client.hooks(place.full_name)
    except DeliveryError as error:
        if error.reason not in _NOT_ALLOWED:
            raise
        yield f"webhook: this credential may not see webhooks ({error}); {by_hand}"
        return
    ours = [hook for hook in hooks if hook.config.url.rstrip("/").lower() == wish.url.lower()]
    if not ours:
        yield _new_hook(client, place, wish, by_hand)
    for hook in ours:
        yield from _mended(client, place, hook, wish)


def _new_hook(client: Administration, place: Place, wish: HookWish, by_hand: str) -> Step:
    def make() -> None:
        config = {"url": wish.url, "content_type": "json", "insecure_ssl": "0", "secret": wish.secret()}
        client.create_hook(place.full_name, config, EVENTS)

    return Step(words=f"add a webhook to {wish.url} for {', '.join(EVENTS)}", run=make, by_hand=by_hand)


def _mended(client: Administration, place: Place, hook: Hook, wish: HookWish) -> Iterator[Step | str]:
    missing = () if "*" in hook.events else tuple(event for event in EVENTS if event not in hook.events)
    if missing:
        run = partial(client.add_events, place.full_name, hook.id, missing)
        yield Step(words=f"let the webhook to {wish.url} tell of {', '.join(missing)}, too", run=run)
    if not hook.config.secret:
        yield Step(
            words=f"give the webhook to {wish.url} its secret",
            run=lambda: client.set_secret(place.full_name, hook.id, wish.secret()),
        )
    yield from _doubts(place, hook)
    if not missing and hook.config.secret:
        yield "webhook: it is there; nobody can read its secret, so it is not known whether that is ours"


def _doubts(place: Place, hook: Hook) -> Iterable[str]:
    where = f"{place.html_url}/settings/hooks/{hook.id}"
    if not hook.active:
        yield f"webhook: it is switched off; switch it on at {where}"
    if hook.config.content_type not in ("", "json"):
        yield f"webhook: its content type is {hook.config.content_type}; choose application/json at {where}"
    if str(hook.config.insecure_ssl) not in ("0", "0.0"):
        yield f"webhook: it does not look at our certificate; switch verification on at {where}"
