"""The rules of the code's structure, one test each; ARCHITECTURE.md holds the tables of rooms and words."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import defaultdict

import pytest
from rooms import HOUSES, ROOT, circle, declared, files, graph, imported, marked, module_of, parsed, reaches, table

ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
ENTRIES = {"metrics", "attacks", "defences"}
# The last says what a weights file may hold; the code that loads one and the code that verifies one both need it.
BASES = {"metrics.base", "attacks.base", "defences.base", "metrics.weights_adapter"}
TORCHLESS = (
    "pipeline.catalogue",
    "pipeline.cells",
    "pipeline.ci",
    "pipeline.config",
    "pipeline.gitlab",
    "pipeline.scoring",
    "pipeline.site",
    "pipeline.store",
    "pipeline.library.catalogue",
    "pipeline.library.listing",
)
MOST_FILES = 20  # in a folder, without its subfolders
MOST_LINES = 400  # in a Python file
MOST_PARAMETERS = 7
MOST_FIELDS = 10
FORMATS = {  # dataclasses that may have more fields than that, and why
    "Row": "a line of a cell's CSV file",
    "Stamp": "the JSON file beside it",
    "FitStamp": "the JSON file beside a universal pattern",
    "SavedImage": "a line of a manifest of saved images",
    "DatasetConfig": "a data set in benchmark.yml",
    "Preset": "a preset in benchmark.yml",
    "Recipe": "all that a network's committed weights depend on, in the JSON file beside them",
}


def modules(*packages: str) -> dict[str, frozenset[str]]:
    """Returns the modules of packages, each with what it imports."""
    named = {module_of(file): file for file in files()}
    found = {
        name: imported(file) for name, file in named.items() if any(reaches(name, package) for package in packages)
    }
    assert found, f"nothing lies in {packages}"
    return found


def breaches(found: dict[str, frozenset[str]], forbidden: set[str]) -> list[str]:
    return [
        f"{name} imports {what}"
        for name, names in found.items()
        for what in sorted(names)
        if any(reaches(what, package) for package in forbidden)
    ]


def definitions(*packages: str) -> list[tuple[str, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Returns the classes and functions of packages, each with its module."""
    return [
        (module_of(file), node)
        for file in files()
        if module_of(file).partition(".")[0] in packages
        for node in ast.walk(parsed(file))
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    ]


@pytest.mark.parametrize("house", HOUSES)
def test_rooms_stand_in_no_circle(house):
    assert circle(graph(house)) == []


@pytest.mark.parametrize("house", HOUSES)
def test_architecture_md_says_who_stands_on_whom(house):
    below, holds = declared(house, ARCHITECTURE)
    rooms = graph(house)
    if below != rooms:
        advice = "open the circle first" if circle(rooms) else table(rooms, holds)
        pytest.fail(f"write this table, below <!-- rooms of {house} -->:\n{advice}", pytrace=False)
    assert all(holds.values())


@pytest.mark.parametrize("house", HOUSES)
def test_no_room_imports_one_that_architecture_md_puts_above_it(house):
    order = list(declared(house, ARCHITECTURE)[0])
    assert [
        f"{room} imports {name}, which stands higher in the table"
        for room, below in graph(house).items()
        for name in below
        if {room, name} <= set(order) and order.index(name) < order.index(room)
    ] == []


def test_every_file_that_architecture_md_names_is_there():
    there = {
        path.name for folder in ("pipeline", *ENTRIES, "benchmarks", "tests") for path in (ROOT / folder).rglob("*")
    }
    named = set(re.findall(r"[\w]+\.py\b", ARCHITECTURE))
    assert named - there == set()


def test_an_entry_imports_its_own_folder_only():
    for folder in ("metrics", "attacks", "defences"):
        assert breaches(modules(folder), {*ENTRIES - {folder}, "pipeline", "os", "argparse"}) == []


def test_the_pipeline_knows_entries_by_name_only():
    found = breaches(modules("pipeline"), ENTRIES)
    assert [line for line in found if not any(reaches(line.rpartition(" ")[2], base) for base in BASES)] == []


