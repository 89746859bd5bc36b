"""templates/*: what people are told, as small texts with variables that can do nothing but be printed.

A template is Jinja2 in a sandbox, and only its part that ends by itself: variables, conditions, a few filters. Without
loops, calls and arithmetic the time and size of a text are bounded by the template's own length.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Self

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, nodes
from jinja2.sandbox import SandboxedEnvironment

from triaged import defaults
from triaged.errors import ConfigError, Finding
from triaged.ports.channel import Piece, PieceKind, Pieces
from triaged.rulefiles.words import listed, nearest

FOLDER: Final = "templates"
"""The folder of templates: `templates/NAME.txt`, or `templates/NAME.md` in Markdown."""
ENDINGS: Final = (".txt", ".md")
LARGEST: Final = 16 * 1024
LONGEST_VALUE: Final = 2_000
NAMES: Final = {
    "initial_notification": "Stakeholders, when an incident opens.",
    "status_update": "Stakeholders, for each update that somebody publishes, and when it is open again.",
    "resolution_notice": "Stakeholders, when an incident is resolved.",
    "opened": "Responders, when an incident opens.",
    "escalated": "Responders, at each level of escalation.",
    "raised": "Responders, when it is judged graver.",
    "reopened": "Responders, when it is open again.",
    "update_due": "Responders, before an update for stakeholders is due and when it is.",
    "pause_over": "Responders, when the time of a pause is over.",
    "check_in": "Whoever holds a role of a major incident, and wrote nothing since the last check-in.",
    "resolved": "Responders, when it is resolved.",
    "review": "Responders and stakeholders, when a review is to be held, and responders until it was.",
    "action": "Whoever has an action item that is due.",
}
UNKNOWN: Final = "Under investigation"
VARIABLES: Final = {
    "service": "[Service Name]",
    "status": "Investigating",
    "severity": "[Severity]",
    "impact": "[Brief description]",
    "services": "[List]",
    "start_time": "[Time]",
    "update_minutes": "[X]",
    "next_update": "[Time]",
    "eta": UNKNOWN,
    "status_page": "[Link]",
    "update": UNKNOWN,
    "current_impact": "[Current impact]",
    "next_steps": "[What we're doing next]",
    "workaround": "None known",
    "resolution_time": "[Time]",
    "duration": "[Duration]",
    "summary": "[Brief description of issue and resolution]",
    "root_cause": UNKNOWN,
    "prevention": UNKNOWN,
    "incident": "[Incident]",
    "title": "[Title]",
    "state": "[State]",
    "team": "[Team]",
    "text": "",
    "because": "",
    "firing": "[Number]",
    "since": "[Time]",
    "opened": "[Time]",
    "owner": "nobody",
    "response_due": "not running",
    "resolution_due": "not running",
    "runbook": "none",
    "url": "[Link]",
    "issue": "none yet",
    "bridge": "none yet",
    "evidence": "",
}
"""What a template can print, each with what stands there while nothing is known."""
FILTERS: Final = ("upper", "lower", "title", "capitalize", "trim", "default")
_ALLOWED: Final = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Name,
    nodes.Const,
    nodes.If,
    nodes.CondExpr,
    nodes.Not,
    nodes.And,
    nodes.Or,
    nodes.Compare,
    nodes.Operand,
    nodes.Concat,
    nodes.Filter,
)
# Of the private use area: no text of ours has them, those of others lose them.
_THEIRS, _LINK, _END = "\ue000", "\ue001", "\ue002"
_MARKED: Final = re.compile(f"([{_THEIRS}{_LINK}])([^{_END}]*){_END}")
_MARKS: Final = re.compile(f"[{_THEIRS}-{_END}]")


_GAPS: Final = re.compile(r"\n{3,}")
_LINE_ENDS: Final = re.compile(f"^(?:[^{_THEIRS}{_LINK}\n]|[{_THEIRS}{_LINK}][^{_END}]*{_END})*(\n)")


class Said(str):
    """The value of a variable; where nothing is known it is false, and prints what stands for it."""

    __slots__ = ("known",)
    known: bool

    def __new__(cls, text: str, default: str = "") -> Self:
        text = text.strip()[:LONGEST_VALUE]
        made = super().__new__(cls, text or default)
        made.known = bool(text)
        return made

    def __bool__(self) -> bool:
        return self.known


class Link(Said):
    """A URL of ours, or of the operator's, that stays one."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A template that was read without an error; `markdown` says in what it is written."""

    name: str
    markdown: bool
    compiled: Template

    def render(self, values: Mapping[str, Said]) -> tuple[Pieces, Pieces]:
        """The first line, which is the subject, and the rest; variables that are not given print their default."""
        known = {name: values.get(name) or Said("", default) for name, default in VARIABLES.items()}
        text = _GAPS.sub("\n\n", self.compiled.render(known).replace(f"{_THEIRS}{_END}", ""))
        # A line ends where the template's does: what others wrote may have several of its own.
        text = text.strip("\n")
        ends = _LINE_ENDS.match(text)
        at = len(text) if ends is None else ends.start(1)
        first, rest = text[:at], text[at:]
        return _pieces(first.lstrip("# ") if self.markdown else first), _pieces(rest.strip("\n"))


