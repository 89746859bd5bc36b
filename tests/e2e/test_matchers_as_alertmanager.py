"""Matchers as a running Alertmanager reads them: thousands of texts, right and wrong, over the same alerts.

Two are asked: one in the classic syntax alone (Debian 12 has 0.25), and one of 0.27 or later, which prefers the classic
reading of a text and takes the UTF-8 one where there is none, as we do.
"""

from __future__ import annotations

import http.client
import json
import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random  # noqa: TID251 - seeded: every run asks the same
from urllib.parse import urlencode

import pytest
import yaml

from e2e.servers import Alertmanager
from parts import REQUIRED, could_not_be_had, find_part
from triaged.core.matchers import Matcher, parse, parse_all

CASES = 4_000
LISTS = 500
SEED = 3
UTF8_SINCE = (0, 27)
CLASSIC_NAME = re.compile("[a-zA-Z_][a-zA-Z0-9_]*")

CLASSIC_NAMES = ["a", "b_1", "Ab", "_x"]
UTF8_NAMES = ["my.label", "grüße, welt", 'a"b', "sp ace", "🙂", "back\\slash", "1st", "a=b"]
WORDS = """
a A ab aab bc k K \u212a s \u017f ß ẞ é e\u0301 🙂 Ж ж Ω ά 0 7 ٣ 10 500 1.5 1x5 _ - , {a} } a|b (a) a.b a.b.c ^a$ $ [a]
a,b prod-1 PROD-1 staging \ufeff \x7f \x01 \ufffd =a =~ ! \U000e0001 中文 İ \u0131 "" " 'a' `a` a\\b \\ \\d a\\nb
"""
SPACED = [" ", " a ", "a b", "\t", "a\nb", "a\n", "\n", "a\rb", "\v", "\xa0", "\u2028", "\u3000", "\x85", 'say "hi"']
VALUES = [*WORDS.split(), *SPACED, "a" * 50, "ab" * 300]
REGEXES = r"""
a b A k s K é ß ж 🙂 0 7 - _ , : ' = ! ~ / # . .* .+ .? a* a+ a? a*? a+? a?? ^ $ | || \b \B \A \z \Z * + ? ** a** a+*
\d \D \w \W \s \S \h \R \X \v \a \f \t \n \r \e \. \- \\ \/ \_ \é \" \, \| \1 \0 \07 \141 \8 \ \x41 \x{41} \x{1F642}
\x{110000} \x4 \u0041 \pL \PL \p{Lu} \p{^Lu} \P{^Nd} \p{Greek} \p{Cyrillic} \p{Any} \p{Foo} \pN \p \C \Qa.b\E \Q( \E
[ab] [^ab] [a-c] [c-a] []a] [^]a] [a-] [-a] [[:alpha:]] [[:^digit:]] [[:word:]] [[:foo:]] [[:alpha:] [\d.] [^\s] [\pL]
[\]] [ ] [a [] [^] [a-é] [\x00-\x7f] [\b] (?i:[k-t]) \b\w+\b (a) (?:b) (?P<n>a) (?<n>a) (?P<é>a) (?P<n (?P=n) (?i) (?s)
(?m) (?U) (?-i) (?i:ab) (?is-m:a.b) (?x) (?a) (?) (?: ( ) () (|) (?=a) (?!a) (?<=a) (?<!a) (?>a) (?#a) (?i:k) (?i:ß)
(?i:ж|Ω) (a|b) (?:ab|a) a|b| { } {2} a{2} a{2,} a{,2} a{2,1} a{0} a{1000} a{1001} (a{100}){11} a{2}{3} (a{30}){30}
(?:a?){40} a{1,2}? a{2}* x{99999999999} x{1,99999999999} {,}
"""
NOISE = [*"\"\\,{}=!~ \n\t'`\xa0\u2003\v\0éa", "=~", "!~"]
SPACES = [" ", " ", "\t", "\n ", "\r\f", "\v", "\xa0", "\u2003"]

LABEL_SETS = [
    *({"a": value} for value in VALUES),
    *({"b_1": value, "a": "a"} for value in VALUES[::3]),
    {"Ab": "a", "_x": ""},
    {"a": "", "b_1": ""},
    {},
]
UTF8_LABEL_SETS = [{name: value} for name in UTF8_NAMES for value in VALUES[::9]]


