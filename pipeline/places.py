"""Where things lie: the folders of code, what version it is, and the project whose data a command works on."""

from __future__ import annotations

import os
import shutil
import subprocess
import tomllib
from functools import cache
from importlib import metadata
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path

from metric_robustness.pipeline.errors import BenchError

PACKAGE = "metric_robustness"  # the one name under which metrics, attacks, defences and pipeline are imported
CODE = Path(__file__).resolve().parents[1]  # holds these four folders: a checkout, or the installed package
FOLDERS = ("metrics", "attacks", "defences")  # a root holds some of these, each with a file per entry
PACKAGES = ("torch", "torchvision", "pyiqa", "numpy", "scipy", "pillow")  # that numbers depend on
PROJECT = "METRIC_ROBUSTNESS_PROJECT"  # the variable by which worker processes learn of --project
INCLUDE = "METRIC_ROBUSTNESS_INCLUDE"  # and of --include; folders are separated as in PATH


def in_checkout() -> bool:
    """Tells whether the code that runs lies in a checkout, not in an installed package."""
    return (CODE / PACKAGE / "__init__.py").is_file()


def version() -> str:
    """Returns the version of the code that runs."""
    if in_checkout():
        return str(tomllib.loads((CODE / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"])
    return metadata.version(PACKAGE)


@cache
def commit() -> str:
    """Returns the checked-out commit, marked when files differ from it, or nothing outside a checkout."""
    if not in_checkout():  # a virtual environment may lie in somebody's repository
        return ""
    git = shutil.which("git")
    if git is None:
        return os.environ.get("CI_COMMIT_SHA", "")
    told = subprocess.run(
        [git, "-C", str(CODE), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],
        capture_output=True,
        text=True,
        check=False,
    )
    return told.stdout.strip()


def versions() -> dict[str, str]:
    """Returns the installed versions of the packages that numbers depend on."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = ""
    return found


def with_own_command(text: str) -> str:
    """Returns a text with the command that calls the code that runs: `metric-robustness` once it is installed."""
    return text if in_checkout() else text.replace("python -m pipeline", "metric-robustness")


def checkout() -> Path:
    """Returns the checkout that holds the code.

    Raises:
        BenchError: If the code is an installed package.
    """
    if not in_checkout():
        raise BenchError(f"this needs a checkout of the benchmark; {CODE} is an installed package: work in a clone")
    return CODE


def project() -> Path:
    """Returns the folder that holds data/, results/, build/, and the metrics, attacks and defences of a user.

    It is what --project names, else the working directory. Anywhere in a checkout it is the checkout.

    Raises:
        BenchError: If the folder cannot be read, or is a checkout of the benchmark whose code does not run.
    """
    chosen = os.environ.get(PROJECT, "")
    subject = "the project's folder" if chosen else "the working directory"
    try:
        folder = Path(chosen).expanduser().resolve() if chosen else Path.cwd()
    except (OSError, RuntimeError) as error:  # RuntimeError: no home is known for ~user
        raise BenchError(
            f"{subject} must exist; it does not: cd to a folder that does, or correct --project"
        ) from error
    if not chosen and folder.is_relative_to(CODE) and in_checkout():
        return CODE
    if not folder.is_dir() or not os.access(folder, os.R_OK | os.X_OK):
        raise BenchError(f"{subject} must be a folder that you may read; got {folder}: name another with --project")
    if folder != CODE and _holds_the_benchmark(folder):
        raise BenchError(
            f"{folder} is a checkout of the benchmark, but the code of {CODE} runs: "
            "run python -m pipeline in that checkout, or name another folder with --project"
        )
    return folder


def roots() -> tuple[Path, ...]:
    """Returns the folders that hold metrics/, attacks/ and defences/, each once: the code's first, then the project's.

    Those that --include names and those of installed packages follow.

    Raises:
        BenchError: If one of them cannot be used.
    """
    return tuple(dict.fromkeys((CODE, project(), *included(), *installed())))


def included() -> tuple[Path, ...]:
    """Returns the folders that --include or METRIC_ROBUSTNESS_INCLUDE names.

    Raises:
        BenchError: If one holds no folder of entries, or is a checkout of the benchmark.
    """
    named = [Path(name).expanduser().resolve() for name in os.environ.get(INCLUDE, "").split(os.pathsep) if name]
    for folder in named:
        if folder != CODE and _holds_the_benchmark(folder):
            raise BenchError(f"--include must name a folder of entries; {folder} is a checkout of the benchmark")
        if not any((folder / name).is_dir() for name in FOLDERS):
            raise BenchError(f"--include must name a folder that holds {_either()}; {folder} holds none: correct it")
    return tuple(named)


@cache
def installed() -> tuple[Path, ...]:
    """Returns the folders of installed packages that declare entries.

    A package declares its own folder of metrics so, and attacks and defences likewise:

        [project.entry-points."metric_robustness.metrics"]
        anything = "their_package.metrics"

    Raises:
        BenchError: If a declared folder is not there.
    """
    declared = entry_points()
    return tuple(
        dict.fromkeys(
            _declared(point, folder) for folder in FOLDERS for point in declared.select(group=f"{PACKAGE}.{folder}")
        )
    )


def _declared(point: EntryPoint, folder: str) -> Path:
    """Returns the root that an entry point stands for; the package is found, and not imported."""
    package, *rest = point.module.split(".")
    spec = find_spec(package)
    found = [Path(place, *rest).resolve() for place in (spec.submodule_search_locations or () if spec else ())]
    there = next((path for path in found if path.name == folder and path.is_dir()), None)
    if there is None:
        owner = point.dist.name if point.dist else point.value
        raise BenchError(
            f"entry point {point.name} of package {owner} must name a folder called {folder}, such as "
            f"their_package.{folder}; got {point.value}: correct the package, or uninstall it"
        )
    return there.parent


def _either() -> str:
    return f"{'/, '.join(FOLDERS[:-1])}/ or {FOLDERS[-1]}/"


def results() -> Path:
    """Returns the folder of the tables that are committed for readers."""
    return project() / "results"


def _holds_the_benchmark(folder: Path) -> bool:
    return (folder / "pipeline" / "benchmark.yml").is_file() and (folder / "metrics" / "base.py").is_file()
