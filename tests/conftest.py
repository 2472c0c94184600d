"""What all tests share."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import skimage
from needed import absent
from PIL import Image
from run_folder import RunFolder, row
from scratch import BRIGHTNESS, DISTANCE, TALLY, Tree
from suite import LONGEST, WHOLE, WHOLE_PLACES

from metric_robustness.pipeline.cells.row import Row

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("METRIC_ROBUSTNESS_SHARED", ROOT.parent / "shared")) / "data"

os.environ["HF_HUB_OFFLINE"] = "1"  # a test downloads nothing
# Threads wait for each other on tiny images: next to another busy process, tests take ten times as long.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# A test run started in the background ignores Ctrl-C, and so would the programs that it starts and stops.
signal.signal(signal.SIGINT, signal.default_int_handler)

# pyiqa fixes its weights folder at import, so this must stand before any test imports it.
if SHARED.is_dir():
    os.environ.setdefault("TORCH_HOME", str(SHARED / "weights" / "torch_home"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests that `make test-fast` skips, by fixture and place, and puts the longest files first."""
    for item in items:
        path = item.path.relative_to(ROOT / "tests")
        places = {place.as_posix() for place in (path, *path.parents)}
        if places & WHOLE_PLACES or WHOLE & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.whole)
    turn = {file: index for index, file in enumerate(LONGEST)}
    items.sort(key=lambda item: turn.get(item.nodeid.partition("::")[0], len(turn)))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Skips places of whole tests before the import, which takes as long as all the tests that remain."""
    place = collection_path.relative_to(ROOT).as_posix()
    left_out = "not whole" in config.option.markexpr and place in {f"tests/{name}" for name in WHOLE_PLACES}
    return left_out or None  # None: pytest decides


def pytest_collection_finish() -> None:
    """Hides what the tests imported from the garbage collector: it stays to the end, and walking it takes a second."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def _memory_is_given_back() -> Iterator[None]:
    """Frees what a module's networks held: the engine has glibc keep freed memory, and two workers share a machine."""
    yield
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # not glibc
        ctypes.CDLL("libc.so.6").malloc_trim(0)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Returns the folder of published rows, weights and photographs, which are never part of the project."""
    if not SHARED.is_dir():
        message = f"no {SHARED}: set METRIC_ROBUSTNESS_SHARED to the folder that holds data/, or to none"
        absent(message, on_purpose=os.environ.get("METRIC_ROBUSTNESS_SHARED") == "none")
    return SHARED


@pytest.fixture(scope="session")
def compiler() -> None:
    """Needs the C++ compiler by which PyTorch compiles passes; tests/tools.sh installs it."""
    if shutil.which(os.environ.get("CXX", "g++")) is None:
        absent("compiled passes need a C++ compiler: run make test as root, or install g++")


@pytest.fixture(scope="session")
def client() -> Path:
    """Returns gitlab-ci-local, which runs .gitlab-ci.yml as GitLab would; tests/tools.sh installs it."""
    program = ROOT / "node_modules" / ".bin" / "gitlab-ci-local"
    missing = [name for name in ("git", "node", "rsync") if shutil.which(name) is None]
    missing += [] if program.exists() else ["gitlab-ci-local (npm ci)"]
    if missing:
        absent(f"the pipeline's client needs {', '.join(missing)}: run make test as root, or install it")
    return program


@pytest.fixture(scope="session")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """Returns a copy of the checkout with quick metrics of our own, which no test may change."""
    tree = Tree.copy_to(tmp_path_factory.mktemp("laboratory") / "tree")
    for name, text in {"brightness": BRIGHTNESS, "distance": DISTANCE, "tally": TALLY}.items():
        tree.write(f"metrics/{name}.py", text)
    tree.write("metrics/tally_too.py", TALLY.replace("Tally", "TallyToo"))
    return tree


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Returns a copy of the checkout that the test may change, without the metrics."""
    return Tree.copy_to(tmp_path / "tree")


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a folder of six small photographs in three sizes, no two of the same size side by side."""
    folder = tmp_path_factory.mktemp("photos")
    sizes = [(40, 32), (33, 47), (40, 32), (33, 47), (40, 32), (32, 40)]
    names = ["astronaut", "chelsea", "coffee", "color", "ihc", "motorcycle_left"]
    for (width, height), name in zip(sizes, names, strict=True):
        file = Path(skimage.__file__).parent / "data" / f"{name}.png"
        with Image.open(file) as image:
            image.convert("RGB").resize((width, height)).save(folder / file.name)
    return folder


@pytest.fixture
def run_folder(tmp_path: Path) -> RunFolder:
    """Returns a folder of cells that the engine could have written."""
    return RunFolder(tmp_path / "run")


@pytest.fixture
def make_row() -> Callable[..., Row]:
    """Returns the function that makes a row."""
    return row
