"""Alertmanager's matcher syntax; tests/e2e/test_matchers_as_alertmanager.py asks running ones whether it is."""

from __future__ import annotations

import string

import pytest
import re2
from hypothesis import example, given
from hypothesis import strategies as st

from triaged.core.matchers import REMEMBERED, Matcher, Operator, parse, parse_all

NAMES = st.one_of(st.from_regex(r"[a-zA-Z_:][a-zA-Z0-9_:]{0,8}", fullmatch=True), st.text(min_size=1, max_size=8))
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@pytest.mark.parametrize(
    ("text", "name", "operator", "value"),
    [
        ('foo="bar"', "foo", "=", "bar"),
        ("foo=bar", "foo", "=", "bar"),
        ('foo!="bar"', "foo", "!=", "bar"),
        ('foo=~"ba.+"', "foo", "=~", "ba.+"),
        ("foo!~ba.+", "foo", "!~", "ba.+"),
        (' foo \t=\n "bar" ', "foo", "=", "bar"),
        ("fo:o_1=b", "fo:o_1", "=", "b"),
        ("foo=", "foo", "=", ""),
        ('foo=""', "foo", "=", ""),
        ("foo=a=b!=c", "foo", "=", "a=b!=c"),
        (r'foo="say \"hi\""', "foo", "=", 'say "hi"'),
        (r'foo="a\\b"', "foo", "=", r"a\b"),
        (r'foo="a\nb"', "foo", "=", "a\nb"),
        ('foo="a\nb"', "foo", "=", "a\nb"),
        (r'foo="\d\."', "foo", "=", r"\d\."),
        (r'foo=~"\\d+"', "foo", "=~", r"\d+"),
        ("foo=bar\\", "foo", "=", "bar\\"),
        ('foo="{a}, b"', "foo", "=", "{a}, b"),
        ("foo='bar'", "foo", "=", "'bar'"),
        # only in the UTF-8 syntax
        ('"my.label"="x"', "my.label", "=", "x"),
        ('"grüße, welt"=~"x.*"', "grüße, welt", "=~", "x.*"),
        ("my.label=x", "my.label", "=", "x"),
        ("🙂=x", "🙂", "=", "x"),
        (r'"a\"b"="x"', 'a"b', "=", "x"),
        (r'"a.b"="\x41\102\u00e9\U0001F642\t"', "a.b", "=", "AB\u00e9\U0001f642\t"),
        (r'"a.b"="\xc3\xa9"', "a.b", "=", "é"),
    ],
)
def test_a_matcher_is_read_as_alertmanager_reads_it(text: str, name: str, operator: str, value: str) -> None:
    matcher = parse(text)

    assert (matcher.name, matcher.operator, matcher.value) == (name, operator, value)
    assert parse_all(text) == (matcher,)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", []),
        ("{}", []),
        ("{a=b}", ["a"]),
        ('a="1",b=2', ["a", "b"]),
        ('{ a = "1,2" , b =~ x, }', ["a", "b"]),
        (r'a="\",",b=2', ["a", "b"]),
        ('{"a.b"="1",c=2,}', ["a.b", "c"]),
        ('"a.b"="1",', ["a.b"]),
    ],
)
def test_several_matchers_stand_between_commas(text: str, names: list[str]) -> None:
    assert [matcher.name for matcher in parse_all(text)] == names


