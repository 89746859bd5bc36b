"""What of an expression asks the body alone: marked, so that it is evaluated once and not for each alert."""

from __future__ import annotations

from typing import Any, Final

from triaged.ports.mapping import ONCE

BODY: Final = "body"
"""Our own function: the whole body, for an expression that is asked of one alert of a list."""
_ALWAYS: Final = frozenset({"literal", "expref"})
_BY_FIRST: Final = frozenset(
    {"subexpression", "index_expression", "pipe", "projection", "value_projection", "filter_projection", "flatten"}
)
"""Their other children are asked of what the first one finds."""
_BY_ALL: Final = frozenset({"function_expression", "comparator", "or_expression", "and_expression", "not_expression"})
_FOR_EACH: Final = frozenset({"projection", "value_projection", "filter_projection"})
"""Their other children are asked once for each element."""

Tree = dict[str, Any]


def marked(tree: Tree, *, each: bool = False) -> Tree:
    """The tree with every part that asks the body, and nothing else, below a node of the type ONCE.

    `each` says that the tree is asked for each element of a list.
    """
    kind = tree["type"]
    if kind != "expref" and _asks_body(tree) and _is_steady(tree):
        return {"type": ONCE, "value": each, "children": [tree]}
    inner = [
        marked(child, each=each or kind == "expref" or (kind in _FOR_EACH and at > 0))
        if isinstance(child, dict)
        else child
        for at, child in enumerate(tree["children"])
    ]
    return {**tree, "children": inner}


def _is_steady(tree: Tree) -> bool:
    """Whether what it is asked of makes no difference."""
    kind, children = tree["type"], tree["children"]
    if kind in _BY_FIRST:
        return _is_steady(children[0])
    return kind in _ALWAYS or (kind in _BY_ALL and all(map(_is_steady, children)))


def _asks_body(tree: Tree) -> bool:
    if tree["type"] == "function_expression" and tree["value"] == BODY:
        return True
    return any(_asks_body(child) for child in tree["children"] if isinstance(child, dict))
