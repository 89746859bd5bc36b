"""Alertmanager's matchers: `name="value"` with =, !=, =~, !~, in the classic and the UTF-8 syntax."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum, unique
from functools import lru_cache

import re2

from triaged.core.literals import Beginnings, beginnings

# Go's unicode.IsSpace; the classic syntax knows only the ASCII ones as space (Go's \s), and no vertical tab.
SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
CLASSIC_SPACE = "\t\n\f\r "
CLASSIC = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)[\t\n\f\r ]*(=~|=|!=|!~)")
TOKEN = re.compile(
    rf"""(?P<space>[{SPACE}]+)|(?P<mark>[{{}},])|(?P<operator>=~|!=|!~|=)"""
    rf"""|(?P<quoted>"(?:[^"\\]|\\.)*")|(?P<word>[^{SPACE}{{}}!=~,\\"'`]+)""",
    re.DOTALL,
)
RESERVED = re.compile(rf"[{SPACE}{{}}!=~,\\\"'`]")
ESCAPE = re.compile(r"""\\(?:([abfnrtv\\"])|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2}))""")
CONTROLS = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", '"': '"'}
# What RE2 takes and Go, hence Alertmanager, does not; quotations, escapes and classes are passed over.
REFUSED = re.compile(
    r"""[^\\\[({]+|\\Q.*?(?:\\E|\Z)|(?P<byte>\\C)|\\.|\[\^?\]?(?:\[:\^?\w+:\]|\\.|[^\]\\])*\]"""
    r"""|(?P<count>{(?:[1-9][0-9]{9,}(?:,[0-9]*)?|[0-9]+,[1-9][0-9]{9,})})|(?P<name>\(\?P?<\w*[^\x00-\x7f>]\w*>)|.""",
    re.DOTALL,
)
INSTEAD = {"byte": "without \\C", "count": "with counts up to 1000", "name": "with group names of ASCII letters"}
OPERATORS = "an operator (=, !=, =~ or !~)"
SHOWN = 60
"""Characters of a wrong text that an error shows."""
REMEMBERED = 512
"""Characters up to which a value's answer is remembered: labels are short, annotations need not be."""


@unique
class Operator(StrEnum):
    EQUAL = "="
    NOT_EQUAL = "!="
    REGEX = "=~"
    NOT_REGEX = "!~"


@dataclass(frozen=True, slots=True, kw_only=True)
class Matcher:
    """One condition on the value of one name; a name that is absent has the value "".

    `matches` is a test of a value; `text` is the matcher as Alertmanager prints it; `values` are all the values that
    can match where they are known (equality, regexes that only list literals; "" among them matches the absent name),
    else None; `prefixes` are then those of which a value that =~ matches has one, "" where none is known. Raises
    ValueError for a regex that RE2 refuses.
    """

    name: str
    operator: Operator
    value: str
    text: str = field(init=False, compare=False)
    values: frozenset[str] | None = field(init=False, compare=False, repr=False)
    prefixes: frozenset[str] | None = field(init=False, compare=False, repr=False)
    matches: Callable[[str], bool] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        begins, matches = _compile(self.operator, self.value)
        finite = all(begins.values())
        known = frozenset(begins) if begins else None
        object.__setattr__(self, "values", known if finite else None)
        object.__setattr__(self, "prefixes", None if finite else known)
        object.__setattr__(self, "matches", matches)
        object.__setattr__(self, "text", written(self.name, self.operator, self.value))


def parse(text: str) -> Matcher:
    """The one matcher of `text`, as Alertmanager's API reads a filter; raises ValueError with what was expected."""
    if text.startswith("{") or text.endswith("}"):
        raise ValueError(f"expected a matcher without braces, got {_shown(text)}")
    matchers = _read(text, lambda: (_classic(text),))
    if len(matchers) != 1:
        raise ValueError(f"expected one matcher, got {len(matchers)}")
    return matchers[0]


def parse_all(text: str) -> tuple[Matcher, ...]:
    """The matchers of `text`, separated by commas, braces optional, as Alertmanager reads its configuration.

    Like Alertmanager it prefers the classic reading and takes the UTF-8 one where there is none. Raises ValueError
    with what was expected and at which character.
    https://prometheus.io/docs/alerting/latest/configuration/#matcher
    """
    return _read(text, lambda: tuple(_classic(part) for part in _parts(text.removeprefix("{").removesuffix("}"))))