def test_a_comma_in_an_unquoted_value_belongs_to_it_where_one_matcher_is_asked_for() -> None:
    assert parse("foo=a,b").value == "a,b"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("foo", "expected an operator (=, !=, =~ or !~) at character 4, got the end"),
        ("foo bar=x", "expected an operator (=, !=, =~ or !~) at character 5, got bar"),
        ("=x", "expected a label name at character 1, got ="),
        (",a=b", "expected a label name at character 1, got ,"),
        ('"a.b"=', "expected a value at character 7, got the end"),
        ('foo="bar', 'expected a closing quote at character 5, got "bar'),
        ('foo=ba"r', 'expected a closing quote at character 7, got "r'),
        ('foo="ba"r"', "expected a comma or the end at character 9, got r"),
        (r'foo="bar\"', r'expected a closing quote at character 5, got "bar\"'),
        ("foo!x", "expected an operator (=, !=, =~ or !~) at character 4, got !x"),
        ("a.b='c'", "expected quotes around such characters at character 5, got 'c'"),
        ("{a.b=c", "expected a comma or a closing brace at character 7, got the end"),
        ("a.b=c}", "expected a comma or the end at character 6, got }"),
        ("{a.b=c}d", "expected a comma or the end at character 8, got d"),
        ("a.b=c d=e", "expected a comma or the end at character 7, got d"),
        (r'"a.b"="\q"', r"expected an escape like \n, \\ or \u00e9 at character 8, got \q"),
        (r'"a.b"="\'"', r"expected an escape like \n, \\ or \u00e9 at character 8, got \'"),
        (r'"a.b"="\xff"', r'expected valid UTF-8 at character 7, got "\xff"'),
        (r'"a.b"="\ud800"', r'expected valid UTF-8 at character 7, got "\ud800"'),
        (r'"a.b"="\UFFFFFFFF"', r'expected valid UTF-8 at character 7, got "\UFFFFFFFF"'),
        ('"a.b"="x\ny"', 'expected \\n instead of a line break in quotes at character 7, got "x\ny"'),
        ("foo=~(", "expected a regular expression that RE2 accepts, got ( (missing ): ^(?:()$)"),
        ('foo=~"a{2000}"', "expected a regular expression that RE2 accepts, got a{2000} (invalid repetition size: {2"),
        ('foo=~"(?=a)"', "expected a regular expression that RE2 accepts, got (?=a) (invalid perl operator: (?="),
        ('foo=~"[[:word"', "expected a regular expression that RE2 accepts, got [[:word"),
        (r'foo=~"a\Cb"', r"expected a regular expression without \C, got a\Cb"),
        ('foo=~"x{9999999999}"', "expected a regular expression with counts up to 1000, got x{9999999999}"),
        ('foo=~"x{1,9999999999}"', "expected a regular expression with counts up to 1000, got x{1,9999999999}"),
        ("foo=~(?P<é>x)", "expected a regular expression with group names of ASCII letters, got (?P<é>x)"),
        (r'a="x\,",b="y"', r"expected an escape like \n, \\ or \u00e9 at character 5, got \,"),
        ('foo=~"\ud800"', "expected a regular expression that RE2 accepts, got \ud800 (no valid UTF-8)"),
    ],
)
def test_an_error_says_what_was_expected_and_where(text: str, message: str) -> None:
    with pytest.raises(ValueError, match="expected") as caught:
        parse_all(text)

    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{foo=bar}", "expected a matcher without braces, got {foo=bar}"),
        ("foo=bar}", "expected a matcher without braces, got foo=bar}"),
        ("", "expected one matcher, got 0"),
        ("a.b=c,d.e=f", "expected one matcher, got 2"),
    ],
)
def test_where_one_matcher_is_asked_for_nothing_else_is_taken(text: str, message: str) -> None:
    with pytest.raises(ValueError, match="expected") as caught:
        parse(text)

    assert str(caught.value) == message


def test_a_very_long_text_is_shown_cut_in_an_error() -> None:
    with pytest.raises(ValueError, match="expected") as caught:
        parse_all('foo="' + "x" * 10_000)

    assert len(str(caught.value)) < 150


