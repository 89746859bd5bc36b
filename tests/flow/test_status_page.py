"""The status page: what stakeholders see, in words of theirs, and what they must not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from pathlib import Path

import pytest

from web_desk import WebDesk

ONE = "/api/v1/incidents/INC-1"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[WebDesk]:
    desk = WebDesk(tmp_path)
    yield desk
    desk.close()


def text(desk: WebDesk) -> str:
    answer = desk.get("/status")
    assert answer.status_code == 200, answer.text
    body = re.sub(r"<(head|script|style)\b.*?</\1>", " ", answer.text, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


def after(desk: WebDesk, minutes: float) -> None:
    desk.pass_time(timedelta(minutes=minutes))


def test_with_nothing_open_everything_works(desk: WebDesk) -> None:
    assert "Everything works." in text(desk)


def test_a_service_with_an_incident_is_shown_in_words_that_are_no_alerts(desk: WebDesk) -> None:
    annotations = {"summary": "secret-summary"}
    desk.fire("PodCrashLooping", grave="1", app="checkout", pod="cart-7f9", annotations=annotations)
    page = text(desk)
    assert "outage checkout" in page
    assert "checkout: outage" in page
    assert "A function that business depends on is not available." in page
    assert "Investigating" in page
    for word in ("PodCrashLooping", "cart-7f9", "secret-summary", "Nobody can pay.", "payments", "grave"):
        assert word not in desk.get("/status").text


def test_a_service_that_the_catalogue_does_not_know_is_no_word_of_the_page(desk: WebDesk) -> None:
    desk.fire("A", grave="2", service="internal-thing")
    page = text(desk)
    assert "Other systems: serious disruption" in page
    assert "internal-thing" not in page
    assert "works checkout" in page


def test_an_update_is_published_with_what_is_expected_and_when_the_next_one_is(desk: WebDesk) -> None:
    desk.fire("A", grave="1", app="checkout")
    body = {"text": "A <i>bad</i> release.", "status": "Identified", "impact": "Carts are empty.", "eta": "2h"}
    desk.post(f"{ONE}/update", {**body, "next_steps": "We roll back.", "by": "ann"})
    after(desk, 5)
    desk.post(f"{ONE}/update", {"text": "Rolled back.", "by": "ann"})
    desk.post(f"{ONE}/workaround", {"text": "Reload."})
    page = text(desk)
    assert page.index("Rolled back.") < page.index("A <i>bad</i> release.")
    for words in ("Identified since", "Impact: Carts are empty.", "Next steps: We roll back.", "Workaround Reload."):
        assert words in page
    assert "Expected to work again 2026-11-23 10:00 UTC" in page
    assert "Next update when there is news" in page
    assert "ann" not in page.split()


def test_updates_of_the_round_before_are_not_shown_again(desk: WebDesk) -> None:
    desk.fire("A", grave="1", app="checkout")
    desk.post(f"{ONE}/update", {"text": "Old news."})
    desk.post(f"{ONE}/close")
    after(desk, 5)
    desk.post(f"{ONE}/reopen")
    assert "Old news." not in text(desk)


def test_an_expectation_that_has_passed_says_so(desk: WebDesk) -> None:
    desk.fire("A", grave="1", app="checkout")
    desk.post(f"{ONE}/eta", {"in": "10m"})
    after(desk, 11)
    assert "2026-11-23 08:10 UTC, which has passed" in text(desk)


def test_what_is_verified_works_again_and_is_watched(desk: WebDesk) -> None:
    desk.fire("A", grave="1", app="checkout")
    desk.resolve("A", grave="1", app="checkout")
    page = text(desk)
    assert "Monitoring" in page
    assert "Works again since 2026-11-23 08:00 UTC, and is being watched" in page


def test_what_was_resolved_lately_is_listed_with_the_summary_of_a_person(desk: WebDesk) -> None:
    desk.fire("A", grave="1", app="checkout")
    after(desk, 60)
    desk.post(f"{ONE}/close", {"summary": "A bad release."})
    page = text(desk)
    assert "Everything works." in page
    assert "checkout: outage works again since 2026-11-23 09:00 UTC , after 1 h A bad release." in page
    after(desk, 8 * 1_440)
    assert "A bad release." not in text(desk)


def test_false_alarms_are_not_listed(desk: WebDesk) -> None:
    desk.fire("A", grave="1", app="checkout")
    desk.post(f"{ONE}/close", {"reason": "false_alarm", "summary": "A test."})
    assert "A test." not in text(desk)


@pytest.mark.parametrize("acts", [(), ("close",)], ids=["open", "closed"])
def test_nothing_of_a_restricted_incident_is_shown(desk: WebDesk, acts: tuple[str, ...]) -> None:
    desk.fire("Intrusion", intruder="yes", app="checkout")
    desk.post(f"{ONE}/update", {"text": "Somebody is in."})
    for act in acts:
        desk.post(f"{ONE}/{act}", {"summary": "Somebody was in."})
    page = text(desk)
    assert "Everything works." in page
    for word in ("Intrusion", "Somebody", "INC-1"):
        assert word not in page


def test_what_is_folded_is_told_of_by_its_parent(desk: WebDesk) -> None:
    desk.fire("A", grave="1", app="checkout")
    desk.fire("B", grave="4")
    desk.post("/api/v1/incidents/INC-2/merge", {"into": "INC-1"})
    assert "INC-2" not in text(desk)


def test_planned_work_is_listed_with_its_reason_and_without_its_matchers(desk: WebDesk) -> None:
    body = {"match": ['cluster="eu-1"'], "for": "2h", "reason": "New disks.", "from": "2026-11-24T22:00Z"}
    assert desk.post("/api/v1/maintenance", body).status_code < 300
    page = text(desk)
    assert "planned 2026-11-24 22:00 UTC to 2026-11-25 00:00 UTC New disks." in page
    assert "eu-1" not in page


def test_an_unreadable_store_gives_a_page_that_says_so(desk: WebDesk) -> None:
    desk.store.close()
    desk.break_store()
    answer = desk.get("/status")
    assert answer.status_code == 503
    assert "<html" in answer.text
