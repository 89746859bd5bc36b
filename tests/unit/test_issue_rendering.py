"""What people read in an issue, and that nothing from outside can do anything in it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token
from msgspec.structs import replace

from building import START, entry, episode, incident, issue, minutes, report, service
from triaged.backends.document import compose, fit
from triaged.backends.issue import render
from triaged.backends.text import clean, code, link, passage, prose, table
from triaged.core.model import (
    Category,
    CloseReason,
    Entry,
    Impact,
    Key,
    Outcome,
    Process,
    Review,
    Severity,
    State,
    Tried,
    Urgency,
)
from triaged.core.problems import Problem, ProblemKind, ProblemState
from triaged.core.trace import Arithmetic, Grows
from triaged.ports.backend import Address, Report, Why

MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
OUR_HTML = re.compile(
    r"<!-- triaged:[a-z0-9]+( [a-z0-9= ]+)? -->\n?|<details>\n<summary>[\w ,?-]+</summary>\n|</details>\n?"
)
OUR_HOSTS = {"triaged.example.com", "runbooks.example.com", "grafana.example.com", "prometheus.example.com"}
OUR_HOSTS |= {"logs.example.com"}
ACTS = re.compile(
    r"@\w|#\d|(?<![^\W_])GH-\d|://|www\.|(?<![0-9a-zA-Z_])[0-9a-f]{7,40}(?![0-9a-zA-Z_])|:\w+:|\$", re.IGNORECASE
)

HOSTILE = (
    "@octocat",
    "\\@octocat",
    "&#64;octocat &commat;octocat",
    "ann@example.com",
    "fixes #123 and org/repo#1 and GH-1",
    "deadbeef1 1234567890abcdef1234567890abcdef12345678",
    "https://github.com/o/r/issues/1",
    "www.example.org _www.example.org _GH-1",
    "<!-- triaged:end -->",
    "<!-- triaged:v1 op=beef inc=12 -->",
    "--> <script>alert(1)</script> <img src=x>",
    "a | b \\| c \\\\| d |",
    "`a`` b``` @c",
    "`",
    "\\",
    "\\`@octocat`",
    "[x](javascript:alert(1)) ![y](http://e.example/z.png) [z]: http://e.example",
    "*a* _b_ **c** ~~d~~ $e$ :tada:",
    "# heading\n- item\n1. one\n> quote\n```\nfence\n---\n===",
    "a\r\nb\x00c\u202ed\u2028e\x85f",
    "| - |\n| --- |\n| x |",
    "--- | ---",
    "<https://e.example> <a@b.example>",
    "</details><details>",
    "\u200b@\u200boctocat",
)
TEXTS = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=80),
    st.lists(st.sampled_from([*"`\\|<>[]()!*_~&@#:$\n -+=1.ax", "http://e.example/", "GH-1"]), max_size=10).map(
        "".join
    ),
)


@dataclass(frozen=True, slots=True)
class Page:
    """What a browser makes of Markdown: plain text outside code, the links with their words, and all else."""

    plain: str
    links: tuple[str, ...]
    kinds: frozenset[str]
    html: tuple[str, ...]
    shown: str


def page(markdown: str) -> Page:
    tokens = [token for block in MARKDOWN.parse(markdown) for token in (block.children or [block])]
    return Page(
        plain=" ".join(_plain(tokens)),
        links=tuple(str(token.attrs["href"]) for token in tokens if token.type == "link_open"),
        kinds=frozenset(token.type for token in tokens),
        html=tuple(token.content for token in tokens if token.type.startswith("html_")),
        shown=" ".join(token.content for token in tokens if token.type in {"text", "code_inline"}),
    )


def _plain(tokens: list[Token]) -> list[str]:
    """Text runs as they stand side by side: anything between them parts words."""
    runs = [""]
    for token in tokens:
        if token.type == "text":
            runs[-1] += token.content
        else:
            runs.append("")
    return runs


def hostile(text: str) -> Report:
    """A report in which everything from outside is this text, but URLs of links."""
    labels = {"alertname": text, "pod": text, text or "x": text}
    hit = episode(
        labels=labels, annotations={**episode().annotations, "summary": text, "description": text, "value": text}
    )
    other = episode(id=2, labels={**labels, "pod": "b"}, annotations={"summary": "b", "description": text})
    return report(
        incident=incident(
            title=text,
            team=text,
            service=text,
            because=(text, text),
            matched=(text,),
            labels=(text,),
            state=State.CLOSED,
            closed_by=text,
            close_reason=CloseReason.COMPLETED,
            chosen=Severity.SEV4,
            chosen_by=text,
            firing=2,
            alerts=2,
            summary=text,
            root_cause=f"a\n{text}",
            fix=text,
            prevention=f"{text}\n{text}",
        ),
        episodes=(hit, other),
        timeline=(entry(text, by=text), entry(text)),
        service=service(name=text, functions=(text,)),
        why=why(
            rules=(Tried(rule=text, matched=True, sets={"team": text, text: text}, because=text),),
            arithmetic=replace(why().arithmetic, impact_by=(text,), urgency_by=(text, text)),
            growing=(Grows(name=text, ref=text, when=text, sets={"impact": text}, because=text, held=True),),
            keys=(Key(digest=text, pairs=((text, text),)),),
            rule_set=text,
        ),
    )


def why(**changes: Any) -> Why:
    """How INC-12's alert was judged."""
    built = Why(
        rule_set="47b8a7ad55d092227a04a2baa13e3751",
        rules=(
            Tried(
                rule="revenue-degraded",
                matched=True,
                sets={"impact": "significant", "urgency": "high"},
                because="Some purchases fail or take too long.",
            ),
        ),
        arithmetic=Arithmetic(
            impact=Impact.SIGNIFICANT,
            impact_by=("revenue-degraded",),
            urgency=Urgency.HIGH,
            urgency_by=(),
            cell=Severity.SEV2,
            at_most=None,
            at_most_by=(),
            severity=Severity.SEV2,
        ),
        growing=(),
        keys=(Key(digest="v1:1", pairs=(("service", "checkout"), ("cluster", "eu-1"))),),
        keys_left_out=0,
    )
    return replace(built, **changes)


