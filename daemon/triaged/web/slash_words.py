"""The words of commands in comments: which act each is, and how the text behind it becomes the act's fields.

The fields are those of the API, and its models judge them: a command can say nothing that the API does not take.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from triaged.core import wording
from triaged.core.model import Role
from triaged.core.wording import nearest
from triaged.web import acts, known, problems, reviews, working
from triaged.web.acts import Asked

Fields = dict[str, object]
REST: Final = ""
"""The name under which a word gives back what is none of its fields."""
ALIASES: Final[Mapping[str, str]] = {"sev": "severity", "acknowledge": "ack", "acked": "ack", "take": "ack"}
_NOBODY: Final = frozenset({"nobody", "none"})
_FLAGS: Final = re.DOTALL | re.IGNORECASE
_DATE: Final = re.compile(r"\d{4}-")
_ACK: Final = re.compile(r"(?:for\s+(?P<for>.*)|(?P<digits>-?\d.*))", _FLAGS)
_SEVERITY: Final = re.compile(r"(?:sev-?)?(?P<level>\d)[.!,:]?(?:\s+(?P<reason>.*))?", _FLAGS)
_TO: Final = re.compile(r"(?:to\s+(?=\S)|(?=@|\d+(?:\s|$)))(?P<to>\S+)\s*(?P<reason>.*)", _FLAGS)
_CLOCK: Final = re.compile(r"\d{1,2}:\d\d")
_PAUSE: Final = re.compile(r"(?:(?P<word>for|until)\s+)?(?P<end>\d\S*)\s*(?P<reason>.*)", _FLAGS)
_SILENCE: Final = re.compile(r"(?:for\s+)?(?P<for>\d\S*)\s*(?P<reason>.*)", _FLAGS)
_REASONS: Final[Mapping[str, str]] = {
    "completed": "completed",
    "false alarm": "false_alarm",
    "false positive": "false_alarm",
    "not planned": "not_planned",
    "wontfix": "not_planned",
    "won't fix": "not_planned",
    "duplicate": "duplicate",
    "dup": "duplicate",
}
_REASON: Final = re.compile(
    r"(?:as\s+)?(completed|false[ _-](?:alarm|positive)|not[ _-]planned|wontfix|won't[ _-]fix|duplicate|dup)"
    r"(?:[\s:,.]+(.*))?",
    _FLAGS,
)
_DONE: Final = re.compile(r"done\s+#?(?P<last>\d+)|#?(?P<first>\d+)\s+done", re.IGNORECASE)
_LINK: Final = re.compile(r"\[(?P<title>[^\]]+)\]\((?P<url>\S+)\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A command: `usage` and `does` are for people, `fields` reads the text behind the word."""

    usage: str
    does: str
    model: type[Asked]
    fields: Callable[[str], Fields]


def _into(name: str) -> Callable[[str], Fields]:
    return lambda text: {name: text} if text else {}


def _first(name: str, then: str) -> Callable[[str], Fields]:
    """The first word is one field, what follows another."""

    def read(text: str) -> Fields:
        one, _, rest = _parted(text)
        return {**({name: one} if one else {}), **({then: rest} if rest else {})}

    return read


def _parted(text: str) -> tuple[str, str, str]:
    found = re.match(r"(\S*)(\s*)(.*)", text, re.DOTALL)
    return (found[1], found[2], found[3]) if found else ("", "", "")


def _given(found: re.Match[str]) -> Fields:
    return {name: value for name, value in found.groupdict().items() if value}


def _ack(text: str) -> Fields:
    """What is no duration is said beside it: who takes it in a hurry may well say why."""
    found = _ACK.fullmatch(text)
    if found is None:
        return {REST: text} if text else {}
    return {"for": found["for"] or found["digits"]}


def _severity(text: str) -> Fields:
    found = _SEVERITY.fullmatch(text)
    if found is None:
        return {"severity": "", **_first("severity", "reason")(text)}
    return {"severity": f"sev{found['level']}", **({"reason": found["reason"]} if found["reason"] else {})}


def _name(text: str) -> str:
    return "" if text.lower() in _NOBODY else text


def _assign(text: str) -> Fields:
    fields = _first("to", "reason")(text)
    return {**fields, "to": _name(str(fields["to"]))} if fields else {}


def _role(text: str) -> Fields:
    for role in Role:
        for name in (wording.role(role), str(role)):
            if re.match(rf"{re.escape(name)}(\s|$)", text, re.IGNORECASE):
                person = text[len(name) :].strip()
                return {"role": str(role), **({"person": _name(person)} if person else {})}
    return _first("role", "person")(text)


def _escalate(text: str) -> Fields:
    found = _TO.fullmatch(text)
    return _given(found) if found else _into("reason")(text)


def _eta(text: str) -> Fields:
    end = re.sub(r"^(in|at)\s+", "", text, flags=re.IGNORECASE)
    if end.lower() in _NOBODY:
        return {"none": True}
    return {"at" if _DATE.match(end) or _CLOCK.match(end) else "in": end} if end else {}


