"""The cells as a JUnit report, which GitLab shows in merge requests and on the pipeline's page."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence

from pipeline.ci.history import Past

UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")  # XML has no way to write them


def to_junit(cells: Sequence[Past]) -> str:
    """Returns one test case per cell: failed and skipped ones with their reason, seconds as recorded."""
    failures = sum(cell.status == "failed" for cell in cells)
    skipped = sum(cell.status in {"skipped", "waiting"} for cell in cells)
    suite = ET.Element("testsuite", name="cells", tests=str(len(cells)), failures=str(failures), skipped=str(skipped))
    for cell in cells:
        case = ET.SubElement(suite, "testcase", classname=cell.metric, name=cell.attack, time=f"{cell.seconds:.3f}")
        reason = UNPRINTABLE.sub("?", cell.reason)
        if cell.status == "failed":
            ET.SubElement(case, "failure", message=reason).text = reason
        elif cell.status != "done":
            ET.SubElement(case, "skipped", message=reason)
    ET.indent(suite)
    return ET.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"