def why_of(known: Why, **changes: Any) -> str:
    """The section of the issue, from its fold's beginning to its end."""
    shown = render(report(why=known, incident=incident(**changes))).block
    return "<details>" + shown.partition("<details>")[2].partition("</details>")[0]


def assert_harmless(markdown: str) -> Page:
    seen = page(markdown)
    assert not ACTS.search(seen.plain), seen.plain
    assert {urlsplit(url).hostname for url in seen.links} <= OUR_HOSTS
    assert "image" not in seen.kinds
    assert "fence" not in seen.kinds
    assert "code_block" not in seen.kinds
    assert not {"em_open", "s_open"} & (seen.kinds - ({"em_open"} if "*triaged keeps" in markdown else set()))
    assert all(OUR_HTML.fullmatch(html) for html in seen.html), seen.html
    return seen


# ---------------------------------------------------------------- nothing from outside acts


@settings(deadline=None)
@given(TEXTS)
def test_no_text_from_outside_forms_anything_in_an_issue(text: str) -> None:
    rendered = render(hostile(text))
    seen = assert_harmless(compose(rendered, "beef"))
    assert len(seen.links) == len(page(render(hostile("harmless")).block).links)
    rows = [line for line in rendered.block.split("\n") if line.startswith("| ")]
    tables = [token for token in MARKDOWN.parse(rendered.block) if token.type == "tr_open"]
    assert len(tables) == sum(not row.startswith("| ---") for row in rows)


