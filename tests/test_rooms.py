"""Who must never import whom: the table of ARCHITECTURE.md."""

from __future__ import annotations

import ast
import fnmatch
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ENTRIES = {"metrics", "attacks", "defences"}
NEVER = {
    "metrics/*.py": {"attacks", "defences", "pipeline", "os", "argparse"},
    "attacks/*.py": {"metrics", "defences", "pipeline", "os", "argparse"},
    "defences/**/*.py": {"metrics", "attacks", "pipeline", "os", "argparse"},
    "pipeline/catalogue/syntax.py": {"torch", *ENTRIES},
    "pipeline/catalogue/fingerprint.py": {"torch", *ENTRIES},
    "pipeline/catalogue/lookup.py": {"torch", *ENTRIES},
    "pipeline/cells/cell.py": {"torch", *ENTRIES},
    "pipeline/config.py": {"torch", *ENTRIES},
    "pipeline/cli/listing.py": {"torch", *ENTRIES},
    "pipeline/ci/*.py": {"torch", *ENTRIES},
    "pipeline/scoring/**/*.py": {"torch", "pipeline.engine", *ENTRIES},
}
# The last says what a weights file may hold, to those who load one and to those who verify it.
BASES = {"metrics.base", "attacks.base", "defences.base", "metrics.weights_adapter"}


def imported(file: Path) -> set[str]:
    """Returns the modules a file imports anywhere, a name taken from a package counted as its module too."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file.name}: imports of ours are absolute"
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def reaches(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


RULES = [(file, forbidden) for pattern, forbidden in NEVER.items() for file in sorted(ROOT.glob(pattern))]


@pytest.mark.parametrize(("file", "forbidden"), RULES, ids=[str(file.relative_to(ROOT)) for file, _ in RULES])
def test_a_layer_never_imports_what_is_above_it(file, forbidden):
    assert not {name for name in imported(file) for package in forbidden if reaches(name, package)}


@pytest.mark.parametrize("file", sorted(ROOT.glob("pipeline/**/*.py")), ids=lambda file: str(file.relative_to(ROOT)))
def test_the_pipeline_knows_entries_by_name_only(file):
    ours = {name for name in imported(file) if any(reaches(name, package) for package in ENTRIES)}
    assert not {name for name in ours if not any(reaches(name, base) for base in BASES)}


def test_every_layer_is_looked_at():
    assert len(RULES) > 40


@pytest.mark.parametrize(
    "run", [["-c", "import pipeline.cells.cell"], ["-m", "pipeline", "list"]], ids=["cells", "list"]
)
def test_listing_and_planning_never_execute_torch_or_an_entry(run):
    told = subprocess.run(
        [sys.executable, "-X", "importtime", *run], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = {line.rpartition("|")[2].strip() for line in told.stderr.splitlines() if line.startswith("import time:")}
    assert "pipeline.catalogue.lookup" in loaded
    assert not {name for name in loaded if any(reaches(name, package) for package in {"torch", *ENTRIES})}


def test_the_tree_of_architecture_md_names_every_module_and_no_other():
    tree = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8").partition("## Tree")[2].partition("\n## ")[0]
    named = set(re.findall(r"[\w*]+\.py", tree))
    there = {
        path.name for folder in ("pipeline", *ENTRIES, "benchmarks", "tests") for path in (ROOT / folder).rglob("*.py")
    }
    assert {name for name in named if not fnmatch.filter(there, name)} == set()
    modules = {path.name for path in (ROOT / "pipeline").rglob("*.py")} - {"__init__.py"}
    assert {name for name in modules if not any(fnmatch.fnmatch(name, each) for each in named)} == set()
