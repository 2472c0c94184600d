"""Entries outside the repository: folders that --include names, and packages that are installed."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from scratch import BRIGHTNESS, PACKAGE, ROOT

from metric_robustness.pipeline import places
from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.errors import BenchError

GLOW = (
    BRIGHTNESS.lstrip()
    .replace("Brightness", "Glow")
    .replace(f"from {PACKAGE}.metrics.base", f"from nice_package.layers import GAIN\nfrom {PACKAGE}.metrics.base")
    .replace("return (", "return GAIN * (")
)
PUSH = f'''
"""Push: one step of the gradient's signs.

Nobody. 2026. https://example.org/push
"""

from dataclasses import dataclass

from {PACKAGE}.attacks.base import Attack, Budget, Images, Noise, Objective


@dataclass(frozen=True)
class Push(Attack):
    access = "white"
    family = "sign"
    formula = "x ← x + eps·sign(∇J(x))"

    def perturb(self, images: Images, objective: Objective, noise: Noise) -> Images:
        return images + self.eps * objective.gradient(images).sign()

    def budget(self) -> Budget:
        return Budget(queries=1, gradients=1)
'''.lstrip()
NICE = f"""
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "nice-package"
version = "1.0"

[project.entry-points."{PACKAGE}.metrics"]
nice = "nice_package.metrics"

[project.entry-points."{PACKAGE}.attacks"]
nice = "nice_package.attacks"