@settings(deadline=None)
@given(TEXTS)
def test_no_text_from_outside_forms_anything_in_a_line_or_a_passage(text: str) -> None:
    assert_harmless(prose(text))
    assert_harmless(passage(text))
    assert_harmless(passage(text, prefix=""))
    assert_harmless(code(text))
    assert_harmless(table(("a", "b"), [(prose(text), code(text)), ("x", "y")]))


@settings(deadline=None)
@given(TEXTS)
def test_text_from_outside_reads_as_it_was_written(text: str) -> None:
    expected = bare(clean(text))
    assert bare(page(f"x {prose(text)}").shown) == f"x{expected}"
    assert bare(page(table(("x",), [(prose(text),)])).shown) == f"x{expected}"
    assert bare(page(table(("x",), [(code(text),)])).shown) == f"x{expected or '—'}"


def bare(text: str) -> str:
    return "".join(text.replace("\u200b", "").split())


@pytest.mark.parametrize("text", HOSTILE)
def test_a_title_mentions_nobody_and_has_no_line_of_its_own(text: str) -> None:
    heading = issue(title=text).title
    assert heading.startswith("INC-12")
    assert not re.search(r"@\w|#\d|(?<![^\W_])GH-\d", heading)
    assert heading.isprintable() or "\u200b" in heading
    assert not re.search("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", heading)


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "//e.example/x",
        "/relative",
        "ftp://e.example",
        "https://user:secret@e.example/",
        "https://",
        "http://[::1",
        "see the wiki",
        "https://e.example/" + "x" * 3_000,
        "https://ex\u00e4mple.example/",
        "",
    ],
)
def test_what_is_no_plain_web_address_is_not_linked(url: str) -> None:
    assert link("runbook", url) is None


@pytest.mark.parametrize(
    "url",
    [
        "https://e.example/a)b](c)[d]<e>",
        'https://e.example/"q" `code` |pipe|',
        "https://e.example/?a=1&lt;=2&copy;",
        "https://e.example/100%/%41",
        "http://e.example/@octocat#1",
        "http://[::1]:9090/graph",
        "https://e.example/\u202egnp.exe",
        "https://e.example/a\\b\nc",
    ],
)
def test_a_link_from_outside_stays_one_link_with_our_words(url: str) -> None:
    markdown = link("runbook", url)
    assert markdown is not None
    seen = page(table(("a",), [(markdown,)]))
    assert len(seen.links) == 1
    assert seen.shown.split() == ["a", "runbook"]
    assert urlsplit(seen.links[0]).hostname in {"e.example", "::1"}
    assert "@" not in markdown


def test_a_link_keeps_its_query() -> None:
    url = "https://prometheus.example.com/graph?g0.expr=sum%28x%29+%3E+0.01&g0.tab=1&lt=2"
    assert page(str(link("graph", url))).links == (url,)


def test_a_link_to_an_issue_adds_nothing_to_that_issue() -> None:
    assert link("runbook", "https://github.com/o/r/issues/1") == "[runbook](https://redirect.github.com/o/r/issues/1)"
    assert link("runbook", "https://github.com/o/r/wiki") == "[runbook](https://github.com/o/r/wiki)"


def test_a_runbook_that_is_no_address_is_shown_as_text() -> None:
    shown = render(report(episodes=(episode(annotations={"runbook": "wiki, page 12"}),), service=None)).block
    assert "runbook: wiki, page 12" in shown


# ---------------------------------------------------------------- what it says


def test_the_first_lines_say_severity_state_what_since_when_and_why() -> None:
    top = issue(follows=9).block.split("####", 1)[0]
    assert top.startswith("### Sev-2 High · open, not acknowledged\n\n> 7 % of checkout's requests fail.")
    assert "since 2026-11-23 03:00 UTC, opened 03:01 UTC" in top
    assert "**Why Sev-2:** Some purchases fail or take too long. (impact significant × urgency high" in top
    assert "by rule `revenue-degraded`" in top
    assert "tier 1, used by most, carries revenue, functions: payment" in top
    assert "[INC-9](https://triaged.example.com/incidents/INC-9)" in top