@pytest.mark.parametrize(
    ("text", "holds", "fails"),
    [
        ('a="b"', ["b"], ["", "bb", "B"]),
        ('a!="b"', ["", "bb"], ["b"]),
        ('a=~"b|c"', ["b", "c"], ["", "bc", "b|c"]),
        ('a!~"b|c"', ["", "bc"], ["b", "c"]),
        ('a=~"b.*"', ["b", "bcd", "b\u00e9"], ["ab", "", "b\n"]),
        ('a!~"b.*"', ["ab", "", "b\n"], ["b", "bcd"]),
        ('a=~".*"', ["", "b"], ["b\nc"]),
        ('a=~""', [""], ["b"]),
        ('a=~"(?i)prod"', ["prod", "PROD"], ["prods"]),
        ('a=~"^b$"', ["b"], ["bb"]),
        (r'a=~"b\\.c"', ["b.c"], ["bxc"]),
        # Alertmanager puts the pattern between ^(?: and )$, so this is what it does too.
        ('a=~"b)|(?:c"', ["b", "bx", "c", "xc"], ["xb", "cx"]),
        (r'a=~"\\Qa\\C\\E"', ["a\\C"], ["ab"]),
        (r'a=~"\\Q(?P<é>\\E"', ["(?P<é>"], ["é"]),
        (r'a=~"[]{9999999999}[:alpha:]]"', ["]", "9", "b"], ["[", "]]"]),
        (r'a=~"\\{9999999999}|x{09999999999}"', ["{9999999999}", "x{09999999999}"], ["x"]),
        ('a=~"(?P<n>b)(?<m>c)"', ["bc"], ["b"]),
    ],
)
def test_a_matcher_is_anchored_and_takes_an_absent_label_as_empty(
    text: str, holds: list[str], fails: list[str]
) -> None:
    matcher = parse(text)

    assert [value for value in holds if not matcher.matches(value)] == []
    assert [value for value in fails if matcher.matches(value)] == []


def test_a_value_too_long_to_be_remembered_is_matched_all_the_same() -> None:
    long = "a" * (REMEMBERED + 1)

    assert parse('x=~"a+"').matches(long)
    assert not parse('x=~"a+"').matches(long + "b")
    assert parse('x=~"a+"').matches("aaa")


def test_a_value_that_is_no_text_for_utf_8_does_not_raise() -> None:
    assert parse('x=~".+"').matches("\ud800")


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ('a="b"', {"b"}),
        ('a=""', {""}),
        ('a=~"b|c"', {"b", "c"}),
        ('a=~"(b|c)"', {"b", "c"}),
        ('a=~"(?:b|c d)"', {"b", "c d"}),
        (r'a=~"b\\.c|d\\-e"', {"b.c", "d-e"}),
        ('a=~"b|"', {"b", ""}),
        ('a=~""', {""}),
        ('a!="b"', None),
        ('a!~"b|c"', None),
        ('a=~"b.|c"', None),
        ('a=~"(?i)b"', None),
        ('a=~"b(c|d)"', {"bc", "bd"}),
        ('a=~"(b)|(c)"', {"b", "c"}),
        (r'a=~"\\d"', None),
        ('a=~"^b"', {"b"}),
    ],
)
def test_the_values_of_a_matcher_are_known_only_where_they_are_finite(text: str, values: set[str] | None) -> None:
    assert parse(text).values == values


@given(st.lists(st.text(string.ascii_letters + string.punctuation + " \n", max_size=4), min_size=1, max_size=4), TEXTS)
@example([""], "")
@example(["a", ""], "")
def test_known_values_say_the_same_as_the_regex(words: list[str], other: str) -> None:
    pattern = "|".join(re2.escape(word) for word in words)
    matcher = Matcher(name="a", operator=Operator.REGEX, value=pattern)
    negated = Matcher(name="a", operator=Operator.NOT_REGEX, value=pattern)
    regex = re2.compile(f"^(?:{pattern})$")

    for seen in (*words, *(word + "a" for word in words), other, ""):
        truth = regex.search(seen) is not None
        assert matcher.matches(seen) == truth
        assert negated.matches(seen) != truth
        if matcher.values is not None:
            assert (seen in matcher.values) == truth


@given(NAMES, st.sampled_from([Operator.EQUAL, Operator.NOT_EQUAL]), TEXTS)
def test_the_text_of_a_matcher_reads_as_the_same_matcher(name: str, operator: Operator, value: str) -> None:
    matcher = Matcher(name=name, operator=operator, value=value)

    assert parse_all(matcher.text) == (matcher,)


@given(st.text("ab=!~\"\\{},. n\n\t'`é\u2003", max_size=14))
def test_any_text_is_a_list_of_matchers_or_a_plain_error(text: str) -> None:
    try:
        matchers = parse_all(text)
    except ValueError as problem:
        assert str(problem).startswith("expected")  # noqa: PT017 - either is right
    else:
        assert all(matcher.matches(value) in (True, False) for matcher in matchers for value in ("", "a"))