[tool.setuptools]
packages = ["nice_package", "nice_package.attacks", "nice_package.metrics"]
"""


def write(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def here(tmp_path):
    """Returns the program, as it runs in a folder without entries beside installed packages."""
    (tmp_path / "elsewhere").mkdir()

    def call(*words, packages=""):
        told = subprocess.run(
            [sys.executable, "-c", f"from {PACKAGE}.pipeline.__main__ import main; main()", *map(str, words)],
            cwd=tmp_path / "elsewhere",
            env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(packages)]), "PYTHONSAFEPATH": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert "Traceback" not in told.stderr, told.stderr
        return told

    return call


@pytest.mark.whole
@pytest.mark.slow
def test_entries_of_an_installed_package_are_listed_checked_and_run(here, tmp_path):
    source = write(
        tmp_path / "source",
        {
            "pyproject.toml": NICE,
            "nice_package/__init__.py": 'raise RuntimeError("the package of others must not be imported to be listed")',
            "nice_package/layers.py": "GAIN = 0.5\n",
            "nice_package/metrics/__init__.py": "",
            "nice_package/metrics/glow.py": GLOW,
            "nice_package/attacks/__init__.py": "",
            "nice_package/attacks/push.py": PUSH,
        },
    )
    packages = tmp_path / "packages"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*command, "--target", str(packages), str(source)], check=True)

    listed = json.loads(here("list", "metrics", "--json", packages=packages).stdout)
    assert {"name": "glow", "state": "ready"}.items() <= next(row for row in listed if row["name"] == "glow").items()
    (packages / "nice_package" / "__init__.py").write_text("")
    checked = here("check", "glow", "push", packages=packages)
    assert checked.returncode == 0, checked.stdout
    words = ("run", "--metrics", "glow", "--attacks", "push", "--dataset", "sample", "--limit", 1, "--out", "out")
    assert here(*words, packages=packages).returncode == 0
    stamp = tmp_path / "elsewhere" / "out" / "glow" / "push.json"
    first = json.loads(stamp.read_text())
    (packages / "nice_package" / "layers.py").write_text("GAIN = 0.25\n")  # a module that the entry imports
    assert here(*words, packages=packages).returncode == 0
    second = json.loads(stamp.read_text())
    assert first["metric"]["fingerprint"] != second["metric"]["fingerprint"]
    assert first["attack"]["fingerprint"] == second["attack"]["fingerprint"]


def test_an_installed_package_that_declares_no_folder_is_named(here, tmp_path):
    about = "Metadata-Version: 2.1\nName: odd-package\nVersion: 1\n"
    points = f"[{PACKAGE}.metrics]\nodd = odd_package.quality\n"
    packages = write(
        tmp_path / "packages",
        {
            "odd_package/__init__.py": "",
            "odd_package-1.dist-info/METADATA": about,
            "odd_package-1.dist-info/entry_points.txt": points,
        },
    )
    told = here("list", packages=packages)
    assert told.returncode == 2
    [line] = told.stderr.splitlines()
    assert "entry point odd of package odd-package must name a folder called metrics" in line
    assert "got odd_package.quality" in line


@pytest.mark.whole
def test_entries_of_an_included_folder_are_listed_and_found_as_the_variable_says(here, tmp_path, monkeypatch):
    folder = write(tmp_path / "ours", {"metrics/dim.py": BRIGHTNESS.lstrip(), "attacks/push.py": PUSH})
    listed = json.loads(here("--include", folder, "list", "--json").stdout)
    assert "dim" in [row["name"] for row in listed["metrics"]]
    assert "push" in [row["name"] for row in listed["attacks"]]
    assert "no metric is named 'dim'" in here("run", "--metrics", "dim", "--out", tmp_path / "out").stderr
    monkeypatch.setenv(places.INCLUDE, str(folder))
    assert lookup.find("metrics", "dim").root == folder
    assert lookup.find("metrics", "dim").fingerprint


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"README.md": ""}, "--include must name a folder that holds metrics/, attacks/ or defences/; {folder} holds"),
        ({"pipeline/benchmark.yml": "", "metrics/base.py": ""}, "{folder} is a checkout of the benchmark"),
    ],
)
def test_a_folder_that_cannot_be_included_is_named(tmp_path, monkeypatch, files, told):
    folder = write(tmp_path / "ours", files)
    monkeypatch.setenv(places.INCLUDE, str(folder))
    with pytest.raises(BenchError) as error:
        lookup.entries("metrics")
    assert told.format(folder=folder) in str(error.value)


def test_a_name_in_two_folders_is_refused_with_both_files(tmp_path, monkeypatch):
    folders = [write(tmp_path / name, {"metrics/dim.py": BRIGHTNESS.lstrip()}) for name in ("a", "b")]
    monkeypatch.setenv(places.INCLUDE, os.pathsep.join(map(str, folders)))
    first, second = (folder / "metrics" / "dim.py" for folder in folders)
    assert lookup.find("metrics", "dim").problem == f"{second} has the name of {first}: rename one of the two files"


def test_a_module_in_two_folders_is_refused_with_both_files(tmp_path, monkeypatch):
    """Python would take either of them, for the entries of both folders."""
    text = BRIGHTNESS.lstrip().replace("from ", f"from {PACKAGE}.metrics.glow_adapter import GAIN\nfrom ", 1)
    folders = [
        write(tmp_path / name, {f"metrics/{name}.py": text, "metrics/glow_adapter.py": "GAIN = 1\n"})
        for name in ("a", "b")
    ]
    monkeypatch.setenv(places.INCLUDE, os.pathsep.join(map(str, folders)))
    first, second = (folder / "metrics" / "glow_adapter.py" for folder in folders)
    told = f"{PACKAGE}.metrics.glow_adapter must be one file; it is {first} and {second}: rename one of the two"
    assert lookup.find("metrics", "a").problem == f"metrics/a.py: {told}"


def test_a_relative_import_is_refused(tmp_path, monkeypatch):
    text = BRIGHTNESS.lstrip().replace("from metric_robustness.metrics.base", "from .base")
    monkeypatch.setenv(places.INCLUDE, str(write(tmp_path, {"metrics/dim.py": f"{text}\nimport {PACKAGE}\n"})))
    assert "must import by full names" in lookup.find("metrics", "dim").problem


@pytest.mark.parametrize("content", [b"", b'"""Title."""\nx = 1\n', '"""Größe."""\n'.encode("latin-1")])
def test_a_file_that_is_no_entry_says_what_it_lacks(tmp_path, monkeypatch, content):
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics" / "empty.py").write_bytes(content)
    monkeypatch.setenv(places.INCLUDE, str(tmp_path))
    for find in (lookup.find_anywhere, lambda name: lookup.find("metrics", name)):
        with pytest.raises(BenchError, match=r"empty\.py imports nothing from metric_robustness: inherit from a class"):
            find("empty")
