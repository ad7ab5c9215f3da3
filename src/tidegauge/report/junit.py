"""A comparison as JUnit XML: CI servers show columns as they show tests."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal
from xml.etree import ElementTree as ET

from tidegauge.errors import InputError
from tidegauge.measurement import SEVERITY, Status, worst
from tidegauge.tables import printable

if TYPE_CHECKING:
    from tidegauge.comparison import Comparison

FailOn = Literal["insufficient", "warning", "alert"]
NO_ANSWER: tuple[Status, ...] = ("undefined", "immature", "insufficient")
MAX_NAME_CHARACTERS, MAX_WORDS = 200, 2_000


def render_junit(comparison: Comparison, fail_on: FailOn = "alert") -> str:
    """Return a `<testsuite name="tidegauge">` with a test case for every judged column, worst first.

    A column whose status is `fail_on` or graver has failed; one without an answer (insufficient, undefined,
    immature) is skipped, unless `fail_on="insufficient"` counts too few rows as a failure; a warning that is
    no failure says why in its output. The columns together are one more case where they were compared.
    Characters that XML cannot hold are written as their escapes. Raises InputError for another `fail_on`.
    """
    if fail_on not in ("insufficient", "warning", "alert"):
        raise InputError(f"render_junit: fail_on is {fail_on!r}; use 'insufficient', 'warning' or 'alert'")
    cases = [
        _case(column.name, column.status, column.reasons, fail_on)
        for column in comparison.worst_first()
        if column.judged
    ]
    together = getattr(comparison, "multivariate", None)
    if together is not None:
        status = worst(each.status for each in together.measurements)
        cases.append(_case("(columns together)", status, (together.summary,), fail_on))
    suite = ET.Element(
        "testsuite",
        name="tidegauge",
        tests=str(len(cases)),
        failures=str(sum(case.find("failure") is not None for case in cases)),
        errors="0",
        skipped=str(sum(case.find("skipped") is not None for case in cases)),
    )
    suite.extend(cases)
    properties = ET.Element("properties")
    for name, value in (
        ("status", comparison.status),
        ("summary", printable(comparison.summary, MAX_WORDS)),
        ("n_reference", str(comparison.n_reference)),
        ("n_current", str(comparison.n_current)),
    ):
        ET.SubElement(properties, "property", name=name, value=value)
    suite.insert(0, properties)
    ET.indent(suite)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(suite, encoding="unicode")}\n'


def _case(name: str, status: Status, reasons: Iterable[str], fail_on: FailOn) -> ET.Element:
    case = ET.Element("testcase", classname="tidegauge", name=printable(name, MAX_NAME_CHARACTERS))
    words = [printable(reason, MAX_WORDS) for reason in reasons]
    message = words[0] if words else status
    if SEVERITY.index(status) >= SEVERITY.index(fail_on):
        failure = ET.SubElement(case, "failure", type=status, message=message)
        failure.text = "\n".join(words)
    elif status in NO_ANSWER:
        ET.SubElement(case, "skipped", message=message if message == status else f"{status}: {message}")
    elif words:
        ET.SubElement(case, "system-out").text = "\n".join([f"{status}:", *words])
    return case