class Texts:
    """Texts that may be matchers; the same for the same seed."""

    def __init__(self, seed: int, names: Sequence[str]) -> None:
        self.random = Random(seed)
        self.names = names
        self.pieces = REGEXES.split()

    def some(self, number: int) -> list[str]:
        """So many of them, no two alike."""
        found: dict[str, None] = {}
        while len(found) < number:
            found[self.text()] = None
        return list(found)

    def text(self) -> str:
        random = self.random
        name = random.choice(self.names)
        regex = random.random() < 0.6
        operator = random.choice(["=~", "=~", "!~"] if regex else ["=", "!="])
        value = self.regex() if regex and random.random() < 0.8 else random.choice(VALUES)
        parts = [self.named(name), operator, self.spelled(value)]
        text = "".join(part + self.space() for part in ("", *parts))
        while random.random() < 0.15:
            at = random.randrange(len(text) + 1)
            text = text[:at] + random.choice(NOISE) + text[at + random.randrange(2) :]
        return text

    def several(self) -> str:
        """Like `text`, of several with commas and braces."""
        random = self.random
        joined = random.choice([",", ",", " , ", ",,", " "]).join(self.text() for _ in range(random.randrange(1, 4)))
        return random.choice(["", "", "{", " {"]) + joined + random.choice(["", "", ",", "}", ",}", "} ", " , "])

    def regex(self) -> str:
        random = self.random
        pieces = [random.choice(self.pieces) for _ in range(random.choice([1, 1, 2, 2, 3, 4]))]
        return random.choice(["", "", "|", ".*"]).join(pieces)

    def named(self, name: str) -> str:
        plain = CLASSIC_NAME.fullmatch(name) and self.random.random() < 0.9
        return name if plain else self.random.choice([name, *[quoted(name) for quoted in QUOTED]])

    def spelled(self, text: str) -> str:
        """Ways to write a value, most of them right."""
        random = self.random
        if random.random() < 0.9:
            return random.choice(QUOTED)(text)
        return random.choice([text, f'"{text}"', f"'{text}'", f'"{text}', f'{text}"'])

    def space(self) -> str:
        return self.random.choice(SPACES) if self.random.random() < 0.1 else ""


def open_metrics(text: str) -> str:
    return '"' + "".join({'"': '\\"', "\\": "\\\\", "\n": "\\n"}.get(char, char) for char in text) + '"'


def code_points(text: str) -> str:
    return '"' + "".join(f"\\U{ord(char):08x}" if char > "\uffff" else f"\\u{ord(char):04x}" for char in text) + '"'


def utf8_bytes(text: str) -> str:
    return '"' + "".join(f"\\x{byte:02x}" if byte % 2 else f"\\{byte:03o}" for byte in text.encode()) + '"'


QUOTED = (open_metrics, open_metrics, open_metrics, code_points, utf8_bytes)


class Peer(Alertmanager):
    """An Alertmanager that holds our alerts, and says which of them a filter finds."""

    def __init__(self, folder: Path, part: str, *, classic: bool) -> None:
        self.part = part
        super().__init__(folder, "http://127.0.0.1:9/")
        self.classic = classic
        told = subprocess.run([find_part(part) or part, "--version"], capture_output=True, text=True, check=True)
        found = re.search(r"version (\d+)\.(\d+)", told.stdout + told.stderr)
        assert found, told
        self.version = (int(found[1]), int(found[2]))
        self.connection = http.client.HTTPConnection(self.address, timeout=30)
        self.label_sets = LABEL_SETS if classic else [*LABEL_SETS, *UTF8_LABEL_SETS]
        self.sent = [{"id": str(i), **labels} for i, labels in enumerate(self.label_sets)]

    def command(self) -> list[str]:
        mode = ["--enable-feature=classic-mode"] if self.classic and self.version >= UTF8_SINCE else []
        return [*super().command(), *mode, "--log.level=error"]

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, bytes]:
        text = None if body is None else json.dumps(body)
        self.connection.request(method, path, text, {"Content-Type": "application/json"})
        answer = self.connection.getresponse()
        return answer.status, answer.read()

    def hold(self) -> None:
        status, said = self.ask("POST", "/api/v2/alerts", [{"labels": labels} for labels in self.sent])
        assert status == 200, said

    def finds(self, filtering: str) -> set[str] | None:
        """The ids of the alerts that it finds; None where it refuses the filter."""
        status, said = self.ask("GET", "/api/v2/alerts?" + urlencode({"filter": filtering}))
        assert status in (200, 400), (filtering, status, said)
        return None if status == 400 else {alert["labels"]["id"] for alert in json.loads(said)}

    def routes(self, lists: Sequence[str]) -> bool:
        """Whether it takes a configuration whose routes r0, r1, … have these matchers."""
        names = [f"r{i}" for i in range(len(lists))]
        route = {
            "receiver": "none",
            "routes": [
                {"receiver": name, "matchers": [text], "continue": True}
                for name, text in zip(names, lists, strict=True)
            ],
        }
        config = {"route": route, "receivers": [{"name": name} for name in ("none", *names)]}
        (self.folder / "alertmanager.yml").write_text(yaml.safe_dump(config))
        return self.ask("POST", "/-/reload")[0] == 200

    def routed(self) -> dict[str, set[str]]:
        """The receivers of each alert, by its id."""
        status, said = self.ask("GET", "/api/v2/alerts")
        assert status == 200, said
        return {a["labels"]["id"]: {one["name"] for one in a["receivers"]} for a in json.loads(said)}

    def found_by(self, matchers: Sequence[Matcher]) -> set[str]:
        """What we say of its alerts."""
        return {
            labels["id"]
            for labels in self.sent
            if all(matcher.matches(labels.get(matcher.name, "")) for matcher in matchers)
        }


