"""Whether GitHub lets us do what publishing needs: who we are there, which permission is missing, and where to set it.

Nothing that is asked leaves a trace: that issues and labels can be written is shown by ones that GitHub cannot take,
for it looks at permissions first. Only `write_probe` really writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from triaged.backends.github.administration import Administration, Place, Who
from triaged.backends.github.wire import IssueChange, NewIssue
from triaged.errors import DeliveryError
from triaged.ports.probe import Probed, Standing, doubtful, failing, fine

WHAT: Final = "github"
CLASSIC: Final = "a classic token"
PROBE_TITLE: Final = "triaged check --live --write-probe"
PROBE_BODY: Final = (
    "`triaged check --live --write-probe` opened this issue to see whether issues and labels can be written, and "
    "closes it at once. It tells of no incident."
)
PROBE_LABEL: Final = "severity: sev4"
_EXPIRES_SOON: Final = timedelta(days=14)
_GAP_SECONDS: Final = 1.0
# https://github.blog/engineering/platform-security/behind-githubs-new-authentication-token-formats/
_KINDS: Final = {
    "github_pat_": "a fine-grained token",
    "ghp_": CLASSIC,
    "gho_": "an OAuth token",
    "ghu_": "a token that an App got for a user",
    "ghs_": "an App's installation token",
}
_UNKNOWN: Final = "a token"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """What shows who we are: `kind` in words, "" where we come as an App; `api_url` tells to which GitHub."""

    api_url: str
    kind: str = ""

    @property
    def site(self) -> str:
        """The address of the pages for people, without a trailing slash."""
        parts = urlsplit(self.api_url)
        host = "github.com" if parts.hostname == "api.github.com" else parts.netloc
        return f"{parts.scheme}://{host}"

    @property
    def page(self) -> str:
        """Where a person changes what the credential may do."""
        if not self.kind:
            return f"{self.site}/settings/apps, or that of the organization"
        return f"{self.site}/settings/{'tokens' if self.kind == CLASSIC else 'personal-access-tokens'}"


def kind_of(token: str) -> str:
    """What a token is, by the beginning that GitHub gives it."""
    return next((words for beginning, words in _KINDS.items() if token.startswith(beginning)), _UNKNOWN)


def probe_credential(client: Administration, credential: Credential, now: datetime) -> Iterator[Probed]:
    """Who we are there, and for how long."""
    try:
        if not credential.kind:
            yield fine(WHAT, f"asked as {client.whoami().login}, a GitHub App")
            return
        who = client.who()
    except DeliveryError as error:
        if error.reason == "forbidden":
            hint = "it ends an hour after it was made: configure the App itself (backend.github.app)"
            yield doubtful(WHAT, f"asked by {credential.kind}, which is nobody's account", hint)
        else:
            yield failing(WHAT, str(error), _hint(error, credential))
    else:
        yield _account(who, credential.kind)
        yield from _validity(who, credential, now)


def _account(who: Who, kind: str) -> Probed:
    said = f"asked as {who.account.login}, by {kind}"
    if kind == CLASSIC:
        why = "it may do whatever this user may, in every repository: use a GitHub App, or a fine-grained token"
    else:
        why = (
            "where that is a person, it ends when the person leaves, and shares the person's limits: use a GitHub App, "
            "or an account of the daemon's own"
        )
    return doubtful(WHAT, said, why)


def _validity(who: Who, credential: Credential, now: datetime) -> Iterator[Probed]:
    expires_at = _instant(who.expires)
    if expires_at is not None and expires_at - now < _EXPIRES_SOON:
        left = f"the token expires at {expires_at:%Y-%m-%d %H:%M} UTC"
        yield doubtful(WHAT, left, f"make a new one at {credential.page}")
    if who.scopes is not None and not {"repo", "public_repo"} & {*who.scopes}:
        scopes = ", ".join(who.scopes) or "none"
        hint = f"give it repo, or for public repositories public_repo, at {credential.page}"
        yield failing(WHAT, f"the classic token has none of the scopes that writing needs, but {scopes}", hint)


def _instant(text: str) -> datetime | None:
    """`2026-12-24 09:00:00 UTC`, or with an offset in place of the zone's name."""
    try:
        at = datetime.fromisoformat(text.replace(" UTC", "+00:00").replace(" +", "+").replace(" -", "-"))
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def probe_repository(client: Administration, repository: str, credential: Credential) -> Iterator[Probed]:
    """Whether issues can be read and written there, and whether labels stick."""
    try:
        place = client.place(repository)
        if place.full_name.lower() != repository.lower():
            hint = "change the name where it is configured: the old one may be given to another repository"
            yield doubtful(repository, f"it is called {place.full_name} now", hint)
        if place.archived:
            yield failing(repository, "it is archived, and takes nothing", f"unarchive it at {place.html_url}/settings")
        elif not place.has_issues:
            yield failing(repository, "issues are switched off", f"switch them on at {place.html_url}/settings")
        else:
            client.try_reading(place.full_name)
            found = [*_writing(client, repository, place, credential)]
            yield from found
            if all(one.standing is not Standing.ERROR for one in found):
                yield from _asking(client, repository, place)
    except DeliveryError as error:
        yield failing(repository, str(error), _hint(error, credential))