def test_what_lists_and_plans_and_scores_imports_neither_torch_nor_entries():
    assert breaches(modules(*TORCHLESS), {"torch", "torchvision", "pipeline.engine", *ENTRIES}) == []


@pytest.mark.parametrize(
    "run",
    [
        ["-c", "import metric_robustness.pipeline.cells.cell"],
        ["-c", "import metric_robustness.pipeline.ci.plan"],
        ["-m", "pipeline", "list"],
    ],
    ids=["cells", "plan", "list"],
)
@pytest.mark.whole
def test_listing_and_planning_never_load_torch_or_an_entry(run):
    told = subprocess.run(
        [sys.executable, "-X", "importtime", *run], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = {line.rpartition("|")[2].strip() for line in told.stderr.splitlines() if line.startswith("import time:")}
    loaded = {name.removeprefix("metric_robustness.") for name in loaded}
    assert "pipeline.catalogue.lookup" in loaded
    assert not {name for name in loaded if any(reaches(name, package) for package in {"torch", *ENTRIES})}


def test_no_folder_holds_more_files_than_one_can_survey():
    """Folders of entries are exempt: there, one file is one entry."""
    own = defaultdict(list)
    for file in [*files(), *(ROOT / "tests").rglob("*.py")]:
        if file.name != "__init__.py" and file.relative_to(ROOT).parts[0] not in ENTRIES:
            own[str(file.parent.relative_to(ROOT))].append(file.name)
    assert {folder: len(names) for folder, names in own.items() if len(names) > MOST_FILES} == {}


def test_no_file_has_more_lines_than_one_can_read_at_once():
    lengths = {
        str(file.relative_to(ROOT)): len(file.read_text(encoding="utf-8").splitlines())
        for file in [*files(), *(ROOT / "tests").rglob("*.py")]
    }
    assert {"pipeline/errors.py", "tests/test_rooms.py"} <= lengths.keys()
    assert {file: lines for file, lines in lengths.items() if lines > MOST_LINES} == {}


def test_no_two_classes_have_one_name():
    named = defaultdict(set)
    for module, node in definitions("pipeline", *ENTRIES):
        if isinstance(node, ast.ClassDef):
            named[node.name].add(module)
    twice = [f"{name}: {', '.join(sorted(where))}" for name, where in sorted(named.items()) if len(where) > 1]
    assert not twice, "\n".join(twice)


def test_no_class_or_module_has_a_name_that_the_glossary_gave_up():
    given_up = {word.lower() for *_, old in marked("words", ARCHITECTURE) for word in re.findall(r"`(\w+)`", old)}
    assert len(given_up) > 20
    found = {
        f"class {node.name} in {module}": node.name
        for module, node in definitions("pipeline", "benchmarks")
        if isinstance(node, ast.ClassDef)
    }
    found |= {f"module {name}": name.rpartition(".")[2] for name in map(module_of, files())}
    named = [what for what, name in found.items() if name.strip("_").lower() in given_up]
    assert not named, "\n".join(named)


def test_no_function_has_more_parameters_than_one_can_remember():
    """The command line is exempt, and what a notebook calls instead: there, a parameter is an option."""
    found = {}
    for module, node in definitions("pipeline", "benchmarks", *ENTRIES):
        if isinstance(node, ast.ClassDef) or reaches(module, "pipeline.cli") or module == "pipeline.library.evaluate":
            continue
        names = [each.arg for each in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
        count = len(names) - (names[:1] in (["self"], ["cls"]))
        if count > MOST_PARAMETERS:
            found[f"{module}.{node.name}"] = count
    assert found == {}


def test_no_dataclass_has_more_fields_than_one_can_remember():
    found = {}
    for module, node in definitions("pipeline", "benchmarks"):
        if isinstance(node, ast.ClassDef) and node.name not in FORMATS:
            fields = [
                part
                for part in node.body
                if isinstance(part, ast.AnnAssign) and "ClassVar" not in ast.unparse(part.annotation)
            ]
            if len(fields) > MOST_FIELDS:
                found[f"{module}.{node.name}"] = len(fields)
    assert found == {}
