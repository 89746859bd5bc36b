"""What people ask for by commands in comments: who is heeded, and how a comment is answered."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from triaged.core import reporter
from triaged.core.effects import Comment, CommentKind
from triaged.core.events import Act, ActionAsked, Assigned, EscalateAsked, RoleGiven
from triaged.core.model import Actor, Incident, Severity
from triaged.core.solving import ProblemAct

DONE: Final = "rocket"
"""GitHub's name of the reaction to a comment whose commands are all done."""
REFUSED: Final = "confused"
HELP: Final = "/help"
LOGIN: Final = "@"
"""What a login may begin with in a command."""
_OF_PERSON: Final = {Assigned: "to", RoleGiven: "person", EscalateAsked: "to", ActionAsked: "owner"}


class Command(Struct, frozen=True, kw_only=True):
    """A command by its word as it stands in the comment: the act that it asks for, or why it asks for none (`error`).

    `/help` has neither. `known` says that there is such a word. Who acts is not known yet: the act's actor is nobody.
    """

    said: str
    act: Act | ProblemAct | None = None
    error: str = ""
    known: bool = True


class Heard(Struct, frozen=True, kw_only=True):
    """A comment as it was read: its commands in their order, and what is said around them."""

    commands: tuple[Command, ...] = ()
    around: str = ""


class Refused(Struct, frozen=True, kw_only=True):
    """Why a comment's commands are not done; `lacking`: who wrote it lacks a permission, and is told that once."""

    why: str
    lacking: bool = False


def heeds(commands: Sequence[Command], login: str, refused: Refused | None, incident: Incident | None) -> list[bool]:
    """Of each command whether it is done as the person of that login asks: what may be, whoever reported it may."""
    if refused is None:
        return [True for _ in commands]
    if not refused.lacking or incident is None:
        return [False for _ in commands]
    acts = (None if isinstance(one.act, ProblemAct) else one.act for one in commands)
    helps = bool(reporter.offers(incident, login))
    return [
        (helps and one.said == HELP and not one.error) if act is None else reporter.may(incident, login, act)
        for one, act in zip(commands, acts, strict=True)
    ]


def meant(act: Act | ProblemAct, actor: Actor, called: Callable[[str], str]) -> Act | ProblemAct:
    """The act of that actor; who is named in it has the name that `called` gives to what was written."""
    changes: dict[str, object] = {"actor": actor}
    name = _OF_PERSON.get(type(act), "")
    if name and (named := getattr(act, name)):
        changes[name] = called(named)
    return replace(act, **changes)


def refusal(number: int, to: int, login: str, refused: Refused) -> Iterator[Comment]:
    """The answer to comment `to` on the issue of that number, of which nothing is done.

    Whoever lacks a permission has one reply and one reaction on each issue, which the keys see to, and later nothing:
    strangers must not make us write.
    """
    if refused.lacking:
        reply = replace(_reply(number, to, refused.why, key=f"refused:{login.lower()}"), kind=CommentKind.REFUSED)
        yield reply
        yield replace(reply, key=f"{reply.key}:{REFUSED}", text="", reaction=REFUSED)
    else:
        yield _reply(number, to, refused.why)


def rank(comment: Comment, severity: Severity) -> Severity:
    """How urgent an answer on the issue of an incident of that severity is: strangers wait for all others."""
    return Severity.SEV4 if comment.kind is CommentKind.REFUSED else severity


def answer(number: int, to: int, commands: Sequence[Command], errors: Sequence[str], *, offers: str = "") -> Comment:
    """The one answer to comment `to`: a reaction where all is done (no `errors`), else a reply that says what is not.

    `errors` are those of the commands, in their order, "" for what is done. `offers` is all that may be asked for,
    where that is not every command.
    """
    failed = [f"{one.said}: {error}" for one, error in zip(commands, errors, strict=True) if error]
    helps = any(one.said == HELP and not one.error for one in commands)
    if not failed and not helps:
        return _reaction(number, to, DONE)
    done = len(commands) - len(failed) - sum(one.said == HELP and not one.error for one in commands)
    if done:
        failed.append("The rest is done." if failed else "Done.")
    if helps:
        failed.append(offers or "Each at the beginning of a line of a new comment, several in one if you like:")
    kind = CommentKind.HELP if helps and not offers else CommentKind.ANSWER
    return replace(_reply(number, to, "\n".join(failed)), kind=kind)


def _reply(number: int, to: int, text: str, *, key: str = "") -> Comment:
    key = key or f"answer:{to}"
    return Comment(incident_id=number, kind=CommentKind.ANSWER, key=key, text=text, to_comment=to)


def _reaction(number: int, to: int, reaction: str) -> Comment:
    return replace(_reply(number, to, ""), reaction=reaction)
