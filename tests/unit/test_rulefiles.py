"""Rule files: what is read from good ones, and where each mistake of a bad one is found."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triaged.core.catalogue import Users
from triaged.core.growth import Growth, Refires
from triaged.core.model import Impact, Objective, Severity, Urgency
from triaged.errors import ConfigError, Finding
from triaged.rulefiles import RuleFiles, load, read, read_policy, words

FIXTURES = Path(__file__).parents[1] / "fixtures" / "rules"
TODAY = date(2026, 11, 23)


def folder(name: str) -> dict[str, str]:
    return {path.name: path.read_text() for path in (FIXTURES / "good" / name).iterdir()}


MINIMAL = folder("minimal")
PRODUCT = folder("product")


def with_rules(*rules: str, services: str = "") -> RuleFiles:
    text = MINIMAL["triage.yaml"].replace("rules: []", "rules:\n" + "\n".join(rules))
    return read({**MINIMAL, "triage.yaml": text, "services.yaml": services}, today=TODAY)


def warnings(files: RuleFiles) -> list[str]:
    return [str(finding) for finding in files.warnings]


def findings_of(files: dict[str, str]) -> tuple[Finding, ...]:
    with pytest.raises(ConfigError) as caught:
        read(files)
    return caught.value.findings


# ---------------------------------------------------------------- bad files


@pytest.mark.parametrize("bad", sorted((FIXTURES / "bad").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_mistake_of_a_bad_file_is_told_at_once_with_its_place(bad: Path) -> None:
    """Each `NAME.yaml` stands for the file of its first word, `NAME.txt` is the whole message."""
    name = f"{bad.stem.partition('-')[0]}.yaml"

    with pytest.raises(ConfigError) as caught:
        read({**MINIMAL, name: bad.read_text()})

    assert f"{caught.value}\n" == bad.with_suffix(".txt").read_text()
    assert [str(finding) for finding in caught.value.findings] == str(caught.value).splitlines()


def test_mistakes_of_several_files_come_together() -> None:
    found = findings_of({"triage.yaml": "rules: 1\n", "severities.yaml": "- a\n", "calendars.yaml": "a: {zone: X}\n"})

    assert {finding.file for finding in found} == {"triage.yaml", "severities.yaml", "calendars.yaml"}


def test_triage_and_severities_must_be_there() -> None:
    assert [str(finding) for finding in findings_of({})] == [
        "severities.yaml:1:1: expected the file, got none",
        "triage.yaml:1:1: expected the file, got none",
    ]


@pytest.mark.parametrize("broken", ["services.yaml", "calendars.yaml"])
def test_a_file_that_cannot_be_read_makes_no_names_unknown(broken: str) -> None:
    (found,) = findings_of({**PRODUCT, broken: "a: [\n"})

    assert found.file == broken


def test_a_calendar_with_a_mistake_does_not_make_its_name_unknown() -> None:
    (found,) = findings_of({**PRODUCT, "calendars.yaml": PRODUCT["calendars.yaml"].replace("DE,", "DX,")})

    assert (found.path, found.line) == ("berlin.holidays.country", 4)


def test_a_file_of_ten_megabytes_is_refused_by_its_size() -> None:
    (found,) = findings_of({**MINIMAL, "triage.yaml": "#" * 10_000_000})

    assert str(found) == "triage.yaml:1:1: expected at most 1,048,576 bytes, got more"


def test_of_very_many_mistakes_the_first_hundred_are_shown_and_all_are_kept() -> None:
    with pytest.raises(ConfigError) as caught:
        read({**MINIMAL, "services.yaml": "".join(f"k{n}: 1\n" for n in range(250))})

    assert len(caught.value.findings) == 250
    assert str(caught.value).splitlines()[-1] == "… and 150 more"


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(sorted(PRODUCT)),
    st.floats(0, 1),
    st.integers(0, 12),
    st.text("[]{}:,-#&*!|>\"' \n\t%@`abc019=~.\x00é", max_size=4) | st.text(max_size=3),
)
def test_any_text_is_a_rule_set_or_an_error_with_places(name: str, where: float, cut: int, put: str) -> None:
    text = PRODUCT[name]
    at = int(where * len(text))

    try:
        read({**PRODUCT, name: text[:at] + put + text[at + cut :]})
    except ConfigError as problem:
        found = problem.findings
    else:
        return
    assert found
    assert all(finding.line >= 1 and finding.column >= 1 for finding in found)


# ---------------------------------------------------------------- good files


def test_the_example_of_the_documentation_is_read_whole() -> None:
    files = read(PRODUCT, today=TODAY)
    staging, checkout, crash = files.rules.rules

    assert warnings(files) == ["calendars.yaml:10:1: sale: nothing uses calendar sale"]
    assert (staging.name, staging.at_most, staging.because) == ("staging", Severity.SEV4, "Nobody outside works there.")
    assert [matcher.text for matcher in checkout.match + checkout.service] == [
        'alertname=~"HighErrorRate|LatencyP99High"',
        'name="checkout"',
    ]
    assert (checkout.key, checkout.impact, checkout.urgency) == (
        ("service", "cluster"),
        Impact.SIGNIFICANT,
        Urgency.HIGH,
    )
    assert checkout.grows == (
        Growth(
            ref="checkout-errors#v1:2ef027fd5e52196c",
            rule="checkout-errors",
            distinct={"pod": 3},
            impact=Impact.EXTENSIVE,
            because="It is no single pod.",
        ),
    )
    assert crash.delay == timedelta(minutes=15)
    assert files.rules.default.team == "platform"
    assert files.rules.key == ("alertname", "cluster", "namespace", "service")
    assert files.rules.matrix[Impact.MINOR][Urgency.LOW] is Severity.SEV4


def test_the_catalogue_is_read() -> None:
    rules = read(PRODUCT).rules
    checkout = rules.services["checkout"]

    assert (checkout.team, checkout.tier, checkout.users, checkout.revenue) == ("payments", 1, Users.MOST, True)
    assert (checkout.functions, checkout.depends_on) == (("payment",), ("postgres-main",))
    assert checkout.runbook == "https://runbooks.example.com/checkout"
    assert checkout.links == {"logs": "https://logs.example.com/?from={{ from }}&to={{ to }}"}
    assert (rules.teams["payments"].repository, rules.teams["platform"].repository) == ("acme/pay", None)


def test_severities_are_read() -> None:
    policy = read(PRODUCT).policy
    sev1, sev4 = policy.severities[Severity.SEV1], policy.severities[Severity.SEV4]

    assert sev1.targets[Objective.RESPONSE].within == timedelta(minutes=15)
    assert sev4.targets[Objective.RESPONSE].business_days == 1
    assert sev1.compliance == {Objective.RESPONSE: 0.95, Objective.RESOLUTION: 0.90}
    assert (sev1.calendar, sev1.at_risk, sev1.close, sev4.close) == ("always", 0.75, "person", "daemon")
    assert (sev1.verify_for, sev1.reopen_within) == (timedelta(minutes=30), timedelta(hours=24))
    assert (sev1.acknowledgement_for, sev4.acknowledgement_for) == (timedelta(hours=2), None)


def test_what_severities_leave_out_has_a_shipped_value() -> None:
    sev1 = read(MINIMAL).policy.severities[Severity.SEV1]

    assert (sev1.calendar, sev1.at_risk, sev1.reopen_within) == ("always", 0.75, timedelta(hours=24))
    assert sev1.compliance[Objective.RESOLUTION] == 0.9


@pytest.mark.parametrize(
    ("name", "at", "is_open"),
    [
        ("berlin", "2026-11-23T08:30+01:00", False),
        ("berlin", "2026-11-23T09:00+01:00", True),
        ("berlin", "2026-11-23T17:00+01:00", False),
        ("berlin", "2026-11-28T11:00+01:00", True),  # a Saturday
        ("berlin", "2026-11-28T12:30+01:00", False),
        ("berlin", "2026-11-29T11:00+01:00", False),
        ("berlin", "2026-12-25T11:00+01:00", False),  # a holiday
        ("berlin", "2026-12-26T11:00+01:00", True),  # a holiday and Saturday, but in `open`
        ("berlin", "2026-12-31T11:00+01:00", False),  # in `closed`
        ("berlin", "2027-03-08T11:00+01:00", False),  # a holiday of Berlin alone
        ("business", "2026-11-23T23:59+01:00", True),
        ("business", "2026-12-25T11:00+01:00", True),  # no holidays given
        ("sale", "2026-11-26T23:59+01:00", False),
        ("sale", "2026-11-27T00:00+01:00", True),
        ("sale", "2026-11-30T12:00+01:00", False),
        ("sale", "2026-12-01T09:00+01:00", True),
        ("sale", "2026-12-01T08:59+01:00", False),
        ("always", "2026-12-25T03:00+01:00", True),
    ],
)
def test_a_calendar_is_open_as_written(name: str, at: str, *, is_open: bool) -> None:
    assert read(PRODUCT).policy.calendars[name].is_open(datetime.fromisoformat(at)) is is_open


def test_a_rule_may_say_everything() -> None:
    files = with_rules(
        "- name: a",
        "  match: ['{a=\"1\", b!~\"x.*\"}', 'c=d']",
        "  annotations: ['summary=~\".+\"']",
        "  source: ['name=grafana']",
        "  until: 2027-01-31",
        "  during: always",
        "  category: security",
        "  team: platform",
        "  close: daemon",
        "  labels: [x, 'no']",
        "  restricted: false",
        "  stop: true",
        "  grows:",
        "  - {when: {alerts: 5, firing_for: 1h30m, refires: {count: 3, within: 1h}}, urgency: critical}",
        "- {name: b, drop: Only a test., repository: acme/x, key: [pod], close: person}",
    )
    a, b = files.rules.rules

    assert [matcher.name for matcher in a.match] == ["a", "b", "c"]
    assert (a.until, a.during, a.outside) == (datetime(2027, 2, 1, tzinfo=UTC), "always", None)
    assert (a.team, a.close, a.labels, a.restricted, a.stop) == ("platform", "daemon", ("x", "no"), False, True)
    assert a.grows[0].refires == Refires(count=3, within=timedelta(hours=1))
    assert (a.grows[0].alerts, a.grows[0].firing_for) == (5, timedelta(minutes=90))
    assert (b.drop, b.repository, b.key, b.close) == ("Only a test.", "acme/x", ("pod",), "person")


@pytest.mark.parametrize("text", ["", "# later\n", "services:\nteams:\n"])
def test_a_catalogue_may_be_missing_or_empty(text: str) -> None:
    assert read({**MINIMAL, "services.yaml": text}).rules.services == {}
    assert read(MINIMAL).rules.services == {}


def test_words_that_only_look_like_true_or_false_are_words_where_words_stand() -> None:
    assert with_rules("- {name: a, match: ['country=\"no\"']}").rules.rules[0].match[0].value == "no"


# ---------------------------------------------------------------- warnings


def test_a_rule_that_ended_or_ends_within_two_weeks_is_warned_of() -> None:
    files = with_rules(
        "- {name: over, match: [a=1], until: 2026-11-22}",
        "- {name: today, match: [a=2], until: 2026-11-23}",
        "- {name: soon, match: [a=3], until: 2026-12-07}",
        "- {name: later, match: [a=4], until: 2026-12-08}",
    )

    assert warnings(files) == [
        "triage.yaml:9:37: rules[0].until: rule over ended on 2026-11-22: remove it, or move the date",
        "triage.yaml:10:38: rules[1].until: rule today ends on 2026-11-23",
        "triage.yaml:11:37: rules[2].until: rule soon ends on 2026-12-07",
    ]
    assert read({**files.files}).warnings == ()


def test_two_rules_with_the_very_same_conditions_are_warned_of() -> None:
    files = with_rules(
        "- {name: a, match: [x=1, y=2]}",
        "- {name: b, match: ['y=\"2\"', 'x=\"1\"']}",
        "- {name: c, match: [x=1, y=2], during: always}",
    )

    assert warnings(files) == [
        "triage.yaml:10:10: rules[1].name: rule b has the very conditions of a: make one of the two"
    ]


def test_a_service_without_a_team_is_warned_of() -> None:
    assert warnings(with_rules("- {name: a}", services="services: {shop: {tier: 1}}\n")) == [
        "services.yaml:1:12: services.shop: service shop has no team: its incidents go to the default team"
    ]


def test_a_default_team_that_the_catalogue_does_not_name_is_warned_of() -> None:
    assert warnings(with_rules("- {name: a}", services="teams: {platforms: {}}\n")) == [
        "services.yaml:1:9: teams.platforms: no service, no rule and no default names team platforms",
        "triage.yaml:6:67: default.team: team platform is not in services.yaml; did you mean platforms?",
    ]


# ---------------------------------------------------------------- hashes


def test_the_hash_of_a_rule_set_follows_the_texts_that_count_and_no_others() -> None:
    files = read(PRODUCT)

    assert files.hash == files.rules.hash == read({**PRODUCT, "tests/a.yaml": "x"}).hash
    assert files.files == PRODUCT
    for name, text in PRODUCT.items():
        assert read({**PRODUCT, name: text + "# edited\n"}).hash != files.hash


def test_the_hash_of_a_policy_follows_severities_and_calendars_alone() -> None:
    policy = read(PRODUCT).policy

    for name, text in PRODUCT.items():
        edited = read({**PRODUCT, name: text + "# edited\n"}).policy
        assert (edited.hash == policy.hash) == (name in ("triage.yaml", "services.yaml"))


def test_a_frozen_policy_is_read_from_its_two_texts() -> None:
    policy = read(PRODUCT).policy
    start = datetime(2026, 11, 23, 9, tzinfo=UTC)

    frozen = read_policy({name: PRODUCT[name] for name in ("severities.yaml", "calendars.yaml")})

    assert frozen.hash == policy.hash
    assert frozen.due(Severity.SEV4, Objective.RESPONSE, start) == datetime(2026, 11, 24, 9, tzinfo=UTC)
    assert read_policy({"severities.yaml": MINIMAL["severities.yaml"]}).hash == read(MINIMAL).policy.hash


@pytest.mark.parametrize("files", [{}, {"severities.yaml": ""}, {**PRODUCT, "calendars.yaml": "a: 1\n"}])
def test_a_frozen_policy_with_a_mistake_is_refused(files: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="expected"):
        read_policy(files)


# ---------------------------------------------------------------- the folder


def test_a_folder_is_read_as_its_texts(tmp_path: Path) -> None:
    for name, text in {**PRODUCT, "..data": "", "notes.txt": "\x00"}.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "templates").mkdir()

    files = load(tmp_path, today=TODAY)

    assert files.hash == read(PRODUCT).hash
    assert [finding.file for finding in files.warnings] == ["calendars.yaml"]


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    for name, text in MINIMAL.items():
        (tmp_path / name).write_text(text, encoding="utf-8-sig")

    assert load(tmp_path).hash == read(MINIMAL).hash


def test_files_that_cannot_be_read_are_found_with_all_else(tmp_path: Path) -> None:
    (tmp_path / "triage.yaml").write_bytes(b"rules:\n- name: caf\xe9\n")
    (tmp_path / "severities.yaml").write_bytes(b"#" * 2_000_000)
    (tmp_path / "services.yaml").mkdir()
    (tmp_path / "calendars.yaml").write_text("a: {}\n")

    with pytest.raises(ConfigError) as caught:
        load(tmp_path)

    assert str(caught.value).splitlines() == [
        "calendars.yaml:1:4: a: expected a key zone, got none",
        "services.yaml:1:1: expected a file that can be read, got: a folder",
        "severities.yaml:1:1: expected at most 1,048,576 bytes, got more",
        "triage.yaml:2:12: expected UTF-8, got the byte 0xe9",
    ]


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"/rules: expected a folder with rules, got: No such file or directory$"):
        load(tmp_path / "rules")


def test_holidays_are_imported_only_where_a_calendar_asks_for_them() -> None:
    program = "import sys, triaged.rulefiles; print('holidays' in sys.modules)"

    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert answer.stdout == "False\n"


# ---------------------------------------------------------------- words


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0m", 0),
        ("90s", 90),
        ("15m", 900),
        ("1h30m", 5400),
        ("3d", 259_200),
        ("2w", 1_209_600),
        ("1w2d3h4m5s", 788_645),
    ],
)
def test_a_span_is_read(text: str, seconds: int) -> None:
    assert words.span(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "15", "m", "1.5h", "15m ", "1h 30m", "1y", "-1m", "15M", "٣m"])
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a duration like 15m"):
        words.span(text)


@pytest.mark.parametrize(
    ("text", "days"), [("monday", (0,)), ("Friday-monday", (4, 5, 6, 0)), ("monday-sunday", (*range(7),))]
)
def test_weekdays_are_read(text: str, days: tuple[int, ...]) -> None:
    assert words.weekdays(text) == days


@pytest.mark.parametrize(
    ("text", "value"), [("0.95", 0.95), ("95%", 0.95), ("1", 1.0), ("100%", 1.0), ("99.5%", 0.995)]
)
def test_a_share_is_read(text: str, value: float) -> None:
    assert words.share(text) == pytest.approx(value)


@pytest.mark.parametrize("name", ["../../etc/passwd", "Europe", "", "Mars/Base", "/etc/localtime", "a\x00b"])
def test_what_is_no_time_zone_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="expected a time zone like Europe/Berlin"):
        words.zone(name)


def test_a_date_that_means_never_is_told_to_be_left_out() -> None:
    with pytest.raises(ValueError, match="for ever is said by saying no date"):
        words.day("9999-12-31")
