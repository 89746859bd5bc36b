"""Commands in comments: which lines of a comment are some, and the acts that they ask for.

A line that begins with `/word` is a command, unless it is code, quoted, or hidden in an HTML comment. What follows is
its text, up to the next command or an empty line; lines `key: value` are fields, after an empty line, too. All else of
the comment is what somebody says.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from pydantic import ValidationError

from triaged.backends.text import BREAK
from triaged.core.commanding import HELP, LOGIN, Command, Heard
from triaged.core.events import Act
from triaged.core.model import Actor, ActorKind
from triaged.core.solving import ProblemAct
from triaged.errors import PayloadError
from triaged.ports.backend import Kind
from triaged.rulefiles.words import listed, nearest
from triaged.web.acts import Asked
from triaged.web.refusals import in_words
from triaged.web.slash_words import ALIASES, OF_PROBLEMS, REST, WORDS, Fields, Word

MOST: Final = 10
"""Commands of one comment."""
_NOBODY: Final = Actor(name="", kind=ActorKind.PERSON)
_HELP: Final = HELP.removeprefix("/")
_LINES: Final = re.compile(r"\r\n|\r|\n")
_COMMAND: Final = re.compile(r" {0,3}([/\uff0f])([A-Za-z]+|[Ss][Ee][Vv]-?[1-9])([.!,:]?)(?:\s+(.*))?")
_SEV: Final = re.compile(r"sev-?([1-9])")
_FENCE: Final = re.compile(r" {0,3}(`{3,}(?=[^`]*$)|~{3,})")
_SPAN: Final = re.compile(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)")
_LONG: Final = 2_000
"""So long a line is not searched for code spans, which is slow where somebody wants it to be."""
_FIELD: Final = re.compile(r"[ \t]*(?:[-*][ \t]+)?([A-Za-z][A-Za-z_ -]{0,30}?)[ \t]*:[ \t]*(.*)")
# What a line may begin with that is a path, and near a word of ours.
_FOLDERS: Final = frozenset(
    {"bin", "boot", "dev", "etc", "home", "lib", "mnt", "opt", "proc", "root", "run", "srv", "sys", "tmp", "usr", "var"}
)
_OF_WHOM: Final = frozenset({"by", "on_behalf_of"})
_NAMES: Final = frozenset({"to", "person", "owner"})
_YES_OR_NO: Final[Mapping[str, bool]] = {"yes": True, "true": True, "no": False, "false": False}


class _Line:
    """A command as it is read: its word, the lines of its text, and its fields by their names in the API."""

    def __init__(self, said: str, word: str, keys: Mapping[str, str]) -> None:
        self.said = said
        self.word = word
        self.fields: dict[str, list[str]] = {}
        self.twice = ""
        self.ended = False
        self._keys = keys
        self._text: list[str] = []
        self._into = self._text

    @property
    def text(self) -> str:
        return "\n".join(self._text).strip()

    def field(self, line: str) -> tuple[str, str] | None:
        """The name and the value, where the line is a field of the command."""
        found = _FIELD.fullmatch(line)
        name = self._keys.get(_plain(found[1])) if found else None
        return None if found is None or name is None else (name, found[2])

    def take(self, line: str) -> None:
        """The line belongs to the command: a field, or more of the text or field before it."""
        found = self.field(line)
        if found is not None:
            name, line = found
            self.twice = name if name in self.fields else self.twice
            self._into = self.fields.setdefault(name, [])
        self._into.append(line)


def read(text: str, /, *, by: str, kind: Kind, numbered: Callable[[int], str]) -> Heard:
    """The commands of a comment on the issue of such a thing, written by that login, and what is said around them.

    `numbered` is the name of the incident whose issue has that number in the same repository, "" for none.
    """
    lines, around = _parted(text, OF_PROBLEMS if kind is Kind.PROBLEM else WORDS)
    commands = []
    for line in lines[:MOST]:
        command, rest = _command(line, kind, by, numbered)
        commands.append(command)
        around.extend(rest)
    if len(lines) > MOST:
        left = f"expected at most {MOST} commands in a comment: it, and what follows, is not done"
        commands.append(Command(said=lines[MOST].said, error=left))
    return Heard(commands=tuple(commands), around="\n".join(around).strip())


def _parted(text: str, words: Mapping[str, Word]) -> tuple[list[_Line], list[str]]:
    """The commands of a text, and its other lines."""
    found: list[_Line] = []
    around: list[str] = []
    now: _Line | None = None
    alone = True
    for line, plain in _shown(text):
        begun = _begun(line, words, alone=alone) if plain else None
        if begun is not None:
            now = begun
            found.append(begun)
        elif now is not None and not line.strip() and plain:
            now.ended = True
        elif now is not None and (not now.ended or now.field(line) is not None):
            now.ended = False
            now.take(line)
        else:
            now = None
            around.append(line)
            alone = alone and not line.strip()
    return found, around


def _shown(text: str) -> Iterator[tuple[str, bool]]:
    """The lines that people see, without HTML comments, and whether each is no code."""
    fence, hidden = "", False
    for line in _LINES.split(text):
        if fence:
            fence = "" if line.strip().startswith(fence) and not line.strip().strip(fence[0]) else fence
            yield line, False
            continue
        shown, hidden = _uncovered(line, hidden=hidden)
        if hidden or shown != line:
            if shown.strip():
                # What stands beside a comment is no command.
                yield shown, False
            continue
        opens = _FENCE.match(line)
        fence = opens[1] if opens else ""
        yield line, not opens


def _uncovered(line: str, *, hidden: bool) -> tuple[str, bool]:
    """The line without its HTML comments, of which it may begin within one; and whether it ends within one."""
    if not hidden and "<!--" not in line:
        return line, False
    visible = line if len(line) > _LONG else _SPAN.sub(lambda span: "x" * len(span[0]), line)
    shown: list[str] = []
    at = 0
    while True:
        if hidden:
            end = line.find("-->", at)
            if end < 0:
                return "".join(shown), True
            at = end + 3
        begin = visible.find("<!--", at)
        if begin < 0:
            return "".join([*shown, line[at:]]), False
        shown.append(line[at:begin])
        at, hidden = begin + 4, True


def _begun(line: str, words: Mapping[str, Word], *, alone: bool) -> _Line | None:
    """The command that the line begins; None where it begins none.

    An unknown word is one only where nothing but commands stands before it, and it is nearly a word of ours: a path,
    or a command to another program, gets no answer.
    """
    found = _COMMAND.fullmatch(line)
    if found is None:
        return None
    typed, rest = found[2].lower(), (found[4] or "").strip()
    level = _SEV.fullmatch(typed)
    word = "severity" if level else ALIASES.get(typed, typed)
    known = word in WORDS or word == _HELP
    # Only behind a word of ours is punctuation a slip of the hand, and a full-width slash a slash.
    exact = found[1] == "/" and not found[3]
    if not known and (not exact or not alone or typed in _FOLDERS or not _near(typed)):
        return None
    begun = _Line(f"/{typed}", word, _keys(words[word].model) if word in words else {})
    if level or rest:
        begun.take(f"{level[1]} {rest}" if level else rest)
    return begun


def _near(typed: str) -> str:
    return nearest(f"/{typed}", [f"/{word}" for word in (*WORDS, *ALIASES, _HELP)])


def _keys(model: type[Asked]) -> dict[str, str]:
    """The fields that lines may give, by their plain names: the text is never one, notes may have such lines."""
    names = [field.alias or name for name, field in model.model_fields.items() if name not in _OF_WHOM]
    return {_plain(name): name for name in names if name != "text"}


def _plain(name: str) -> str:
    """`Root cause`, `root-cause` and `root_cause` are the same field."""
    return re.sub("[ _-]", "", name).lower()


def _command(line: _Line, kind: Kind, by: str, numbered: Callable[[int], str]) -> tuple[Command, list[str]]:
    """The command, and what of its text is said beside it."""
    words = OF_PROBLEMS if kind is Kind.PROBLEM else WORDS
    if line.word == _HELP and words is WORDS:
        return Command(said=HELP), [line.text] if line.text else []
    if line.word not in WORDS and line.word != _HELP:
        near = _near(line.said.removeprefix("/"))
        return Command(said=line.said, error=f"expected a command that /help lists; {near}", known=False), []
    if line.word not in words:
        possible = listed([f"/{word}" for word in words])
        return Command(said=line.said, error=f"expected one of {possible} on the issue of a problem"), []
    fields = words[line.word].fields(line.text)
    rest = str(fields.pop(REST, ""))
    said = {name: "\n".join(value).strip() for name, value in line.fields.items()}
    twice = line.twice or next((name for name in said if name in fields), "")
    if twice:
        return Command(said=line.said, error=f"{twice}: expected it once, got it twice"), []
    try:
        fields = _named({**fields, **said}, by, numbered)
        act = _act(words[line.word].model.model_validate(fields))
    except ValidationError as error:
        return Command(said=line.said, error=in_words(error.errors())), []
    except PayloadError as error:
        return Command(said=line.said, error=str(error)), []
    return Command(said=line.said, act=act), [rest] if rest else []


def _act(asked: Asked) -> Act | ProblemAct:
    act: Act | ProblemAct = (getattr(asked, "act", None) or asked.asked)(_NOBODY)  # type: ignore[attr-defined] # each model of WORDS has one of the two
    return act


def _named(fields: Fields, by: str, numbered: Callable[[int], str]) -> Fields:
    """With names for `me` and `#7`, and true or false for yes and no."""
    named = dict(fields)
    for name in _NAMES & named.keys():
        # As our own texts write it, an @ mentions nobody.
        written = str(named[name]).replace(BREAK, "")
        named[name] = f"{LOGIN}{by}" if written.lower() == "me" else written
    number = re.fullmatch(r"#(\d{1,9})", str(named.get("into", "")))
    if number:
        named["into"] = numbered(int(number[1]))
        if not named["into"]:
            raise PayloadError(f"into: expected an incident like INC-7; none here has the issue {number[0]}")
    if "take_over" in named:
        named["take_over"] = _YES_OR_NO.get(str(named["take_over"]).lower(), named["take_over"])
    return named