def _workaround(text: str) -> Fields:
    return {"text": _name(text)} if text else {}


def _pause(text: str) -> Fields:
    found = _PAUSE.fullmatch(text)
    if found is None:
        return _into("reason")(text)
    end = "until" if (found["word"] or "").lower() == "until" or _DATE.match(found["end"]) else "for"
    return {end: found["end"], **({"reason": found["reason"]} if found["reason"] else {})}


def _closing(rest: str) -> Callable[[str], Fields]:
    def read(text: str) -> Fields:
        found = _REASON.fullmatch(text)
        if found is None:
            # One word that is nearly a reason is a slip: as a summary it would close as completed.
            slip = text.isalpha() and nearest(text.lower(), _REASONS)
            return {"reason": text} if slip else _into(rest)(text)
        reason = _REASONS[re.sub("[_-]", " ", found[1].lower())]
        return {"reason": reason, **({rest: found[2]} if found[2] else {})}

    return read


def _merge(text: str) -> Fields:
    return _first("into", "reason")(re.sub(r"^into\s+", "", text, flags=re.IGNORECASE))


def _silence(text: str) -> Fields:
    found = _SILENCE.fullmatch(text)
    return _given(found) if found else _into("reason")(text)


def _review(text: str) -> Fields:
    """Nothing is no outcome: who only asks for a review shall not have it held."""
    return {"outcome": "", **_first("outcome", "reason")(text)}


def _action(text: str) -> Fields:
    found = _DONE.fullmatch(text)
    return {"done": found["last"] or found["first"]} if found else _into("text")(text)


def _knowledge(text: str) -> Fields:
    found = _LINK.fullmatch(text)
    return _given(found) if found else _first("url", "title")(text)


def _word(usage: str, does: str, model: type[Asked], fields: Callable[[str], Fields]) -> Word:
    return Word(usage=usage, does=does, model=model, fields=fields)


# In the order in which an incident goes on; the names are those of the API.
WORDS: Final[Mapping[str, Word]] = {
    "ack": _word("/ack [4h]", "take it, for as long as usual or for a time", acts.Ack, _ack),
    "unack": _word("/unack [why]", "give it back", working.Unack, _into("reason")),
    "severity": _word("/sev 2 [why]", "choose its severity", acts.Choose, _severity),
    "assign": _word("/assign NAME [why]", "say who works on it: a name, a login, me, nobody", working.Assign, _assign),
    "role": _word("/role scribe NAME", "say who holds a role", working.GiveRole, _role),
    "escalate": _word("/escalate [to NAME] [why]", "call the next level in, or somebody", acts.Escalate, _escalate),
    "note": _word(
        "/note text", "note it; a decision: or a hypothesis: before it says what it is", working.Note, _into("text")
    ),
    "update": _word("/update text", "tell stakeholders; status, impact, next_steps, eta", working.Tell, _into("text")),
    "eta": _word("/eta 2h", "say when it works again; also an instant, or none", working.Eta, _eta),
    "workaround": _word("/workaround text", "say what helps until then; or none", working.Workaround, _workaround),
    "pause": _word("/pause 2h why", "stop the resolution clock; also until an instant", acts.Pause, _pause),
    "resume": _word("/resume [why]", "end the pause", acts.Resume, _into("reason")),
    "silence": _word("/silence [1h] [why]", "silence its alerts", acts.Silence, _silence),
    "merge": _word("/merge INC-3 [why]", "it is the same problem as another", acts.Merge, _merge),
    "split": _word("/split [why]", "it is a problem of its own", acts.Split, _into("reason")),
    "resolve": _word(
        "/resolve [summary]", "it works again; root_cause, fix, prevention", acts.Resolve, _into("summary")
    ),
    "close": _word(
        "/close [false alarm] [summary]", "close it; also not planned, duplicate", acts.Close, _closing("summary")
    ),
    "reopen": _word("/reopen [why]", "open it again", acts.Reopen, _into("reason")),
    "review": _word("/review held", "it was held; also waived why, or open", reviews.Reviewing, _review),
    "action": _word("/action text", "add an action item; owner, due, kind; or done 2", reviews.Action, _action),
    "knowledge": _word("/knowledge URL title", "keep a link for the next time", known.Knowledge, _knowledge),
}
OF_PROBLEMS: Final[Mapping[str, Word]] = {
    "close": _word("/close fix", "it is mended", problems.CloseProblem, _closing("fix")),
    "reopen": _word("/reopen why", "open it again", problems.ReopenProblem, _into("reason")),
    "note": _word("/note text", "note it", problems.NoteProblem, _into("text")),
    "workaround": _word("/workaround text, none", "say what helps", problems.WorkAroundProblem, _workaround),
    "knowledge": _word("/knowledge URL title", "keep a link", problems.ExplainProblem, _knowledge),
}
HELP: Final = tuple((word.usage, word.does) for word in WORDS.values())
"""Every command, as a reply to `/help` shows it."""