class _NotClassicError(ValueError):
    """The text is no matcher in the classic syntax."""


def _read(text: str, classic: Callable[[], tuple[Matcher, ...]]) -> tuple[Matcher, ...]:
    try:
        return classic()
    except ValueError as first:
        try:
            return _utf8(text)
        except ValueError as second:
            raise (second if isinstance(first, _NotClassicError) else first) from None


def _parts(text: str) -> list[str]:
    parts, begin, quoted, escaped = [], 0, False, False
    for at, char in enumerate(text):
        if char == ",":  # which, unlike anything else, ends no escape
            if not quoted:
                parts.append(text[begin:at])
                begin = at + 1
            continue
        if char == '"' and not escaped:
            quoted = not quoted
        escaped = char == "\\" and not escaped
    last = text[begin:].strip(SPACE)
    return [*parts, last] if last else parts


def _classic(text: str) -> Matcher:
    head = CLASSIC.match(text.lstrip(CLASSIC_SPACE))
    if head is None:
        raise _NotClassicError
    raw = text.lstrip(CLASSIC_SPACE)[head.end() :].strip(CLASSIC_SPACE)
    if raw.startswith('"'):
        if len(raw) == 1 or not raw.endswith('"'):
            raise _NotClassicError
        raw = raw[1:-1]
        if _ends_escaped(raw):
            raise _NotClassicError
    return Matcher(name=head[1], operator=Operator(head[2]), value=_unescaped(raw))


def _ends_escaped(raw: str) -> bool:
    return (len(raw) - len(raw.rstrip("\\"))) % 2 == 1


def _unescaped(raw: str) -> str:
    """OpenMetrics escapes resolved; a backslash before anything else, or at the end, stands for itself."""
    if not raw.count('"') and not raw.count("\\"):
        return raw
    if re.search(r'(?<!\\)(?:\\\\)*"', raw):
        raise _NotClassicError
    return re.sub(r'\\([n"\\])', lambda escape: CONTROLS[escape[1]], raw)


def _utf8(text: str) -> tuple[Matcher, ...]:
    tokens = _Tokens(text)
    matchers: list[Matcher] = []
    braced = tokens.take("{")
    while tokens.kind not in ("", "}"):
        matchers.append(_one(tokens))
        if not tokens.take(","):
            break
    if braced and not tokens.take("}"):
        raise tokens.expected("a comma or a closing brace")
    if tokens.kind:
        raise tokens.expected("a comma or the end")
    return tuple(matchers)


def _one(tokens: _Tokens) -> Matcher:
    name = tokens.word("a label name")
    operator = tokens.now
    if not tokens.take("operator"):
        raise tokens.expected(OPERATORS)
    return Matcher(name=name, operator=Operator(operator), value=tokens.word("a value"))


class _Tokens:
    """The tokens of one text, one at a time: `kind` is "" at the end, a mark for itself, else the kind's name."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._rest = self._scan()
        self.kind, self.now, self._at = next(self._rest)

    def take(self, kind: str) -> bool:
        if self.kind != kind:
            return False
        self.kind, self.now, self._at = next(self._rest)
        return True

    def word(self, what: str) -> str:
        now = self.now
        if self.kind == "quoted":
            now = self._unquoted()
        elif self.kind != "word":
            raise self.expected(what)
        self.take(self.kind)
        return now

    def expected(self, what: str) -> ValueError:
        return ValueError(f"expected {what} at character {self._at + 1}, got {_shown(self.now)}")

    def _scan(self) -> Iterator[tuple[str, str, int]]:
        at = 0
        while at < len(self._text):
            token = TOKEN.match(self._text, at)
            if token is None:
                what = {'"': "a closing quote", "!": OPERATORS}.get(self._text[at], "quotes around such characters")
                raise ValueError(f"expected {what} at character {at + 1}, got {_shown(self._text[at:])}")
            kind = token.lastgroup or ""
            if kind != "space":
                yield (token[0] if kind == "mark" else kind), token[0], at
            at = token.end()
        yield "", "", at

    def _unquoted(self) -> str:
        """Go's strconv.Unquote of a string in double quotes."""
        inner = self.now[1:-1]
        pieces, at = [], 0
        while (slash := inner.find("\\", at)) >= 0:
            escape = ESCAPE.match(inner, slash)
            if escape is None:
                raise ValueError(
                    f"expected an escape like \\n, \\\\ or \\u00e9 at character {self._at + slash + 2}, "
                    f"got {inner[slash : slash + 2]}"
                )
            pieces += [inner[at:slash].encode(errors="surrogatepass"), _escaped(escape)]
            at = escape.end()
        try:
            value = b"".join([*pieces, inner[at:].encode(errors="surrogatepass")]).decode()
        except UnicodeDecodeError:
            raise self.expected("valid UTF-8") from None
        if "\n" in inner:
            raise self.expected("\\n instead of a line break in quotes")
        return value


