"""The fake's comments: create, read, list, update."""

from __future__ import annotations

from fakes.github.exchange import Answer, Call, Refusal, forbidden, invalid, moment, not_found
from fakes.github.state import Comment

BODY_LENGTH = 65_536
COMMENT_LIMIT = 2_500


def create_comment(call: Call) -> Answer:
    """201. 403 on a locked issue without push access, and for ever above the limit (digitaldrywood/detent#1540)."""
    issue, body = call.issue, _text(call)
    if issue.locked and not call.may_push:
        # probot/stale#25 shows the words.
        raise Refusal(403, "Unable to create comment because issue is locked.")
    if len(issue.comments) >= COMMENT_LIMIT:
        raise Refusal(403, f"Commenting is disabled on issues with more than {COMMENT_LIMIT} comments")
    comment = call.world.add_comment(call.repository, issue, body=body, author=call.actor)
    location = {"Location": call.render.comment_url(call.repository, comment)}
    return Answer(201, call.render.comment(call.repository, comment), location)


def list_comments(call: Call) -> Answer:
    """Oldest first; `since` is about the last change."""
    since = call.query.get("since")
    shown = [
        call.render.comment(call.repository, comment)
        for number in call.issue.comments
        if call.listed((comment := call.repository.comments[number]).created_at)
        and (since is None or comment.updated_at >= moment(since))
    ]
    return call.page(shown, f"issues/{call.issue.number}/comments")


def get_comment(call: Call) -> Answer:
    return Answer(200, call.render.comment(call.repository, _comment(call)))


def update_comment(call: Call) -> Answer:
    comment, body = _comment(call), _text(call)
    if not (call.may_push or comment.author == call.actor):
        raise forbidden("issues=write")
    if comment.body != body:
        comment.body, comment.updated_at = body, call.world.now()
    return Answer(200, call.render.comment(call.repository, comment))


def react(call: Call) -> Answer:
    """201, and 200 where the account has reacted so before."""
    comment = _comment(call)
    reaction, new = call.world.react(comment, str(call.fields.get("content")), by=call.actor)
    return Answer(201 if new else 200, call.render.reaction(reaction))


def _comment(call: Call) -> Comment:
    number = call.params["comment_id"]
    comment = call.repository.comments.get(int(number)) if number.isdecimal() else None
    if comment is None:
        raise not_found()
    return comment


def _text(call: Call) -> str:
    """The body; too long, it is refused in another shape than an issue's (jmikedupont2/ai-ticket#51)."""
    body = str(call.fields.get("body") or "")
    if not body.strip():
        message = "Body cannot be blank"
        raise invalid({"resource": "IssueComment", "code": "unprocessable", "field": "data", "message": message})
    if len(body) > BODY_LENGTH:
        message = f"Body is too long (maximum is {BODY_LENGTH} characters)"
        raise invalid({"resource": "IssueComment", "code": "unprocessable", "field": "data", "message": message})
    return body
