"""docs/library.ipynb: its cells run, one after the other, and give what it shows."""

from __future__ import annotations

import json

import pytest
from notebook import kinds, outputs
from scratch import ROOT

NOTEBOOK = ROOT / "docs" / "library.ipynb"


@pytest.mark.slow
@pytest.mark.whole
def test_the_notebook_runs_and_shows_what_it_gives():
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    found = list(outputs(notebook))
    assert len(found) > 5
    for cell, given in found:
        assert kinds(cell["outputs"]) == kinds(given), "".join(cell["source"])


def test_its_outputs_are_committed_and_small():
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    pages = [
        "".join(output["data"]["text/html"])
        for cell in notebook["cells"]
        for output in cell.get("outputs", ())
        if "text/html" in output.get("data", {})
    ]
    assert sum("<img" in page for page in pages) >= 2
    assert NOTEBOOK.stat().st_size < 600_000