def _writing(client: Administration, repository: str, place: Place, credential: Credential) -> Iterator[Probed]:
    refused = _refusal(lambda: client.try_issue(place.full_name))
    if refused is not None:
        yield failing(repository, f"no issues can be written: {refused}", _hint(refused, credential))
        return
    refused = _refusal(lambda: client.try_label(place.full_name))
    if refused is None:
        yield fine(repository, "issues can be read and written, labels stick")
        return
    words = f"issues can be written, but labels would be dropped without a word: {refused}"
    if place.permissions is not None and place.permissions.triage and refused.reason in ("forbidden", "not_found"):
        hint = "who may only triage cannot make labels: let somebody who may write run triaged github setup"
        yield doubtful(repository, f"labels can be put on issues, but not be made: {refused}", hint)
    else:
        yield failing(repository, words, f"the account has to be allowed to write; {_hint(refused, credential)}")


def _asking(client: Administration, repository: str, place: Place) -> Iterator[Probed]:
    """Whether it is told who may do what there; of whom that is asked does not matter."""
    refused = _refusal(lambda: client.permission(place.full_name, place.full_name.partition("/")[0]))
    if refused is not None and refused.reason == "forbidden":
        hint = "nobody's commands in comments are done, nor do people's issues count as reports: allow it to push"
        yield doubtful(repository, f"it is not told who may do what: {refused}", hint)


def _refusal(ask: Callable[[], object]) -> DeliveryError | None:
    """Why we may not; None where GitHub only disliked what was asked, as it has to."""
    try:
        ask()
    except DeliveryError as error:
        return None if error.reason == "invalid" else error
    return None


def write_probe(client: Administration, repository: str, pause: Callable[[float], None]) -> Iterator[Probed]:
    """Open an issue with a label, read back what became of it, and close it: this leaves a closed issue behind."""
    new = NewIssue(title=PROBE_TITLE, body=PROBE_BODY, labels=(PROBE_LABEL,))
    try:
        made = client.create_issue(repository, new).value
    except DeliveryError as error:
        hint = f"an issue {PROBE_TITLE!r} may be there all the same: close it" if error.ambiguous else ""
        yield failing(repository, f"no issue was written: {error}", hint)
        return
    if PROBE_LABEL in {name.lower() for name in made.label_names}:
        yield fine(repository, f"wrote issue {made.html_url}, and its label stuck")
    else:
        hint = "the account has to be allowed to write to the repository"
        yield failing(repository, f"wrote issue {made.html_url}, and its label was dropped", hint)
    pause(_GAP_SECONDS)
    try:
        client.update_issue(repository, made.number, IssueChange(state="closed", state_reason="not_planned"))
    except DeliveryError as error:
        yield failing(repository, f"{made.html_url} could not be closed: {error}", "close it by hand")


def _hint(error: DeliveryError, credential: Credential) -> str:
    """What to do about a refusal."""
    page = credential.page
    match error.reason:
        case "unauthorized":
            return f"the credential is wrong, expired or revoked: make a new one at {page}"
        case "forbidden":
            return f"give it the permissions issues: read and write, metadata: read at {page}"
        case "not_found":
            return f"there is no such repository, or the credential may not see it: let it see the repository at {page}"
        case "not_installed":
            return f"install the App on the repository's owner, with this repository, at {page}"
        case "rate_limited" | "secondary_limit":
            return "wait, and ask again; if often, give the daemon an account of its own"
        case "connection" | "timeout":
            return "is api_url right, and may this machine reach it?"
        case _:
            return "see docs/github.md, When publishing fails"
