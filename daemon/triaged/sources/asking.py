"""Expressions asked of the alerts of one body, in time that grows with the body and not with its square.

An expression sees one alert and, through `body()`, all others with it. So what asks the body alone is evaluated once,
and what of that each alert is given to work with is bounded.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from jmespath import Options
from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions, signature
from jmespath.parser import ParsedResult
from jmespath.visitor import TreeInterpreter

from triaged.sources.limits import LONGEST_VALUE


class Failed(Exception):  # noqa: N818 - never leaves the package: one expression of one alert
    """An expression that cannot be evaluated here."""


class BodyFunctions(Functions):
    """JMESPath's functions, and `body()`: the whole body, for an expression that is asked of one alert of a list."""

    def __init__(self, body: object) -> None:
        self._body = body

    @signature()
    def _func_body(self) -> object:
        return self._body


class Asker(TreeInterpreter):
    """Evaluates the expressions of a mapping; `several` says that they are asked of many alerts of this body."""

    def __init__(self, body: object, *, several: bool) -> None:
        super().__init__(Options(custom_functions=BodyFunctions(body)))
        self._several = several
        self._found: dict[int, Any] = {}
        self._failed: dict[int, Failed] = {}

    def ask(self, expression: ParsedResult, document: object) -> Any:
        """What the expression finds in the document. Raises Failed."""
        try:
            return self.visit(expression.parsed, document)
        except Failed as error:
            raise Failed(f"{expression.expression}: {error}") from error
        except (JMESPathError, ValueError, TypeError, ArithmeticError, AttributeError, RecursionError) as error:
            raise Failed(f"{expression.expression}: {_told(error)}") from error

    def visit_once(self, node: Mapping[str, Any], _value: object) -> Any:
        """What asks the body alone (ONCE), from memory from the second time on, whether it was found or failed."""
        at = id(node)
        if at not in self._found and at not in self._failed:
            try:
                self._found[at] = self._evaluated(node)
            except (JMESPathError, ValueError, TypeError, ArithmeticError, AttributeError, RecursionError) as error:
                self._failed[at] = Failed(_told(error))
            except Failed as error:
                self._failed[at] = error
        if at in self._failed:
            raise Failed(str(self._failed[at]))
        return self._found[at]

    def _evaluated(self, node: Mapping[str, Any]) -> Any:
        found = self.visit(node["children"][0], None)
        if self._several or node["value"]:
            length = len(found if isinstance(found, str) else json.dumps(found))
            if length > LONGEST_VALUE:
                raise Failed(f"expected at most {LONGEST_VALUE:,} characters of body() for each alert, got {length:,}")
        return found


def _told(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "the JSON is nested too deep"
    problem = str(error).splitlines()
    return problem[0][:200] if problem else type(error).__name__