def test_a_severity_that_a_person_chose_is_shown_beside_the_judged_one() -> None:
    shown = issue(severity=Severity.SEV4, judged=Severity.SEV1, chosen=Severity.SEV4, chosen_by="ann").block
    assert shown.startswith("### Sev-4 Low")
    assert "**Why Sev-4 by ann, judged Sev-1:**" in shown


def test_an_unmatched_incident_says_that_no_rule_matched() -> None:
    assert (
        "impact moderate × urgency high, no rule matched" in issue(because=(), matched=(), impact=Impact.MODERATE).block
    )


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (
            State.OPEN,
            "`triaged incidents ack INC-12` or POST to `https://triaged.example.com/api/v1/incidents/INC-12/ack`",
        ),
        (State.ACKNOWLEDGED, "`triaged incidents resolve INC-12`"),
        (State.VERIFYING, "#### Where to look"),
        (State.RESOLVED, "`triaged incidents close INC-12`"),
        (State.CLOSED, "#### Where to look"),
    ],
)
def test_every_state_says_what_to_do_next_and_where_to_look(state: State, said: str) -> None:
    shown = issue(state=state, acknowledged_by="ann", closed_by="ann").block
    assert said in shown
    assert "[dashboard](https://grafana.example.com/d/checkout)" in shown
    assert "[graph](https://prometheus.example.com/" in shown
    assert "[logs of `checkout`](https://logs.example.com/checkout)" in shown
    assert "[INC-12](https://triaged.example.com/incidents/INC-12)" in shown


@pytest.mark.parametrize(
    ("state", "said"), [(State.OPEN, "/ack"), (State.ACKNOWLEDGED, "/resolve"), (State.RESOLVED, "/close")]
)
def test_where_comments_are_read_they_are_the_way_to_act(state: State, said: str) -> None:
    shown = render(report(incident=incident(state=state, acknowledged_by="ann"), by_comment=True)).block
    assert f": comment `{said}`" in shown
    assert "All that you can do here: comment `/help`" in shown
    assert "triaged incidents" not in shown
    assert "POST" not in shown


def test_a_runbook_of_alert_and_catalogue_is_named_once() -> None:
    assert issue().block.count("https://runbooks.example.com/checkout") == 1


def test_a_link_template_of_the_catalogue_is_not_shown_unfilled() -> None:
    shown = render(report(service=service(links={"logs": "https://logs.example.com/?from={{ from }}"}))).block
    assert "logs.example.com" not in shown


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "| Response | 1h | 2026-11-23 04:01 UTC | running |"),
        ({"response_at_risk": True}, "| Response | 1h | 2026-11-23 04:01 UTC | **at risk** |"),
        ({"resolution_outcome": Outcome.BREACHED}, "| Resolution | 8h | 2026-11-23 11:01 UTC | **breached** |"),
        ({"response_outcome": Outcome.NOT_REQUIRED}, "| not required |"),
        (
            {"response_outcome": Outcome.MET, "acknowledged_at": minutes(5)},
            "| met, acknowledged 2026-11-23 03:05 UTC |",
        ),
        ({"resolution_outcome": Outcome.MET, "restored_at": minutes(9)}, "| met, restored 2026-11-23 03:09 UTC |"),
        ({"state": State.VERIFYING}, "| waits while it is watched |"),
    ],
)
def test_each_objective_shows_target_due_instant_and_outcome(changes: dict[str, object], said: str) -> None:
    assert said in issue(**changes).block


def test_the_table_shows_what_the_alerts_differ_in_and_tells_the_rest_once() -> None:
    alerts = tuple(episode(id=number, pod=f"pod-{number}", starts_at=minutes(number)) for number in (1, 2))
    shown = render(report(incident=incident(firing=2, alerts=2), episodes=alerts)).block
    assert "#### What fires: 2 alerts" in shown
    assert "All of them: `HighErrorRate` `cluster=eu-1` `deployment=checkout` `namespace=shop`" in shown
    assert (
        "| `pod=pod-2` | 03:02 | pod-2 has answered 7 % of its requests with a 5xx for 2 minutes. | [graph](" in shown
    )


