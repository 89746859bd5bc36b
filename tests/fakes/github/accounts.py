"""The fake's answers about who asks, what a repository is, and who may do what in it."""

from __future__ import annotations

from fakes.github.exchange import Answer, Call, Refusal, forbidden, not_found


def whoami(call: Call) -> Answer:
    """403 for an App's installation, which is nobody's account."""
    if call.actor.type == "Bot":
        raise forbidden("metadata=read")
    return Answer(200, call.render.account(call.actor, call.at))


def repository(call: Call) -> Answer:
    return Answer(200, call.render.repository(call.repository, call.actor))


def permission(call: Call) -> Answer:
    """403 to who may not push (yegor256/rultor#1407)."""
    if not call.may_push:
        raise Refusal(403, "Must have push access to view collaborator permission.")
    user = call.world.users.get(call.params["username"].lower())
    if user is None:
        raise not_found()
    return Answer(200, call.render.permission(call.repository, user))
