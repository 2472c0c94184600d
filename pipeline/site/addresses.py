"""The addresses of pages: names come from contributors, and become parts of file names and links."""

from __future__ import annotations

import re

from metric_robustness.pipeline.files import digest

UNSAFE = re.compile(r"[^a-z0-9_+=-]+")


def address(folder: str, name: str) -> str:
    """Returns where the page of a metric or an attack is, relative to the site's root: metrics/ssim.html.

    A name that cannot be a file name everywhere becomes one that can; a hash keeps it distinct.
    """
    safe = UNSAFE.sub("-", name)[:80]
    return f"{folder}/{safe}.html" if safe == name else f"{folder}/{safe}-{digest(name.encode())[:8]}.html"
