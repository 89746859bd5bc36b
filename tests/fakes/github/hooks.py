"""The fake's webhooks of a repository: listed, made and changed by who administers it; it calls none of them."""

from __future__ import annotations

from typing import Any

from fakes.github.exchange import Answer, Call, Refusal, not_found
from fakes.github.render import instant
from fakes.github.state import Hook, Role

HIDDEN = "********"


def list_hooks(call: Call) -> Answer:
    _administered(call)
    return call.page([_shown(call, hook) for hook in call.repository.hooks.values()], "hooks")


def create_hook(call: Call) -> Answer:
    _administered(call)
    fields = call.fields
    config = dict(fields.get("config") or {})
    if not config.get("url"):
        raise _unfit("Config url must be present")
    if any(hook.config.get("url") == config["url"] for hook in call.repository.hooks.values()):
        raise _unfit("Hook already exists on this repository")
    hook = Hook(
        id=call.world.new_id(),
        config=config,
        events=list(fields.get("events") or ["push"]),
        active=bool(fields.get("active", True)),
    )
    call.repository.hooks[hook.id] = hook
    return Answer(201, _shown(call, hook))


def update_hook(call: Call) -> Answer:
    hook, fields = _hook(call), call.fields
    events = fields.get("events", hook.events)
    added = [event for event in fields.get("add_events", ()) if event not in events]
    hook.events = [event for event in [*events, *added] if event not in fields.get("remove_events", ())]
    hook.active = bool(fields.get("active", hook.active))
    if "config" in fields:
        hook.config = dict(fields["config"])
    return Answer(200, _shown(call, hook))


def update_hook_config(call: Call) -> Answer:
    hook = _hook(call)
    hook.config |= call.fields
    return Answer(200, _config(hook))


def _hook(call: Call) -> Hook:
    _administered(call)
    number = call.params["hook_id"]
    hook = call.repository.hooks.get(int(number)) if number.isdecimal() else None
    if hook is None:
        raise not_found()
    return hook


def _administered(call: Call) -> None:
    """Who does not administer the repository is told that there is nothing."""
    if call.repository.role_of(call.actor) < Role.ADMIN:
        raise not_found()


def _unfit(message: str) -> Refusal:
    error = {"resource": "Hook", "code": "custom", "message": message}
    return Refusal(422, "Validation Failed", errors=[error])


def _config(hook: Hook) -> dict[str, Any]:
    return hook.config | ({"secret": HIDDEN} if hook.config.get("secret") else {})


def _shown(call: Call, hook: Hook) -> dict[str, Any]:
    url = f"{call.render.repository_url(call.repository)}/hooks/{hook.id}"
    return {
        "type": "Repository",
        "id": hook.id,
        "name": "web",
        "active": hook.active,
        "events": hook.events,
        "config": _config(hook),
        "created_at": instant(call.repository.created_at),
        "updated_at": instant(call.at),
        "url": url,
        "test_url": f"{url}/test",
        "ping_url": f"{url}/pings",
        "deliveries_url": f"{url}/deliveries",
        "last_response": {"code": None, "status": "unused", "message": None},
    }
