"""Every channel: what is sent arrives, what is not taken is a DeliveryError, and no secret is told."""

from __future__ import annotations

import importlib
import json
import re
import threading
from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message as Email
from typing import Any

import pytest

from dripping import dripping
from fakes.services import Mailbox, Receiver, mail_server
from triaged.channels import paging
from triaged.channels.apprise import Apprise
from triaged.channels.opening import by_relay, checked, open_channel, pages, service_of
from triaged.channels.paging import key
from triaged.core.model import Severity
from triaged.errors import ConfigError, DeliveryError
from triaged.ports.channel import Letter, Page, PageState, Piece, PieceKind

NASTY = "@here @everyone <!channel> <@U1> [click](http://evil.example/x) **b**"
LINK = "https://triaged.example.com/incidents/INC-1"
# What each URL leads to, with HOST:PORT in place of the service's own; "" where a service cannot be told where it is.
SERVICES = {
    "json": "json://%s/s3cret-token",
    "mattermost": "mmost://%s/3ccdd113474722377935511fc85d3dd4",
    "ntfy": "ntfy://%s/s3cret-token",
    "form": "form://%s/s3cret-token",
    "pagerduty": "pagerduty://s3cret-token?api=http://%s",
    "opsgenie": "opsgenie://s3cret-token?api=http://%s",
}


@pytest.fixture
def service() -> Iterator[Receiver]:
    with Receiver(status=200) as running:
        yield running


@pytest.fixture
def mail() -> Iterator[Mailbox]:
    with mail_server() as running:
        yield running


def ours(text: str) -> Piece:
    return Piece(kind=PieceKind.OURS, text=text)


def letter(state: PageState = PageState.TRIGGERED, **page: Any) -> Letter:
    values: dict[str, Any] = {
        "key": LINK,
        "state": state,
        "severity": Severity.SEV1,
        "summary": "INC-1 Critical: Down",
        "source": "checkout",
        "url": LINK,
    }
    return Letter(
        subject=(ours("INC-1 is open: "), Piece(kind=PieceKind.THEIRS, text=NASTY)),
        body=(
            ours("Why: "),
            Piece(kind=PieceKind.THEIRS, text=NASTY),
            ours("\nIncident: "),
            Piece(kind=PieceKind.LINK, text=LINK),
        ),
        markdown=False,
        page=Page(**{**values, **page}),
    )


# ---------------------------------------------------------------- the contract


@pytest.mark.parametrize("name", SERVICES)
def test_what_is_sent_arrives_once_with_its_link(name: str, service: Receiver) -> None:
    open_channel(SERVICES[name] % service.place).send(letter())
    assert len(service.requests) == 1
    assert b"INC-1" in service.requests[0].body


@pytest.mark.parametrize("name", SERVICES)
@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
def test_what_is_not_taken_is_told_with_its_status_and_without_the_secret(
    name: str, status: int, service: Receiver
) -> None:
    service.status = status
    channel = open_channel(SERVICES[name] % service.place)
    with pytest.raises(DeliveryError) as caught:
        channel.send(letter())
    assert not caught.value.ambiguous
    assert "s3cret" not in str(caught.value)
    assert "3ccdd113474722377935511fc85d3dd4" not in str(caught.value)
    assert str(status) in str(caught.value)


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_that_is_gone_is_a_failure(name: str) -> None:
    with Receiver() as service:
        place = service.place
    with pytest.raises(DeliveryError):
        open_channel(SERVICES[name] % place).send(letter())


@pytest.mark.parametrize("name", ["json", "mattermost", "ntfy", "form"])
def test_what_others_wrote_mentions_nobody_and_links_nowhere(name: str, service: Receiver) -> None:
    open_channel(SERVICES[name] % service.place).send(letter())
    body = service.requests[0].body.decode()
    text = body.encode().decode("unicode_escape", "replace") if "\\u" in body else body
    assert not re.search(r"@(here|everyone|U1)|<!channel|\]\(http", text)


@pytest.mark.parametrize(
    "url", ["nothing", "nosuch://x", "slack://", "pagerduty://", "pagerduty://k y?region=mars", ""]
)
def test_a_url_that_leads_nowhere_is_refused_without_being_told(url: str) -> None:
    with pytest.raises(ConfigError):
        checked(url)


# ---------------------------------------------------------------- mail


def parts(content: bytes) -> tuple[Email, str]:
    parsed = message_from_bytes(content)
    texts = [part.get_payload(decode=True) for part in parsed.walk() if not part.is_multipart()]
    return parsed, "\n".join(text.decode() for text in texts if isinstance(text, bytes))


def test_mail_arrives_at_a_real_server_with_subject_link_and_nothing_alive(mail: Mailbox) -> None:
    open_channel(f"mailto://{mail.place}?from=triaged@example.com&to=ann@example.com").send(letter())
    assert [(one.sender, one.to) for one in mail.mails] == [("triaged@example.com", ("ann@example.com",))]
    parsed, text = parts(mail.mails[0].content)
    assert f'<a href="{LINK}">' in text
    assert "evil.example" in text
    assert not re.search(r'href="http://evil', text)
    assert "INC-1" in str(parsed["Subject"])


