"""The JSON Schema that editors get: it takes what the readers take, and refuses unknown keys and words as they do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from triaged import config, defaults
from triaged.cli.schema import KNOWN, SPAN, config_schema
from triaged.errors import ConfigError, Finding
from triaged.replay.ruletests import reading
from triaged.rulefiles import words
from triaged.rulefiles.marks import Items, Node, Table, compose
from triaged.rulefiles.schemas import FILES
from triaged.rulefiles.values import Value

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "tests" / "fixtures" / "rules"
GLOBS = {name: described.glob for name, described in FILES.items()}


@cache
def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(KNOWN[name][1]())


def as_editors_read(node: Node) -> Any:
    """The document in YAML 1.2, as editors read it: dates are texts, and only true and false are flags."""
    if isinstance(node, Table):
        return {key.text: as_editors_read(value) for key, value in node.entries}
    if isinstance(node, Items):
        return [as_editors_read(item) for item in node.items]
    if node.kind == "null":
        return None
    if node.kind == "bool" and node.text in ("true", "false"):
        return node.text == "true"
    if node.kind in ("int", "float") and re.fullmatch(r"-?[0-9.]+", node.text):
        return float(node.text) if "." in node.text else int(node.text)
    return node.text


def composed(text: str) -> Node | None:
    findings: list[Finding] = []
    node = compose("x.yaml", text, findings)
    return None if findings else node


def read(name: str, text: str) -> list[Finding]:
    """What the reader of one file finds, other files apart."""
    findings: list[Finding] = []
    node = compose("x.yaml", text, findings)
    assert node is not None
    FILES[name].read(Value(node=node, path="", file="x.yaml", findings=findings))
    return findings


def refused_by_schema(name: str, text: str) -> list[str]:
    node = composed(text)
    assert node is not None
    return [error.message for error in validator(name).iter_errors(as_editors_read(node))]


def good_files() -> Iterator[tuple[str, Path]]:
    for folder in (defaults.RULES, *sorted((FIXTURES / "good").iterdir()), ROOT / "rules"):
        for name, glob in GLOBS.items():
            for file in sorted(folder.glob(glob)):
                yield name, file


GOOD = list(good_files())
BAD = [(path.stem.partition("-")[0], path) for path in sorted((FIXTURES / "bad").glob("*.yaml"))]


@pytest.mark.parametrize("name", KNOWN)
def test_every_schema_is_a_schema_and_says_something_of_every_key(name: str) -> None:
    found = dict(validator(name).schema)
    Draft202012Validator.check_schema(found)
    assert found["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    silent = [path for path, inner in walked(found) if not inner.keys() - {"description"}]
    assert silent == []


def walked(found: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for name, inner in found.get("properties", {}).items():
        yield f"{path}.{name}", inner
        yield from walked(inner, f"{path}.{name}")
    for name in ("items", "additionalProperties"):
        if isinstance(found.get(name), dict):
            yield f"{path}[{name}]", found[name]
            yield from walked(found[name], f"{path}[{name}]")
    for inner in found.get("anyOf", ()):
        yield from walked(inner, path)


@pytest.mark.parametrize(
    ("name", "file"), GOOD, ids=lambda one: str(one) if isinstance(one, str) else str(one.parent.name)
)
def test_what_the_reader_takes_the_schema_takes(name: str, file: Path) -> None:
    text = file.read_text()
    assert read(name, text) == []
    assert refused_by_schema(name, text) == []


@pytest.mark.parametrize(("name", "file"), BAD, ids=lambda one: one.stem if isinstance(one, Path) else "")
def test_unknown_keys_and_wrong_words_are_refused_by_both(name: str, file: Path) -> None:
    text = file.read_text()
    if composed(text) is None:
        return  # no YAML: the editor says so itself
    findings = read(name, text)
    wrong = [
        one
        for one in findings
        if re.search(r"unknown key|, got none$|did you mean|expected (a mapping|a list)", one.message)
    ]
    closed = [
        one for one in findings if re.search(r"expected (critical|extensive|sev1|outage|person|most), ", one.message)
    ]
    if wrong or closed:
        assert refused_by_schema(name, text) != []
    if not findings and refused_by_schema(name, text):
        pytest.fail("the schema refuses what the reader takes")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("triage", "matrix: 1\n"),
        ("services", "services: {a: {tier: 12}}\n"),
        ("services", "services: {a: {revenue: 'true'}}\n"),
        ("services", "services: {a: {user: most}}\n"),
        ("services", "services: {a: {functions: [x, x]}}\n"),
        ("severities", "sev1: {}\n"),
        ("severities", "sev5: {}\n"),
        ("calendars", "a: {}\n"),
        ("calendars", "a: {zone: UTC, closed: [soon]}\n"),
        ("calendars", "a: {zone: UTC, hours: {monday: 9-17}}\n"),
    ],
)
def test_both_refuse_what_has_the_wrong_shape(name: str, text: str) -> None:
    assert read(name, text) != []
    assert refused_by_schema(name, text) != []


def test_wrong_units_are_refused_by_both() -> None:
    text = (FIXTURES / "good" / "minimal" / "severities.yaml").read_text()
    for wrong in ("15", "15min", "1h 30m", "30m1h", "-1h", '""', "1.5h", "4bd2h"):
        other = text.replace("verify_for: 30m", f"verify_for: {wrong}")
        assert other != text
        assert read("severities", other) != []
        assert refused_by_schema("severities", other) != []


def test_a_span_of_nothing_is_refused_by_both_where_it_means_nothing() -> None:
    text = (FIXTURES / "good" / "minimal" / "severities.yaml").read_text()
    for old, new in (
        ("response: 15m", "response: 0m"),
        ("response: 15m", "response: 0bd"),
        ("close:", "update_every: 0h0m"),
    ):
        other = text.replace(old, new if new[:3] == old[:3] else f"{new}\n  {old}", 1)
        assert read("severities", other) != []
        assert refused_by_schema("severities", other) != []


@pytest.mark.parametrize(
    "word", ["15m", "1h30m", "3d", "1w2d3h4m5s", "0m", "", "5", "m", "1bd", "0.95", "95%", "24:00", "2026-12-24"]
)
@pytest.mark.parametrize("reader", [one for one in words.SHAPES if one is not words.instant])
def test_a_word_that_its_reader_takes_fits_its_shape(reader: Any, word: str) -> None:
    try:
        reader(word)
    except ValueError:
        return
    assert Draft202012Validator(dict(words.SHAPES[reader])).is_valid(word)


# ---------------------------------------------------------------- tests of rules

RULE_TESTS = [*sorted((ROOT / "rules" / "tests").glob("*.yaml")), ROOT / "tests" / "fixtures" / "rules" / "tests.yaml"]


def found_by_test_reader(text: str) -> list[Finding]:
    findings: list[Finding] = []
    reading.read("x.yaml", text, findings)
    return findings


@pytest.mark.parametrize("file", RULE_TESTS, ids=lambda file: file.stem)
def test_rule_tests_that_their_reader_takes_the_schema_takes(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert found_by_test_reader(text) == []
    assert refused_by_schema("tests", text) == []


@pytest.mark.parametrize(
    "text",
    [
        "tests: []\n",
        "- {alert: {a: b}, expect: {severity: sev1}}\n",
        "- {test: x, alert: {a: b}, expect: {severty: sev1}}\n",
        "- {test: x, alert: {a: b}, expect: {severity: sev9}}\n",
        "- {test: x, steps: [{fire: {a: b}}, {at: 1m, expect: {state: open}}]}\n",
        "- {test: x, steps: [{at: 1, fire: {a: b}}, {at: 1m, expect: {state: open}}]}\n",
        "- {test: x, steps: [{at: 1m, fires: {a: b}, expect: {state: open}}]}\n",
        "- {test: x, steps: [{at: 1m, act: akc, expect: {state: open}}]}\n",
        "- {test: x, steps: [{at: 1m, expect: {due: {respons: 1h}}}]}\n",
        "- {test: x, steps: [{at: 1m}, {at: 2m, expect: {state: open}}]}\n",
    ],
)
def test_both_refuse_rule_tests_with_unknown_keys_and_words(text: str) -> None:
    assert found_by_test_reader(text) != []
    assert refused_by_schema("tests", text) != []


# ---------------------------------------------------------------- the configuration


def test_the_example_configuration_fits_and_so_do_its_examples() -> None:
    text = defaults.CONFIG.read_text(encoding="utf-8")
    assert refused_by_schema("config", text) == []
    assert refused_by_schema("config", "") == []
    assert refused_by_schema("config", "retention: {incidents: 3y, deliveries: 90d}\n") == []


@pytest.mark.parametrize(
    "text",
    [
        "lisen: x\n",
        "backend: {type: gitlab}\n",
        "retention: {incidents: 3}\n",
        "retention: {incidents: 3 years}\n",
        "backend: {type: github, github: {repo: a/b}}\n",
        "api_tokens: {ann: {role: admin}}\n",
    ],
)
def test_a_wrong_configuration_is_refused_by_both(text: str, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(ConfigError):
        config.load(tmp_path / "config.yaml")
    assert refused_by_schema("config", text) != []


def test_every_key_of_the_configuration_is_in_its_schema() -> None:
    assert config_schema()["properties"].keys() == config.Settings.model_fields.keys()


def test_the_durations_of_the_configuration_are_those_of_the_rules_and_years() -> None:
    for word in ("15m", "3y", "1w2d"):
        assert re.search(SPAN, word)
    for word in ("", "3", "y", "1y2d"):
        assert not re.search(SPAN, word)


def test_yaml_of_the_hook_and_the_workflow_is_well_formed() -> None:
    for file in (ROOT / ".pre-commit-hooks.yaml", *sorted((ROOT / "deploy" / "github").glob("*.yml"))):
        assert yaml.safe_load(file.read_text(encoding="utf-8")), file
