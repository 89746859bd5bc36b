"""The fake's labels: those of a repository, and those on an issue."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from fakes.github.exchange import Answer, Call, Refusal, forbidden, invalid, not_found
from fakes.github.state import Label

NAME_LENGTH = 50
DESCRIPTION_LENGTH = 100
LABELS_PER_ISSUE = 100
COLOR = re.compile(r"[0-9a-fA-F]{6}")


def label_names(given: Sequence[Any], *, already: int) -> list[str]:
    """The names in a request's list, which may hold names or objects; refused as a whole when one is too long.

    More than a hundred in sum, repeated ones counted, is a server error (actions/labeler#561); a name that is too long
    has another error here than in the repository's own list (github/docs#32156).
    """
    names = [str(item["name"]) if isinstance(item, dict) else str(item) for item in given]
    for name in names:
        if not 0 < len(name) <= NAME_LENGTH:
            raise invalid({"resource": "Label", "code": "invalid", "field": "name", "value": name})
    if already + len(names) > LABELS_PER_ISSUE:
        raise Refusal(500, "Server Error")
    return names


def list_issue_labels(call: Call) -> Answer:
    return call.page(call.render.labels(call.repository, call.issue), f"issues/{call.issue.number}/labels")


def add_labels(call: Call) -> Answer:
    """200 with all labels of the issue; unknown ones are made."""
    return _change_labels(call, keep=True)


def set_labels(call: Call) -> Answer:
    return _change_labels(call, keep=False)


def remove_label(call: Call) -> Answer:
    issue, name = call.issue, call.params["name"].lower()
    if not call.may_triage:
        raise forbidden("issues=write")
    if name not in issue.labels:
        raise not_found("Label does not exist")
    call.world.set_labels(call.repository, issue, [key for key in issue.labels if key != name], by=call.actor)
    return Answer(200, call.render.labels(call.repository, issue))


def list_labels(call: Call) -> Answer:
    labels = [call.render.label(call.repository, label) for _, label in sorted(call.repository.labels.items())]
    return call.page(labels, "labels")


def create_label(call: Call) -> Answer:
    if not call.may_push:
        raise forbidden("issues=write")
    name = str(call.fields.get("name", ""))
    _check(call.fields)
    if name.lower() in call.repository.labels:
        raise invalid({"resource": "Label", "code": "already_exists", "field": "name"})
    label = call.world.add_label(call.repository, name)
    _write(label, call.fields)
    location = {"Location": call.render.label_url(call.repository, label)}
    return Answer(201, call.render.label(call.repository, label), location)


def get_label(call: Call) -> Answer:
    return Answer(200, call.render.label(call.repository, _label(call)))


def update_label(call: Call) -> Answer:
    if not call.may_push:
        raise forbidden("issues=write")
    label = _label(call)
    fields = {**call.fields, "name": call.fields.get("new_name", label.name)}
    _check(fields)
    if fields["name"].lower() in call.repository.labels.keys() - {label.name.lower()}:
        raise invalid({"resource": "Label", "code": "already_exists", "field": "name"})
    call.world.rename_label(call.repository, label, str(fields["name"]))
    _write(label, fields)
    return Answer(200, call.render.label(call.repository, label))


def _change_labels(call: Call, *, keep: bool) -> Answer:
    issue = call.issue
    if not call.may_triage:
        raise forbidden("issues=write")
    given = call.body if isinstance(call.body, list) else call.fields.get("labels", [])
    kept = [call.repository.labels[key].name for key in issue.labels] if keep else []
    names = label_names(given, already=len(kept))
    call.world.set_labels(call.repository, issue, kept + names, by=call.actor)
    return Answer(200, call.render.labels(call.repository, issue))


def _label(call: Call) -> Label:
    label = call.repository.labels.get(call.params["name"].lower())
    if label is None:
        raise not_found()
    return label


def _check(fields: Mapping[str, Any]) -> None:
    name = str(fields.get("name", ""))
    if not name:
        raise invalid({"resource": "Label", "code": "missing_field", "field": "name"})
    for field, limit in (("name", NAME_LENGTH), ("description", DESCRIPTION_LENGTH)):
        if len(str(fields.get(field) or "")) > limit:
            message = f"{field} is too long (maximum is {limit} characters)"
            raise invalid({"resource": "Label", "code": "custom", "field": field, "message": message})
    if "color" in fields and not COLOR.fullmatch(str(fields["color"])):
        # @octokit/fixtures, scenario "errors", shows the words.
        raise invalid({"resource": "Label", "code": "invalid", "field": "color"})


def _write(label: Label, fields: Mapping[str, Any]) -> None:
    label.color = str(fields.get("color", label.color))
    label.description = fields.get("description", label.description)
