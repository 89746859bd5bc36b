"""The fake's files on the default branch: read, written as a commit each."""

from __future__ import annotations

import base64
import binascii
from dataclasses import replace
from hashlib import sha1

from fakes.github.exchange import Answer, Call, Refusal, forbidden, invalid, not_found
from fakes.github.render import instant

PERMISSION = "contents=write"


def get_content(call: Call) -> Answer:
    path = call.params["path"]
    found = call.repository.files.get(path)
    if found is not None:
        return Answer(200, _file(call, path, found) | _encoded(found))
    below = sorted(name for name in call.repository.files if name.startswith(f"{path}/"))
    if not below:
        raise not_found()
    # The description's discriminator asks an object of every variant, and this one is a list.
    listed = [_file(call, name, call.repository.files[name]) for name in below]
    return Answer(200, listed, undocumented=True)


def put_content(call: Call) -> Answer:
    """201 for a new file, 200 for another content of one that is there, whose `sha` is to be named."""
    if not call.may_push:
        raise forbidden(PERMISSION)
    repository, path, fields = call.repository, call.params["path"], call.fields
    if repository.protected:
        raise _conflict("Repository rule violations found\n\nChanges must be made through a pull request.\n\n")
    present = repository.files.get(path)
    if present is not None and "sha" not in fields:
        raise Refusal(422, 'Invalid request.\n\n"sha" wasn\'t supplied.')
    if present is not None and fields["sha"] != blob_sha(present):
        raise _conflict(f"{path} does not match {fields['sha']}")
    try:
        content = base64.b64decode(fields["content"], validate=True)
    except binascii.Error:
        raise invalid({"resource": "Content", "code": "invalid", "field": "content"}) from None
    repository.files[path] = content
    repository.commits.append(fields["message"])
    body = {"content": _file(call, path, content), "commit": _commit(call, fields["message"])}
    return Answer(201 if present is None else 200, body)


def blob_sha(content: bytes) -> str:
    """As git names a file's content."""
    return sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _conflict(message: str) -> Refusal:
    """The description says "one of" two shapes, of which one takes all that the other takes."""
    refusal = Refusal(409, message)
    refusal.answer = replace(refusal.answer, undocumented=True)
    return refusal


def _encoded(content: bytes) -> dict[str, str]:
    # GitHub breaks the lines of its Base64.
    return {"encoding": "base64", "content": base64.encodebytes(content).decode()}


def _file(call: Call, path: str, content: bytes) -> dict[str, object]:
    sha = blob_sha(content)
    url = f"{call.render.repository_url(call.repository)}/contents/{path}"
    git_url = f"{call.render.repository_url(call.repository)}/git/blobs/{sha}"
    html_url = f"{call.render.base}/{call.repository.full_name}/blob/main/{path}"
    return {
        "type": "file",
        "name": path.rpartition("/")[2],
        "path": path,
        "sha": sha,
        "size": len(content),
        "url": url,
        "git_url": git_url,
        "html_url": html_url,
        "download_url": f"{call.render.base}/raw/{call.repository.full_name}/main/{path}",
        "_links": {"self": url, "git": git_url, "html": html_url},
    }


def _commit(call: Call, message: str) -> dict[str, object]:
    number = len(call.repository.commits)
    sha = sha1(f"{call.repository.id} {number}".encode(), usedforsecurity=False).hexdigest()
    url = f"{call.render.repository_url(call.repository)}/git/commits/{sha}"
    by = {"name": call.actor.login, "email": f"{call.actor.id}@example.com", "date": instant(call.at)}
    return {"sha": sha, "node_id": f"C_{sha}", "url": url, "message": message, "author": by, "committer": by}