Templates = Mapping[str, Text]
"""Each of NAMES."""


def read(files: Mapping[str, str | None], findings: list[Finding]) -> Templates:
    """The templates of the texts by file name, `templates/NAME.txt`, the shipped ones where there are none."""
    found: dict[str, Text] = {}
    for file, text in sorted(files.items()):
        if not is_template(file) or text is None:
            continue
        name, _, ending = file.removeprefix(f"{FOLDER}/").rpartition(".")
        if name not in NAMES:
            findings.append(_at(file, 1, f"expected one of {listed(NAMES)}, got {name!r}", nearest(name, NAMES)))
        elif name in found:
            findings.append(_at(file, 1, f"expected one file {name}.txt or {name}.md, got both"))
        else:
            made = _read(file, text, findings)
            if made is not None:
                found[name] = Text(name=name, markdown=ending == "md", compiled=made)
    return found if len(found) == len(NAMES) else {**shipped(), **found}


@cache
def shipped() -> Templates:
    """The templates that come with the package. Raises ConfigError where they are damaged."""
    folder = defaults.RULES / FOLDER
    texts = {f"{FOLDER}/{path.name}": path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.txt"))}
    findings: list[Finding] = []
    found = {
        file.removeprefix(f"{FOLDER}/").removesuffix(".txt"): made
        for file, text in texts.items()
        if (made := _read(file, text, findings)) is not None
    }
    if findings or found.keys() != NAMES.keys():
        raise ConfigError(f"{folder}: expected the templates {listed(NAMES)}", findings=tuple(findings))
    return {name: Text(name=name, markdown=False, compiled=made) for name, made in found.items()}


def is_template(file: str) -> bool:
    return file.startswith(f"{FOLDER}/") and file.endswith(ENDINGS)


def say(name: str, text: str) -> Said:
    """The value of a variable that others wrote."""
    return Said(text, VARIABLES[name])


def link(name: str, url: str) -> Said:
    """The value of a variable that is a link."""
    return Link(url) if url else Said("", VARIABLES[name])


def _read(file: str, text: str, findings: list[Finding]) -> Template | None:
    """The compiled template, rendered once with and once without values; None after it has left findings."""
    if len(text.encode(errors="surrogatepass")) > LARGEST:
        findings.append(_at(file, 1, f"expected at most {LARGEST // 1024} KiB"))
        return None
    if found := _MARKS.search(text):
        line = text.count("\n", 0, found.start()) + 1
        findings.append(_at(file, line, "expected no character of the private use area U+E000 to U+E002"))
        return None
    before = len(findings)
    environment = _environment()
    try:
        findings += _refused(file, environment.parse(text))
        if len(findings) > before:
            return None
        made = environment.from_string(text)
        sample = Text(name=file, markdown=False, compiled=made)
        for values in ({}, {name: Said(f"a {name}") for name in VARIABLES}):
            sample.render(values)
    except TemplateSyntaxError as error:
        findings.append(_at(file, error.lineno, f"expected Jinja2: {error.message}"))
        return None
    except (TemplateError, TypeError, ValueError, RecursionError) as error:
        findings.append(_at(file, 1, f"expected a template that can be printed: {error}"))
        return None
    return made


def _refused(file: str, tree: nodes.Template) -> Iterator[Finding]:
    for node in _all(tree):
        line = getattr(node, "lineno", 1)
        if isinstance(node, nodes.Name) and node.name not in VARIABLES:
            near = nearest(node.name, VARIABLES)
            yield _at(file, line, f"expected one of the variables, got {node.name!r}", near)
        elif isinstance(node, nodes.Filter) and node.name not in FILTERS:
            yield _at(file, line, f"expected one of the filters {listed(FILTERS)}, got {node.name!r}")
        elif not isinstance(node, _ALLOWED):
            what = type(node).__name__.lower()
            yield _at(file, line, f"expected variables, conditions and filters only, got a {what}")


def _all(node: nodes.Node) -> Iterator[nodes.Node]:
    waiting = [node]
    while waiting:
        one = waiting.pop()
        yield one
        waiting += one.iter_child_nodes()


@cache
def _environment() -> SandboxedEnvironment:
    environment = SandboxedEnvironment(
        finalize=_marked,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
    )
    environment.globals.clear()
    return environment


def _marked(value: Any) -> str:
    mark = _LINK if isinstance(value, Link) and value else _THEIRS
    return f"{mark}{_MARKS.sub('', str(value))}{_END}"


def _pieces(text: str) -> Pieces:
    pieces, at = [], 0
    for found in _MARKED.finditer(text):
        if found.start() > at:
            pieces.append(Piece(kind=PieceKind.OURS, text=text[at : found.start()]))
        kind = PieceKind.LINK if found[1] == _LINK else PieceKind.THEIRS
        pieces.append(Piece(kind=kind, text=found[2]))
        at = found.end()
    if at < len(text):
        pieces.append(Piece(kind=PieceKind.OURS, text=text[at:]))
    return tuple(pieces)


def _at(file: str, line: int, message: str, hint: str = "") -> Finding:
    return Finding(file=file, line=line, column=1, path="", message=message, hint=hint)