def ours(peer: Peer, text: str) -> set[str] | None:
    """What we say that the filter finds; None where we refuse it."""
    try:
        matcher = parse(text)
    except ValueError:
        return None
    return peer.found_by([matcher])


def refused(text: str) -> bool:
    """Whether we refuse the list of matchers, or find none in it: a rule file needs one."""
    try:
        return parse_all(text) == ()
    except ValueError:
        return True


def started(peer: Peer) -> Iterator[Peer]:
    peer.start()
    try:
        peer.hold()
        yield peer
    finally:
        peer.connection.close()
        peer.stop()


@pytest.fixture(scope="module")
def classic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    """One that knows the classic syntax alone."""
    if find_part("alertmanager") is None:
        (pytest.fail if REQUIRED else pytest.skip)("alertmanager is not on this machine: run `make parts`")
    yield from started(Peer(tmp_path_factory.mktemp("classic"), "alertmanager", classic=True))


@pytest.fixture(scope="module")
def utf8(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    """One that knows both, as its makers ship it."""
    part = "alertmanager-utf8"
    if find_part(part) is None:
        excused = not REQUIRED or could_not_be_had(part)
        (pytest.skip if excused else pytest.fail)("no Alertmanager of 0.27 or later on this machine: run `make parts`")
    yield from started(Peer(tmp_path_factory.mktemp("utf8"), part, classic=False))


def test_a_filter_finds_what_alertmanager_finds_or_is_refused_by_both(utf8: Peer) -> None:
    cases = Texts(SEED, [*CLASSIC_NAMES, *UTF8_NAMES, "absent"]).some(CASES)
    theirs = [utf8.finds(text) for text in cases]
    differ = [text for text, found in zip(cases, theirs, strict=True) if ours(utf8, text) != found]

    assert utf8.version >= UTF8_SINCE
    assert differ == []
    assert CASES / 4 < theirs.count(None) < CASES / 2, "the cases are neither all right nor all wrong"


def test_what_the_classic_syntax_takes_finds_the_same_in_ours(classic: Peer) -> None:
    # What the classic syntax refuses may be the other one; a brace at either end is refused only since 0.27.
    cases = [text for text in Texts(SEED, CLASSIC_NAMES).some(CASES) if text[:1] != "{" and text[-1:] != "}"]
    theirs = {text: found for text in cases if (found := classic.finds(text)) is not None}
    differ = [text for text, found in theirs.items() if ours(classic, text) != found]

    assert differ == []
    assert len(theirs) > CASES / 3


def test_a_list_of_matchers_routes_what_alertmanager_routes_by_it_or_is_refused_by_both(utf8: Peer) -> None:
    generator = Texts(SEED, [*CLASSIC_NAMES, *UTF8_NAMES, "absent"])
    cases = list(dict.fromkeys(generator.several() for _ in range(LISTS)))
    taken = [text for text in cases if not refused(text)]
    wrong = [text for text in cases if text not in taken]

    assert utf8.routes(taken), "what we take, it takes"
    assert [text for text in wrong if utf8.routes([text])] == [], "what we refuse, it refuses"
    assert utf8.routes(taken)
    found = {text: utf8.found_by(parse_all(text)) for text in taken}
    routed = utf8.routed()
    theirs = {
        text: {name for name, receivers in routed.items() if f"r{i}" in receivers} for i, text in enumerate(taken)
    }
    assert theirs == found
    assert len(taken) > LISTS / 8
