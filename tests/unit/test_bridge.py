"""A service that makes bridges is asked once and again; whatever it answers, only a plain URL comes of it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from dripping import dripping
from fakes.services import Receiver
from triaged.errors import DeliveryError
from triaged.workers import bridge

FACTS = {"incident": "INC-7", "title": "It burns"}
MADE = b'{"url": "https://meet.example.com/abc?pwd=1"}'


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with Receiver(answer=MADE) as running:
        yield running


def ask(hook: Receiver) -> str:
    return bridge.ask(f"http://{hook.place}/make?key=s3cret", FACTS, "k7")


def test_it_is_asked_with_the_facts_and_a_key_and_its_url_is_the_bridge(hook: Receiver) -> None:
    assert ask(hook) == "https://meet.example.com/abc?pwd=1"
    (request,) = hook.requests
    headers = {name.lower(): value for name, value in request.headers.items()}
    assert (request.json, headers["idempotency-key"]) == (FACTS, "k7")
    assert headers["content-type"] == "application/json"


@pytest.mark.parametrize("status", [301, 400, 404, 500])
def test_another_status_is_a_failure_and_no_redirect_is_followed(hook: Receiver, status: int) -> None:
    hook.status = status
    with pytest.raises(DeliveryError, match=f"expected 200 of the bridge's hook, got {status}"):
        ask(hook)
    assert len(hook.requests) == 1


@pytest.mark.parametrize("answer", [b"", b"\xff", b"[]", b"{}", b'{"url": 7}', b'{"url":"' + b"x" * 2_000_000 + b'"}'])
def test_an_answer_without_a_url_is_a_failure(hook: Receiver, answer: bytes) -> None:
    hook.answer = answer
    with pytest.raises(DeliveryError, match='expected JSON with a "url" of the bridge'):
        ask(hook)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "meet.example.com/a",
        "javascript:alert(1)",
        "https://meet.example.com/a b",
        "https://meet.example.com/a)[x](https://evil.example.com",
        "https://meet.example.com/<script>",
        "https://meet.example.com/a\nb",
        "https://user@evil.example.com/",
        "https://meet.example.com/ä",
        f"https://meet.example.com/{'x' * 500}",
    ],
)
def test_a_url_that_could_be_more_than_that_is_refused(hook: Receiver, url: str) -> None:
    hook.answer = json.dumps({"url": url}).encode()
    with pytest.raises(DeliveryError, match="expected a URL of at most 500 plain characters"):
        ask(hook)


def test_whoever_answers_a_bit_at_a_time_is_given_up_and_nothing_of_the_secret_is_said() -> None:
    with dripping() as url, pytest.raises(DeliveryError) as refused:
        bridge.ask(f"{url}/s3cret", FACTS, "k7", seconds=0.2)
    assert (refused.value.ambiguous, "s3cret" in str(refused.value)) == (True, False)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/s3cret", "http://[::1/s3cret"])
def test_a_service_that_cannot_be_reached_is_a_failure(url: str) -> None:
    with pytest.raises(DeliveryError) as refused:
        bridge.ask(url, FACTS, "k7")
    assert "s3cret" not in str(refused.value)
