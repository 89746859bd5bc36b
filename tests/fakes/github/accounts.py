"""The fake's answers about who asks, what a repository is, and who may do what in it."""

from __future__ import annotations

from fakes.github.exchange import Answer, Call, forbidden, not_found
from fakes.github.render import instant


def whoami(call: Call) -> Answer:
    """403 for an App's installation, which is nobody's account."""
    if call.actor.type == "Bot":
        raise forbidden("metadata=read")
    return Answer(200, call.render.account(call.actor, call.at))


def app(call: Call) -> Answer:
    """The App behind the bot; the fake takes the bot's own token where GitHub wants a JWT."""
    slug = call.actor.login.removesuffix("[bot]")
    owner = call.world.user("acme", kind="Organization")
    return Answer(
        200,
        {
            "id": call.actor.id,
            "slug": slug,
            "node_id": f"A_{call.actor.id}",
            "owner": call.render.user(owner),
            "name": slug,
            "description": None,
            "external_url": call.render.base,
            "html_url": f"{call.render.base}/apps/{slug}",
            "created_at": instant(call.at),
            "updated_at": instant(call.at),
            "permissions": {"issues": "write", "metadata": "read"},
            "events": ["issues", "issue_comment"],
        },
    )


def repository(call: Call) -> Answer:
    return Answer(200, call.render.repository(call.repository, call.actor))


def permission(call: Call) -> Answer:
    user = call.world.users.get(call.params["username"].lower())
    if user is None:
        raise not_found()
    return Answer(200, call.render.permission(call.repository, user))