def test_a_storm_shows_twenty_rows_and_says_how_many_more_there_are() -> None:
    alerts = tuple(episode(id=number, pod=f"pod-{number}") for number in range(1, 60))
    shown = render(report(incident=incident(firing=1_254, alerts=1_300), episodes=alerts)).block
    assert "#### What fires: 1,254 of 1,300 alerts" in shown
    assert shown.count("| `pod=") == 20
    assert "… and 1,234 more: see [INC-12](https://triaged.example.com/incidents/INC-12)." in shown


def test_alerts_that_ended_are_shown_with_their_end_and_day_where_the_days_differ() -> None:
    ended = episode(ended_at=START + timedelta(days=1))
    shown = render(report(incident=incident(state=State.VERIFYING, firing=0), episodes=(ended,))).block
    assert "#### Nothing fires; what fired: 1 alert" in shown
    assert "| Since, UTC | Ended, UTC |" in shown
    assert "2026-11-24\u00a003:00" in shown


def test_an_incident_without_episodes_is_still_a_whole_issue() -> None:
    shown = render(
        report(episodes=(), timeline=(), service=None, incident=incident(service="", firing=0, alerts=0))
    ).block
    assert "**Service:** not in the catalogue" in shown
    assert "#### Targets" in shown


def test_a_person_s_close_while_alerts_fire_is_told_at_the_top() -> None:
    shown = issue(state=State.CLOSED, closed_by="ann", close_reason=CloseReason.NOT_PLANNED, firing=3, alerts=3).block
    assert shown.startswith("### Sev-2 High · closed by ann (not planned)\n\n**Closed, and 3 alerts still fire.**")


def test_what_people_recorded_keeps_its_lines() -> None:
    shown = issue(root_cause="A bad deploy.\n\nNobody looked.", prevention="A canary.").block
    assert "#### Root cause\n\n> A bad deploy.\\\n> Nobody looked." in shown
    assert "#### Prevention\n\n> A canary." in shown
    assert "#### Fix" not in shown


def test_the_timeline_is_folded_and_shows_the_newest_thirty_first() -> None:
    entries = tuple(entry(f"entry {number}.", after=number) for number in range(40))
    for order in (entries, entries[::-1]):
        fold = render(report(timeline=order)).block.split("<summary>", 1)[1]
        assert re.findall(r"entry (\d+)\.", fold) == [str(number) for number in range(39, 9, -1)]


def test_why_the_severity_is_folded_and_tells_the_sum_the_rules_the_keys_and_the_rule_set() -> None:
    assert why_of(why()) == (
        "<details>\n<summary>Why Sev-2?</summary>\n\n"
        "Impact **significant** (`revenue-degraded`) × urgency **high** (the default) = **Sev-2**\n\n"
        "| Rule | Sets | Because |\n"
        "| --- | --- | --- |\n"
        "| `revenue-degraded` | impact `significant`, urgency `high` | Some purchases fail or take too long. |\n\n"
        "- Alerts belong here by `service=checkout` `cluster=eu-1`\n\n"
        "Rules `47b8a7ad55d0`. Every rule that was tried: `triaged explain INC-12` or "
        "[INC-12](https://triaged.example.com/incidents/INC-12).\n\n"
    )


