"""The installed package: it holds all that it needs, and takes no folder of the user's for its own."""

from __future__ import annotations

import ast
import json
import os
import shutil
import site
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from scratch import BRIGHTNESS, PACKAGE, ROOT

from metric_robustness.pipeline.catalogue import lookup

FOLDERS = ("metrics", "attacks", "defences", "pipeline")


# ---------------------------------------------------------------- one name


@pytest.mark.whole
def test_nothing_imports_a_short_name():
    """A module imported under two names is loaded twice; isinstance() fails between the classes of the two copies."""
    found = []
    for path in [path for folder in (*FOLDERS, "benchmarks", "tests") for path in (ROOT / folder).rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found += [f"{path.relative_to(ROOT)}: {name}" for name in names if name.split(".")[0] in FOLDERS]
    assert found == []


@pytest.mark.whole
def test_the_command_of_a_checkout_loads_nothing_under_a_short_name():
    told = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "pipeline", "list", "attacks"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {line.rpartition("|")[2].strip() for line in told.stderr.splitlines() if line.startswith("import time:")}
    assert f"{PACKAGE}.pipeline.catalogue.lookup" in loaded
    assert {name for name in loaded if name.split(".")[0] in FOLDERS} <= {"pipeline"}


def test_an_entry_that_imports_a_short_name_is_told_the_long_one(tree):
    tree.write("metrics/brightness.py", BRIGHTNESS.replace(f"from {PACKAGE}.", "from "))
    told = tree.call("check", "brightness", "--json")
    assert told.returncode == 3
    assert f"must import {PACKAGE}.metrics.base; got metrics.base: write the longer name" in told.stdout


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(("how", "is_now"), [("text", "a file"), ("gone", "missing")])
def test_a_checkout_without_links_says_what_to_do(tree, how, is_now):
    link = tree.root / PACKAGE / "attacks"
    link.unlink()
    if how == "text":  # git writes a link so where the file system has none
        link.write_text("../attacks")
    told = subprocess.run(
        [sys.executable, "-m", "pipeline", "list"], cwd=tree.root, capture_output=True, text=True, check=False
    )
    assert told.returncode == 1
    [line] = told.stderr.splitlines()
    assert f"must be a link to ../attacks; it is {is_now}" in line
    assert "core.symlinks=true" in line
    told = subprocess.run(
        [sys.executable, "-c", f"import {PACKAGE}"], cwd=tree.root, capture_output=True, text=True, check=False
    )
    assert told.stderr.splitlines()[-1] == f"ImportError: {line.removeprefix('error: ')}"


def here(*arguments: object, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs the program of this checkout from another folder, as an installed one runs."""
    return subprocess.run(
        [sys.executable, "-c", f"from {PACKAGE}.pipeline.__main__ import main; main()", *map(str, arguments)],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1", "COLUMNS": "120"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_another_checkout_is_not_taken_for_a_project(tree, tmp_path):
    for told in (here("list", cwd=tree.root), here("--project", tree.root, "list", cwd=tmp_path)):
        assert told.returncode == 2
        [line] = told.stderr.splitlines()
        assert (
            f"{tree.root} is a checkout of the benchmark, but the code of {ROOT} runs: run python -m pipeline" in line
        )


def test_python_m_pipeline_runs_the_checkout_that_it_stands_in(tree):
    told = subprocess.run(
        [sys.executable, "-c", f"import {PACKAGE}.pipeline.places as places; print(places.CODE, places.project())"],
        cwd=tree.root,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.split() == [str(tree.root)] * 2


def test_a_project_that_is_not_there_is_one_line(tmp_path):
    told = here("--project", tmp_path / "nowhere", "list", cwd=tmp_path)
    assert told.returncode == 2
    assert told.stderr.splitlines() == [
        f"error: the project's folder must be a folder that you may read; got {tmp_path / 'nowhere'}: name another "
        "with --project"
    ]


def test_a_working_directory_that_was_removed_is_one_line(tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    code = f"import os; os.rmdir({str(gone)!r}); from {PACKAGE}.pipeline.__main__ import main; main()"
    told = subprocess.run(
        [sys.executable, "-c", code, "list"],
        cwd=gone,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 2
    [line] = told.stderr.splitlines()
    assert line.startswith("error: the working directory must exist; it does not: cd to a folder that does")


@pytest.mark.whole
def test_a_name_of_the_benchmark_is_not_given_twice(tmp_path):
    file = tmp_path / "metrics" / "psnr.py"
    file.parent.mkdir()
    file.write_text(BRIGHTNESS.lstrip())
    told = here("check", "psnr", "--json", cwd=tmp_path)
    assert told.returncode == 3
    assert f"{file} has the name of {ROOT / 'metrics' / 'psnr.py'}: rename one of the two files" in told.stdout


# ---------------------------------------------------------------- the wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the wheel of the checkout, built from a copy without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in (*FOLDERS, PACKAGE):
        shutil.copytree(ROOT / name, source / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "requirements.lock"):
        shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*command, "--wheel-dir", str(folder), str(source)], check=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def program(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the installed program, in an environment that borrows the packages of this one."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False, symlinks=True)
    [target] = folder.glob("lib/python*/site-packages")
    command = [
        sys.executable,
        "-m",
        "pip",
        "--quiet",
        "--python",
        str(folder / "bin" / "python"),
        "install",
        "--no-deps",
    ]
    subprocess.run([*command, "--no-index", str(wheel)], check=True)
    # Numba would compile its functions again, in each process for ten seconds, were they not found beside their file.
    for cached in (ROOT / "pipeline").rglob("*.nb[ic]"):
        there = target / PACKAGE / cached.relative_to(ROOT).parent
        there.mkdir(exist_ok=True)
        shutil.copy2(cached, there)
        name = f"{cached.name.partition('.')[0]}.py"
        shutil.copystat(cached.parent.parent / name, there.parent / name)  # what was compiled of an older file is left
    # Python adds these folders as paths, but reads no .pth file in them, such as that of an editable install.
    (target / "borrowed.pth").write_text("".join(f"{path}\n" for path in site.getsitepackages()), encoding="utf-8")
    return folder / "bin" / "metric-robustness"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a folder of a user who has packages of the same names, which nobody may import."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("metrics", "attacks", "pipeline"):
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text('raise RuntimeError("this is the package of the user")\n')
        (folder / name / "helpers.py").write_text("ANSWER = 42\n")
    return folder


@pytest.mark.slow
def test_the_wheel_holds_all_that_lies_in_the_folders(wheel, tmp_path):
    shutil.unpack_archive(wheel, tmp_path, "zip")
    told = subprocess.run(["git", "ls-files", *FOLDERS], cwd=ROOT, capture_output=True, text=True, check=False)
    if told.returncode:
        pytest.skip("only git knows which files are the project's")
    there = [name for name in told.stdout.splitlines() if (ROOT / name).is_file()]
    assert len(there) > 100
    assert [name for name in there if not (tmp_path / PACKAGE / name).is_file()] == []
    for name in ("py.typed", "requirements.lock"):
        assert (tmp_path / PACKAGE / name).is_file()
    assert {path.name for path in tmp_path.iterdir() if not path.name.endswith(".dist-info")} == {PACKAGE}


@pytest.mark.slow
def test_the_installed_program_works_in_a_folder_of_other_packages(program, project):
    def call(*words: object) -> str:
        """Runs the program, the user's packages first on Python's path."""
        told = subprocess.run(
            [program, *map(str, words)],
            cwd=project,
            env=os.environ | {"PYTHONPATH": str(project), "COLUMNS": "200", "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert told.returncode == 0, told.stdout + told.stderr
        return told.stdout + told.stderr

    known = len(lookup.entries("metrics"))
    assert "not a git checkout" in call("doctor")
    listed = call("list")
    assert "psnr" in listed
    assert f"{known} metrics" in listed  # trained ones included
    assert "wrote metrics/glow.py; fill it in, then: metric-robustness check glow" in call("new", "metric", "glow")
    shared = f"from {PACKAGE}.metrics.glow_adapter import FACTOR\n"
    (project / "metrics" / "glow_adapter.py").write_text("FACTOR = 1.0\n")
    glow = project / "metrics" / "glow.py"
    text = glow.read_text()
    glow.write_text(
        text.replace(f"from {PACKAGE}", f"{shared}from {PACKAGE}", 1).replace("return (", "return FACTOR * (")
    )
    assert "✗" not in call("check", "psnr", "glow")
    found = json.loads(call("list", "--json"))
    assert len(found["metrics"]) == known + 1
    assert any(f"put it in {project / 'data'}" in str(row) for row in found["datasets"])
    call("run", "--metrics", "glow,psnr", "--attacks", "fgsm", "--preset", "smoke", "--jobs", 2, "--out", "build/try")
    assert len(list((project / "build" / "try").rglob("*.csv"))) >= 2
    call("report", "build/try", "--out", "build/page")
    assert (project / "build" / "page" / "index.html").is_file()
    assert "missing" in call("data", "list")


@pytest.mark.slow
def test_the_installed_library_works_beside_other_packages(program, project):
    """A user's own packages come first on Python's path, and PyTorch is loaded only when something is run."""
    code = f"""
import sys
import attacks, metrics
assert "helpers" not in sys.modules
import {PACKAGE} as mr
assert len(mr.catalogue("attacks")) > 10 and "torch" not in sys.modules
import torch
report = mr.evaluate(
    lambda images: images.square().mean(dim=(1, 2, 3)), torch.rand(2, 3, 16, 16), higher_is_better=True,
    score_range=(0, 1), attacks="fgsm", progress=False,
)
print(len(report.rows), report.worst.value > 0, mr.__file__)
"""
    for name in ("attacks", "metrics"):
        (project / name / "__init__.py").write_text("")
    told = subprocess.run(
        [program.with_name("python"), "-c", code],
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(project), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    assert told.stdout.split()[:2] == ["2", "True"]
    assert str(program.parents[1]) in told.stdout


@pytest.mark.slow
def test_the_installed_entries_have_the_fingerprints_of_the_checkout(program, project):
    code = f"""
from {PACKAGE}.pipeline.catalogue import lookup
for folder in ("metrics", "attacks", "defences"):
    for entry in lookup.entries(folder).values():
        if entry.root is None:
            print(entry.folder, entry.name, entry.fingerprint, entry.problem)
"""
    told = subprocess.run(
        [program.with_name("python"), "-c", code], cwd=project, capture_output=True, text=True, check=True
    )
    here = [each for folder in FOLDERS[:3] for each in lookup.entries(folder).values()]
    assert told.stdout.splitlines() == [f"{each.folder} {each.name} {each.fingerprint} {each.problem}" for each in here]


@pytest.mark.slow
def test_what_needs_a_checkout_says_so(program, project):
    told = subprocess.run([program, "catalogue"], cwd=project, capture_output=True, text=True, check=False)
    assert told.returncode == 2
    [line] = told.stderr.splitlines()
    assert "needs a checkout of the benchmark" in line
