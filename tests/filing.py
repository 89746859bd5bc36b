"""Reports as people file them: the bodies of issues from the form and from the template, filled in."""

from __future__ import annotations

import yaml

from triaged.backends.github import templates

FORM = yaml.safe_load(templates.files()[".github/ISSUE_TEMPLATE/incident-report.yml"])
FIELDS = {field["id"]: field for field in FORM["body"] if field["type"] != "markdown"}
TEMPLATE = templates.files()[".github/ISSUE_TEMPLATE/incident-report.md"]


def form(**answers: str) -> str:
    """The body that GitHub makes of a form's answers."""
    parts = [
        f"### {field['attributes']['label']}\n\n{answers.get(name) or '_No response_'}"
        for name, field in FIELDS.items()
    ]
    return "\n\n".join(parts)


def markdown(**answers: str) -> str:
    """The body of the template with answers below its hints."""
    _, _, body = TEMPLATE.split("---\n", 2)
    for name, answer in answers.items():
        heading = f"### {FIELDS[name]['attributes']['label']}\n"
        before, found, after = body.partition(heading)
        hint, end, rest = after.partition("-->\n")
        assert found, name
        body = f"{before}{heading}{hint}{end}\n{answer}\n{rest}"
    return body
