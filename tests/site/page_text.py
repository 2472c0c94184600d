"""What pages say apart from HTML, and a name of a metric that is HTML."""

import json
import re

HOSTILE = "<img src=x onerror=alert(1)>"


def text(file):
    """Returns the text of a page without HTML tags, scripts and styles."""
    body = re.sub(r"<(script|style)\b.*?</\1>", "", file.read_text(encoding="utf-8"), flags=re.S)
    return " ".join(re.sub(r"<[^>]*>", " ", body).split())


def handed(file):
    """Returns what a file that a page loads later hands over: HTML, or what is drawn."""
    told = file.read_text(encoding="utf-8")
    assert told.startswith("detail(")
    return json.loads(told.removeprefix("detail(").removesuffix(");\n"))