def test_mail_that_the_server_turns_away_is_a_failure(mail: Mailbox) -> None:
    mail.refuses = True
    with pytest.raises(DeliveryError):
        open_channel(f"mailto://{mail.place}?from=triaged@example.com&to=ann@example.com").send(letter())


def test_a_persons_plain_address_is_sent_through_the_relay(mail: Mailbox) -> None:
    relay = f"mailto://{mail.place}?from=triaged@example.com"
    open_channel(by_relay("mailto://bob@example.com", relay)).send(letter())
    assert [one.to for one in mail.mails] == [("bob@example.com",)]


@pytest.mark.parametrize("url", ["mailtos://bob:pw@example.com", "mailto://bob@example.com?smtp=x", "slack://a/b/c"])
def test_a_url_that_says_how_it_is_sent_needs_no_relay(url: str) -> None:
    assert by_relay(url, "mailto://relay.example.com") == url


# ---------------------------------------------------------------- paging services


def test_pagerduty_is_told_of_an_incident_of_one_key_from_its_beginning_to_its_end(service: Receiver) -> None:
    channel = open_channel(SERVICES["pagerduty"] % service.place)
    for state in (PageState.TRIGGERED, PageState.ACKNOWLEDGED, PageState.RESOLVED):
        channel.send(letter(state))
    assert [(one.path, one.json["event_action"], one.json["dedup_key"]) for one in service.requests] == [
        ("/v2/enqueue", "trigger", LINK),
        ("/v2/enqueue", "acknowledge", LINK),
        ("/v2/enqueue", "resolve", LINK),
    ]
    first = service.bodies[0]
    assert (first["routing_key"], first["payload"]["severity"]) == ("s3cret-token", "critical")
    assert first["payload"]["summary"] == "INC-1 Critical: Down"


def test_opsgenie_is_told_of_an_alert_of_one_alias_from_its_beginning_to_its_end(service: Receiver) -> None:
    channel = open_channel(SERVICES["opsgenie"] % service.place)
    for state in (PageState.TRIGGERED, PageState.ACKNOWLEDGED, PageState.RESOLVED):
        channel.send(letter(state, severity=Severity.SEV2))
    alias = "https%3A%2F%2Ftriaged.example.com%2Fincidents%2FINC-1"
    assert [one.path for one in service.requests] == [
        "/v2/alerts",
        f"/v2/alerts/{alias}/acknowledge?identifierType=alias",
        f"/v2/alerts/{alias}/close?identifierType=alias",
    ]
    assert (service.bodies[0]["alias"], service.bodies[0]["priority"]) == (LINK, "P2")
    assert {one.headers["Authorization"] for one in service.requests} == {"GenieKey s3cret-token"}


def test_a_key_that_services_would_not_take_becomes_a_digest_that_is_always_the_same() -> None:
    assert key("x" * 255) == "x" * 255
    assert key("x" * 300) == key("x" * 300) != key("x" * 299)
    assert len(key("x" * 300)) < 60


def test_regions_are_known() -> None:
    assert pages("pagerduty://key?region=eu")
    assert checked("pagerduty://thekey?region=eu") == "pagerduty://thekey?region=eu"
    assert not pages("slack://a/b/c")
    assert service_of("json://one.example.com/a") == service_of("json://one.example.com/b")


# ---------------------------------------------------------------- time


def test_a_service_that_does_not_answer_in_time_is_left_behind_and_asked_nothing_meanwhile() -> None:
    with Receiver(slow=threading.Event()) as service:
        url = f"json://{service.place}/x?rto=20"
        with pytest.raises(DeliveryError, match="no answer within") as caught:
            Apprise(url, within=0.2).send(letter())
        assert caught.value.ambiguous
        with pytest.raises(DeliveryError, match="still on its way") as caught:
            Apprise(url, within=0.2).send(letter())
        assert not caught.value.ambiguous
        assert len(service.requests) == 1


# ---------------------------------------------------------------- chats with an address of their own

CHATS = {
    "slack": ("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/general", "NotifySlack", "webhook_url"),
    "discord": ("discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js", "NotifyDiscord", "notify_url"),
    "telegram": ("tgram://123456789:alphanumeric-token_s3cretABCDEFG/12315544", "NotifyTelegram", "notify_url"),
}


@pytest.mark.parametrize("name", CHATS)
def test_a_chat_gets_nothing_alive_of_what_others_wrote(
    name: str, service: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, plugin, attribute = CHATS[name]
    service.answer = b"ok" if name == "slack" else b'{"ok": true, "result": {}}'
    module = importlib.import_module(f"apprise.plugins.{name}")
    monkeypatch.setattr(getattr(module, plugin), attribute, f"http://{service.place}/bot")
    open_channel(url).send(letter())
    assert len(service.requests) == 1
    text = json.dumps(service.bodies[0], ensure_ascii=False)
    assert "INC-1" in text
    assert not re.search(r"@(here|everyone|U1)|<!channel|<@|\]\(http|href=\"http://evil|://evil", text)


def test_a_paging_service_that_only_drips_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "_SECONDS", 0.3)
    with dripping() as url, pytest.raises(DeliveryError, match="no answer") as raised:
        paging.post(url, {}, {})
    assert raised.value.ambiguous
    assert raised.value.reason == "timeout"