def test_a_limit_and_growth_are_told_in_the_fold() -> None:
    limited = replace(why().arithmetic, at_most=Severity.SEV4, at_most_by=("staging",), severity=Severity.SEV4)
    grows = Grows(
        name="r#0",
        ref="r#v1:0",
        when="3 different values of pod",
        sets={"impact": "minor"},
        because="Many.",
        held=False,
    )
    shown = why_of(
        why(arithmetic=limited, growing=(grows, replace(grows, held=True, because=""))), judged=Severity.SEV4
    )
    assert "= **Sev-2**, at most Sev-4 (`staging`): **Sev-4**" in shown
    assert "- Grows to impact `minor` at 3 different values of pod (`r#0`): Many." in shown
    assert "- Grew to impact `minor` at 3 different values of pod (`r#0`)\n" in shown


def test_a_severity_that_was_judged_earlier_is_told_with_its_rules() -> None:
    assert "earlier, by `grave`; the daemon never lowers it." in why_of(why(), judged=Severity.SEV1, matched=("grave",))
    assert "Judged Sev-1 earlier, by the default" in why_of(why(), judged=Severity.SEV1, matched=())
    assert "earlier" not in why_of(why())


def test_many_rules_keys_and_conditions_are_cut_with_an_honest_count() -> None:
    one, grows = why().rules[0], Grows(name="r#0", ref="r#v1:0", when="2 alerts", sets={}, because="", held=False)
    shown = why_of(why(rules=(one,) * 14, growing=(grows,) * 7, keys_left_out=3))
    assert shown.count("| `revenue-degraded` |") == 10
    assert "… and 4 more rules." in shown
    assert "- … and 2 more conditions" in shown
    assert "- … and by 3 more keys" in shown


def test_where_no_rule_matched_the_fold_has_no_table() -> None:
    assert "| Rule |" not in why_of(why(rules=()))


def test_without_the_rules_that_judged_it_there_is_no_such_fold() -> None:
    assert "<summary>Why" not in issue().block


def test_a_block_without_room_loses_whole_folds_and_says_so() -> None:
    whole = render(report(why=why(rules=why().rules * 10, keys_left_out=2))).block
    folds = []
    for most in range(len(whole) - 1, 600, -40):
        cut = fit(whole, most)
        assert len(cut) <= most
        assert cut.count("<details>") == cut.count("</details>")
        assert "*Shortened: " in cut
        folds.append(cut.count("<details>"))
    assert {0, 1, 2} == set(folds)


def test_where_it_was_published_before_is_told_in_the_issue() -> None:
    former = entry("was published at https://github.com/acme/old/issues/7 before", entry=Entry.PUBLISHED)
    assert "acme/old/issues/7" in render(report(timeline=(*report().timeline, former))).block.replace("\u200b", "")


def test_people_s_part_has_the_closure_checklist_and_room_for_notes() -> None:
    part = issue().people
    assert part.count("- [ ] ") == 1, "what facts tick stands in the daemon's part"
    assert part.endswith("## Notes\n")


def test_labels_are_ours_then_the_rules_each_once_and_within_github_s_limits() -> None:
    labels = issue(labels=("Severity: SEV2", "a, b", "x" * 80, *(f"l{number}" for number in range(30)))).labels
    assert labels[:4] == ("severity: sev2", "team: payments", "category: degradation", "a b")
    assert len(labels) == 20
    assert all(0 < len(label) <= 50 for label in labels)


def test_a_restricted_incident_shows_title_and_link_only() -> None:
    secret = "isolate-host-17"
    hidden = render(
        report(
            incident=incident(
                restricted=True, category=Category.SECURITY, summary=secret, labels=(secret,), team=secret
            ),
            episodes=(episode(pod=secret),),
            timeline=(entry(secret),),
        )
    )
    assert secret not in repr(hidden)
    assert "https://triaged.example.com/incidents/INC-12" in hidden.block
    assert hidden.title == "INC-12 HighErrorRate · checkout · eu-1"
    assert hidden.labels == ()


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({}, True),
        ({"state": State.CLOSED, "closed_by": "ann"}, False),
        ({"urgency": Urgency.CRITICAL}, False),
        ({"labels": ("new",)}, False),
        ({"grown": ("rule#0",)}, True),
        ({"resolution_at_risk_at": minutes(400)}, True),
    ],
)
def test_the_digest_changes_exactly_when_something_would_be_written(changes: dict[str, object], same: bool) -> None:
    assert (issue(**changes).digest == issue().digest) is same