def _escaped(escape: re.Match[str]) -> bytes:
    control, byte, short, long, octal = escape.groups()
    if control:
        return CONTROLS[control].encode()
    if byte or octal:
        return bytes([int(byte, 16) if byte else int(octal, 8)])
    code = int(short or long, 16)
    return chr(code).encode(errors="surrogatepass") if code <= 0x10FFFF else b"\xff"


def _shown(text: str) -> str:
    return f"{text[:SHOWN]}…" if len(text) > SHOWN else text or "the end"


def written(name: str, operator: Operator, value: str) -> str:
    """The text of a matcher as Alertmanager writes it: nothing in name or value looks like another one."""
    return f"{_quoted(name) if RESERVED.search(name) else name}{operator}{_quoted(value)}"


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _compile(operator: Operator, value: str) -> tuple[Beginnings, Callable[[str], bool]]:
    """How matching values begin, none where the operator negates; and the test."""
    if operator is Operator.EQUAL:
        return {value: True}, value.__eq__
    if operator is Operator.NOT_EQUAL:
        return {}, value.__ne__
    regex = _regex(value)
    begins = beginnings(value)
    found = begins.__contains__ if all(begins.values()) else _found(regex)
    if operator is Operator.REGEX:
        return begins, found
    return {}, lambda seen: not found(seen)


def whole(pattern: str) -> Callable[[str], bool]:
    """A test whether a text matches as a whole. Raises ValueError for a regex that RE2 refuses."""
    return _found(_regex(pattern))


def hold(matchers: Iterable[Matcher], labels: Mapping[str, str]) -> bool:
    """Whether all of them match these labels; an absent label is ""."""
    return all(matcher.matches(labels.get(matcher.name, "")) for matcher in matchers)


def several(patterns: Iterable[str]) -> Callable[[str], Sequence[int]]:
    """Which of many patterns that are known to compile a value matches, as =~ does, by their places.

    RE2 looks for the plain text that each must contain, for all of them at once, and tries only those whose text is
    there: ten thousand cost little more than ten, but for the ones that contain none.
    """
    known = re2.Filter()
    for pattern in patterns:
        known.Add(_anchored(pattern), _options())
    known.Compile()
    return lambda value: known.Match(value.encode(errors="replace")) or ()


def _anchored(pattern: str) -> str:
    return f"^(?:{pattern})$"


def _options() -> re2.Options:
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    return options


def _regex(pattern: str) -> re2._Regexp:
    try:
        regex = re2.compile(_anchored(pattern), _options())
    except (re2.error, UnicodeEncodeError) as problem:
        said = problem.args[0]
        reason = _shown(said.decode(errors="replace")) if isinstance(said, bytes) else "no valid UTF-8"
        raise ValueError(f"expected a regular expression that RE2 accepts, got {_shown(pattern)} ({reason})") from None
    for token in REFUSED.finditer(pattern):
        if token.lastgroup:
            raise ValueError(f"expected a regular expression {INSTEAD[token.lastgroup]}, got {_shown(pattern)}")
    return regex


@lru_cache(maxsize=32_768)
def _remembered(regex: re2._Regexp, value: str) -> bool:
    return regex.search(value.encode(errors="replace")) is not None


def _found(regex: re2._Regexp) -> Callable[[str], bool]:
    def found(value: str) -> bool:
        if len(value) <= REMEMBERED:
            return _remembered(regex, value)
        return regex.search(value.encode(errors="replace")) is not None

    return found
