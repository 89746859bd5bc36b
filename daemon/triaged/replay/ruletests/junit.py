"""Results as JUnit XML, which every CI system reads.

The elements and attributes are those that both schemas in use ask for, Ant's and Jenkins':
https://github.com/windyroad/JUnit-Schema, https://github.com/jenkinsci/xunit-plugin (junit-10.xsd).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from xml.etree import ElementTree as Xml

from triaged.core.rules import RuleSet
from triaged.replay.ruletests.outcomes import Result
from triaged.replay.ruletests.telling import told

_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""https://www.w3.org/TR/xml/#charsets"""


def junit(files: Sequence[tuple[str, Sequence[Result]]], rules: RuleSet, now: datetime) -> bytes:
    """The document: a suite for each file, a test case for each test."""
    root = Xml.Element("testsuites")
    for number, (name, results) in enumerate(files):
        failures = sum(result.failure is not None for result in results)
        suite = Xml.SubElement(
            root,
            "testsuite",
            {
                "id": str(number),
                "name": _legal(name),
                "package": "triaged",
                "hostname": "localhost",
                "timestamp": now.strftime("%Y-%m-%dT%H:%M:%S"),
                "tests": str(len(results)),
                "failures": str(failures),
                "errors": "0",
                "time": _seconds(sum(result.seconds for result in results)),
            },
        )
        properties = Xml.SubElement(suite, "properties")
        Xml.SubElement(properties, "property", {"name": "rules", "value": rules.hash})
        for result in results:
            _case(suite, name, result, rules)
        Xml.SubElement(suite, "system-out")
        Xml.SubElement(suite, "system-err")
    Xml.indent(root)
    found: bytes = Xml.tostring(root, encoding="utf-8", xml_declaration=True)
    return found


def _case(suite: Xml.Element, file: str, result: Result, rules: RuleSet) -> None:
    attributes = {"classname": _legal(file), "name": _legal(result.case.name), "time": _seconds(result.seconds)}
    case = Xml.SubElement(suite, "testcase", attributes)
    failure = result.failure
    if failure is not None:
        message = "; ".join(problem.text for problem in failure.problems)
        element = Xml.SubElement(case, "failure", {"type": "expectation", "message": _legal(message)})
        element.text = _legal("\n".join(told(result.case, failure, rules)))


def _seconds(length: float) -> str:
    return f"{length:.3f}"


def _legal(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
