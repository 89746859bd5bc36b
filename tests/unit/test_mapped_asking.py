"""What a mapping asks of the body: found once for all alerts of it, bounded, and never another than it would be."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jmespath
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jmespath.visitor import TreeInterpreter

from triaged.core.model import Alert
from triaged.errors import PayloadError
from triaged.ports.mapping import SourceMapping
from triaged.ports.source import Reading
from triaged.rulefiles import read
from triaged.sources import mapped
from triaged.sources.asking import Asker, BodyFunctions, Failed
from triaged.sources.limits import LONGEST_VALUE

RULES = Path(__file__).parents[1] / "fixtures" / "rules" / "good" / "minimal"
MINIMAL = {path.name: path.read_text() for path in RULES.iterdir()}


def mapping(text: str) -> SourceMapping:
    return read({**MINIMAL, "sources/tool.yaml": text}).sources["tool"]


def reading(source: SourceMapping, document: object) -> Reading:
    return mapped.reader(source)(source.name, json.dumps(document).encode())


def one(source: SourceMapping, document: object) -> Alert:
    (alert,) = reading(source, document).alerts
    return alert


def visits(monkeypatch: pytest.MonkeyPatch, source: SourceMapping, document: object) -> int:
    """How many parts of expressions are evaluated to read a body."""
    visited = 0
    visit = TreeInterpreter.visit

    def counting(self: TreeInterpreter, node: Any, *arguments: Any) -> Any:
        nonlocal visited
        visited += 1
        return visit(self, node, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(TreeInterpreter, "visit", counting)
        assert len(reading(source, document).alerts) == len(document["checks"])  # type: ignore[index]  # JSON
    return visited


@pytest.mark.parametrize(
    "asked",
    [
        "body().hosts[?name == 'h-7'] | [0].zone",
        "join(',', body().hosts[?name == 'h-7'][].zone)",
        "body().hosts[*].zone | [-1]",
        "max(body().hosts[].weight)",
        "length(values(body()))",
        "(body().hosts[?weight > `5`] | [0].name) || name",
        "join('/', [body().hosts[?name == 'h-7'] | [0].zone, name])",
        "not_null(body().missing.*.deep, name)",
        "tags[?@ != body().hosts[?weight > `3`].name | [0]] | [0]",
        "to_string(sort_by(body().hosts, &weight)[0])",
        "sort_by(body().hosts, &missing)",
    ],
)
def test_what_asks_the_body_alone_is_found_once_and_not_for_each_alert(
    monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    source = mapping(f"alerts: checks\nlabels: {{check: name}}\nannotations: {{asked: {json.dumps(asked)}}}")

    def body(size: int) -> dict[str, Any]:
        return {
            "checks": [{"name": f"c-{n}", "tags": ["a", "b"]} for n in range(size)],
            "hosts": [{"name": f"h-{n}", "zone": f"z-{n}", "weight": n} for n in range(size)],
        }

    few, many = visits(monkeypatch, source, body(50)), visits(monkeypatch, source, body(500))
    assert many < 11 * few


@given(
    st.recursive(
        st.sampled_from(["body()", "a", "b", "@", "`1`", "'x'", "body().a", "body().b[*].a", "[a, body().b]"]),
        lambda inner: st.one_of(
            st.builds("{}.a".format, inner),
            st.builds("({} || {})".format, inner, inner),
            st.builds("({} && {})".format, inner, inner),
            st.builds("!{}".format, inner),
            st.builds("({} == {})".format, inner, inner),
            st.builds("({} | {})".format, inner, inner),
            st.builds("b[?{}].a".format, inner),
            st.builds("b[*].[{}]".format, inner),
            st.builds("{}[].a".format, inner),
            st.builds("type({})".format, inner),
            st.builds("not_null({}, {})".format, inner, inner),
            st.builds("length({})".format, inner),
            st.builds("map(&{}, b)".format, inner),
            st.builds("{{x: {}}}".format, inner),
        ),
        max_leaves=6,
    ).filter(lambda text: len(re.findall(r"\[[^*?\]]|{", text)) <= 6),
    st.recursive(
        st.sampled_from([None, 1, "x", True]),
        lambda inner: st.fixed_dictionaries({"a": inner, "b": st.lists(st.fixed_dictionaries({"a": inner}))}),
        max_leaves=4,
    ),
)
def test_an_expression_finds_what_it_would_find_if_the_body_were_asked_each_time(text: str, inner: object) -> None:
    item = {"a": inner, "b": [{"a": 1}, {"a": inner}]}
    body = {"items": [item, item], "a": inner, "b": [{"a": "q"}, {"a": inner}]}
    source = mapping(f"alerts: items\nlabels: {{n: {{value: x}}}}\nannotations: {{found: {json.dumps(text)}}}")
    (pick,) = source.annotations.values()
    assert pick.expression is not None
    plain = jmespath.compile(text)
    asker = Asker(body, several=True)
    for _ in range(2):
        try:
            expected = plain.search(item, jmespath.Options(custom_functions=BodyFunctions(body)))
        except (jmespath.exceptions.JMESPathError, TypeError, AttributeError):
            with pytest.raises(Failed):
                asker.ask(pick.expression, item)
        else:
            assert asker.ask(pick.expression, item) == expected


def test_each_alert_of_many_is_given_only_so_much_of_the_body() -> None:
    source = mapping(
        "alerts: checks\n"
        "labels: {check: name, host: body().host}\n"
        'annotations: {text: body().text, all: body(), mixed: "contains(body().names, name)"}'
    )
    document = {
        "host": "h" * LONGEST_VALUE,
        "text": "t" * (LONGEST_VALUE + 1),
        "names": ["n" * 100] * 200,
        "checks": [{"name": "a"}, {"name": "b"}],
    }
    for found in reading(source, document).alerts:
        assert found.labels["host"] == document["host"]
        assert found.annotations == {}
        assert found.mended == (
            "annotations.text: body().text: expected at most 16,384 characters of body() for each alert, got 16,385; "
            "left out",
            "annotations.all: body(): expected at most 16,384 characters of body() for each alert, got 53,646; "
            "left out",
            "annotations.mixed: contains(body().names, name): expected at most 16,384 characters of body() for each "
            "alert, got 20,800; left out",
        )


def test_a_body_that_is_one_alert_and_the_list_of_alerts_itself_may_be_as_large_as_they_are() -> None:
    large = "t" * (LONGEST_VALUE + 1)
    assert one(mapping("labels: {a: body().a, n: 'length(body().text)'}"), {"a": "x", "text": large}).labels == {
        "a": "x",
        "n": str(len(large)),
    }
    listed = mapping("alerts: body().checks[?name != body().but]\nlabels: {check: name}")
    found = reading(listed, {"but": "c-1", "checks": [{"name": f"c-{n}", "text": large} for n in range(3)]})
    assert [alert.labels["check"] for alert in found.alerts] == ["c-0", "c-2"]
    shared = mapping("alerts: 'checks[*].{name: name, all: body()}'\nlabels: {check: name}")
    with pytest.raises(PayloadError, match="expected at most 16,384 characters of body\\(\\) for each alert"):
        reading(shared, {"checks": [{"name": "a"}], "text": large})


def test_what_is_nested_too_deep_to_be_written_is_told_and_no_crash() -> None:
    deep: list[Any] = []
    for _ in range(5_000):
        deep = [deep]
    (pick,) = mapping("labels: {a: b}\nannotations: {found: 'to_string(body().deep)'}").annotations.values()
    assert pick.expression is not None
    for several in (False, True):
        with pytest.raises(Failed, match="nested too deep"):
            Asker({"deep": deep}, several=several).ask(pick.expression, {})
    with pytest.raises(Failed, match="nested too deep"):
        Asker({}, several=True).ask(jmespath.compile("to_string(@)"), deep)
