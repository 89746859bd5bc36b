"""The fake's issues: create, read, list, update, assign."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from fakes.github.exchange import Answer, Call, Refusal, forbidden, invalid, moment
from fakes.github.labels import label_names
from fakes.github.state import CloseReason, Issue

TITLE_LENGTH = 256
BODY_LENGTH = 65_536
CLOSE_REASONS: Mapping[str | None, CloseReason] = {
    None: "completed",
    "completed": "completed",
    "not_planned": "not_planned",
    "duplicate": "duplicate",
}


def create_issue(call: Call) -> Answer:
    """201. Without push access labels and assignees are silently dropped, as the description says."""
    fields = call.fields
    if "title" not in fields:
        raise Refusal(422, 'Invalid request.\n\n"title" wasn\'t supplied.')
    _check_texts(fields)
    labels = label_names(fields.get("labels") or [], already=0) if call.may_push else []
    assignees = list(fields.get("assignees") or []) if call.may_push else []
    _check_assignees(call, assignees)
    title, body = str(fields["title"]).strip(), fields.get("body")
    issue = call.world.add_issue(call.repository, title=title, body=body, author=call.actor)
    call.world.set_labels(call.repository, issue, labels, by=call.actor)
    call.world.set_assignees(issue, assignees, by=call.actor)
    location = {"Location": call.render.issue_url(call.repository, issue)}
    return Answer(201, call.render.issue(call.repository, issue), location)


def get_issue(call: Call) -> Answer:
    return Answer(200, call.render.issue(call.repository, call.issue))


def list_events(call: Call) -> Answer:
    events = [call.render.event(call.repository, one) for one in call.issue.events]
    return call.page(events, f"issues/{call.issue.number}/events")


def list_issues(call: Call) -> Answer:
    query = call.query
    shown = [issue for issue in call.repository.issues.values() if _is_shown(call, issue)]
    by_field = {"updated": "updated_at", "comments": "comments"}.get(query.get("sort", ""), "created_at")

    def rank(issue: Issue) -> tuple[datetime | int, int]:
        value = getattr(issue, by_field)
        return (len(value) if isinstance(value, list) else value, issue.number)

    shown.sort(key=rank, reverse=query.get("direction", "desc") == "desc")
    return call.page([call.render.issue(call.repository, issue, listed=True) for issue in shown], "issues")


def update_issue(call: Call) -> Answer:
    """200. Labels and assignees replace the set; without push access they are silently dropped."""
    issue, fields = call.issue, call.fields
    if not (call.may_triage or issue.author == call.actor):
        raise forbidden("issues=write")
    _check_texts(fields)
    labels = label_names(fields["labels"], already=0) if "labels" in fields and call.may_push else None
    assignees = list(fields["assignees"]) if "assignees" in fields and call.may_push else None
    _check_assignees(call, assignees or [])
    duplicate_of = _canonical(call)
    if labels is not None:
        call.world.set_labels(call.repository, issue, labels, by=call.actor)
    if assignees is not None:
        call.world.set_assignees(issue, assignees, by=call.actor)
    _write_texts(call, issue)
    _write_state(call, issue, duplicate_of)
    return Answer(200, call.render.issue(call.repository, issue))


def add_assignees(call: Call) -> Answer:
    """201. Unknown people, and everyone where push access is missing, are silently ignored."""
    if call.may_push:
        known = [login for login in call.fields.get("assignees", []) if login.lower() in call.world.users]
        call.world.set_assignees(call.issue, [user.login for user in call.issue.assignees] + known, by=call.actor)
    return Answer(201, call.render.issue(call.repository, call.issue))


def remove_assignees(call: Call) -> Answer:
    if call.may_push:
        gone = {login.lower() for login in call.fields.get("assignees", [])}
        kept = [user.login for user in call.issue.assignees if user.login.lower() not in gone]
        call.world.set_assignees(call.issue, kept, by=call.actor)
    return Answer(200, call.render.issue(call.repository, call.issue))


def _is_shown(call: Call, issue: Issue) -> bool:
    query = call.query
    wanted = {name.lower() for name in query.get("labels", "").split(",") if name}
    return (
        not issue.deleted
        and issue.moved_to is None
        and call.listed(issue.created_at)
        and query.get("state", "open") in (issue.state, "all")
        and wanted <= set(issue.labels)
        and query.get("creator", issue.author.login).lower() == issue.author.login.lower()
        and ("since" not in query or issue.updated_at >= moment(query["since"]))
    )


def _check_texts(fields: Mapping[str, Any]) -> None:
    """The length limits (peter-evans/create-issue-from-file#1705); the description declares none."""
    errors = []
    if "title" in fields and not str(fields["title"]).strip():
        errors.append({"resource": "Issue", "code": "missing_field", "field": "title"})
    for field, limit in (("title", TITLE_LENGTH), ("body", BODY_LENGTH)):
        if len(str(fields.get(field) or "")) > limit:
            message = f"{field} is too long (maximum is {limit} characters)"
            errors.append({"resource": "Issue", "code": "custom", "field": field, "message": message})
    if errors:
        raise invalid(*errors)


def _check_assignees(call: Call, logins: list[str]) -> None:
    """An unknown login is refused with its value (JasonEtco/create-an-issue#41)."""
    unknown = [login for login in logins if login.lower() not in call.world.users]
    if unknown:
        raise invalid({"value": unknown[0], "resource": "Issue", "field": "assignees", "code": "invalid"})


def _canonical(call: Call) -> int | None:
    """The id of the issue that this one repeats; 422 where there is none of that id."""
    wanted = call.fields.get("duplicate_issue_id") if call.fields.get("state_reason") == "duplicate" else None
    known = {issue.id for place in call.world.repositories.values() for issue in place.issues.values()}
    if wanted is not None and wanted not in known:
        raise invalid({"resource": "Issue", "field": "duplicate_issue_id", "code": "invalid", "value": wanted})
    return wanted


def _write_texts(call: Call, issue: Issue) -> None:
    fields = call.fields
    title = str(fields["title"]).strip() if fields.get("title") is not None else issue.title
    body = fields.get("body", issue.body)
    if (title, body) != (issue.title, issue.body):
        issue.title, issue.body, issue.updated_at = title, body, call.world.now()


def _write_state(call: Call, issue: Issue, duplicate_of: int | None) -> None:
    """A reason without a change of state is ignored, as the description says."""
    wanted = call.fields.get("state", issue.state)
    if wanted == issue.state:
        return
    if wanted == "closed":
        reason = CLOSE_REASONS.get(call.fields.get("state_reason"), "completed")
        call.world.close(issue, reason, by=call.actor)
        issue.duplicate_of = duplicate_of
    else:
        call.world.reopen(issue, by=call.actor)