@pytest.mark.parametrize("severity", Severity)
def test_sev1_and_sev2_are_urgent(severity: Severity) -> None:
    assert issue(severity=severity).urgent is (severity in (Severity.SEV1, Severity.SEV2))


def test_an_issue_of_endless_texts_stays_within_the_limits_and_its_markdown_whole() -> None:
    big = hostile("🔥`|@x " * 30_000)
    many = tuple(
        replace(big.episodes[0], id=number, generator_url="https://e.example/" + "x" * 1_900) for number in range(60)
    )
    rendered = render(
        replace(big, episodes=many, timeline=big.timeline * 40, incident=replace(big.incident, firing=60, alerts=60))
    )
    body = compose(rendered, "beef")
    assert len(rendered.title) <= 256
    assert len(body) <= 65_000
    assert len(body.encode()) <= 262_000
    seen = page(body)
    assert all(OUR_HTML.fullmatch(html) for html in seen.html)
    assert "Users confirm that it works" in seen.plain


def firing_in(*namespaces: str, firing: int = 0) -> Report:
    told = report(incident=incident(firing=firing or len(namespaces)))
    return replace(told, episodes=tuple(episode(labels={"namespace": name}) for name in namespaces))


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (firing_in("web", "shop", "web"), ("namespace: shop", "namespace: web")),
        (firing_in("a", "b", "c", "d", "e", "f"), ()),
        (firing_in("web", "shop", firing=90), ()),
        (firing_in("web", "web", firing=90), ("namespace: web",)),
        (firing_in("", "\u200b"), ()),
        (firing_in("a,b\n@octocat"), ("namespace: a b @octocat",)),
        (firing_in("x" * 80), (f"namespace: {'x' * 38}…",)),
    ],
)
def test_labels_of_alerts_become_labels_of_the_issue_where_they_are_few(
    told: Report, expected: tuple[str, ...]
) -> None:
    labels = render(told, ("namespace", "cluster")).labels
    assert tuple(label for label in labels if label.startswith("namespace")) == expected
    assert all(len(label) <= 50 for label in labels)


def test_nothing_of_a_hidden_incident_becomes_a_label_or_an_assignee() -> None:
    hidden = replace(firing_in("web"), hidden=True, assignees=("ann-acme",))
    found = render(hidden, ("namespace",))
    assert (found.labels, found.assignees) == ((), ())
    assert replace(found, assignees=("ann-acme",)).digest != found.digest


def test_an_issue_leads_to_those_of_its_review_and_its_problem_without_a_reference() -> None:
    def at(number: int) -> Address:
        url = f"https://github.com/acme/incidents/issues/{number}"
        return Address(backend="github", repository="acme/incidents", number=number, url=url)

    review = Review(number=31, severity=Severity.SEV2, begun_at=START, opens_at=START, due_at=minutes(60))
    told = report(incident=incident(state=State.RESOLVED, process=Process(review=review)))
    problem = Problem(
        id=40,
        cause="key:k",
        kind=ProblemKind.RECURRING,
        state=ProblemState.OPEN,
        title="HighErrorRate",
        because="twice in a week",
        key="k",
        service="",
        category=Category.ERROR,
        team="payments",
        restricted=False,
        opened_at=START,
        incidents=2,
    )
    block = render(replace(told, problem=problem, review_at=at(4), problem_at=at(5))).block
    assert "**Review:** [REV-31](https://redirect.github.com/acme/incidents/issues/4), to be held by" in block
    assert "(2 incidents) · [its issue](https://redirect.github.com/acme/incidents/issues/5)" in block
    assert "**Review:** REV-31, to be held by" in render(replace(told, problem=problem)).block
