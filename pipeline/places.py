"""Where things lie: the folders of code, and the project whose data and results a command works on."""

from __future__ import annotations

import os
import tomllib
from importlib import metadata
from pathlib import Path

from metric_robustness.pipeline.errors import BenchError

PACKAGE = "metric_robustness"  # the one name under which metrics, attacks, defences and pipeline are imported
CODE = Path(__file__).resolve().parents[1]  # holds these four folders: a checkout, or the installed package
PROJECT = "METRIC_ROBUSTNESS_PROJECT"  # the variable by which worker processes learn of --project


def in_checkout() -> bool:
    """Tells whether the code that runs lies in a checkout, not in an installed package."""
    return (CODE / PACKAGE / "__init__.py").is_file()


def version() -> str:
    """Returns the version of the code that runs."""
    if in_checkout():
        return str(tomllib.loads((CODE / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"])
    return metadata.version(PACKAGE)


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
    """Returns the folders that hold metrics/, attacks/ and defences/: the code's, and the project's if that differs.

    Raises:
        BenchError: If the project cannot be used.
    """
    own = project()
    return (CODE,) if own == CODE else (CODE, own)


def results() -> Path:
    """Returns the folder of the tables that are committed for readers."""
    return project() / "results"


def _holds_the_benchmark(folder: Path) -> bool:
    return (folder / "pipeline" / "benchmark.yml").is_file() and (folder / "metrics" / "base.py").is_file()
