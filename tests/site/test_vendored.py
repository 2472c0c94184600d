"""The libraries in pipeline/site/vendor are what package-lock.json names, byte by byte."""

import json
from pathlib import Path

import pytest
from needed import absent

ROOT = Path(__file__).resolve().parents[2]
VENDOR = ROOT / "pipeline" / "site" / "vendor"
MODULES = ROOT / "node_modules"
LIBRARIES = {
    "d3": "dist/d3.min.js",
    "@observablehq/plot": "dist/plot.umd.min.js",
    "datatables.net": "js/dataTables.min.js",
}


@pytest.fixture(scope="module")
def modules():
    missing = [name for name in LIBRARIES if not (MODULES / name).is_dir()]
    if missing:
        absent(f"node_modules must hold {', '.join(missing)}: run npm ci")
    return MODULES


def test_they_are_what_npm_brings(modules):
    told = {file.name: file.read_bytes() for file in VENDOR.glob("*.js")}
    brought = [modules / name / file for name, file in LIBRARIES.items()]
    assert told == {file.name: file.read_bytes() for file in brought}, "run npm run vendor"


def test_their_licences_go_with_them(modules):
    licences = (VENDOR / "LICENSES.txt").read_text(encoding="utf-8")
    for name in (*LIBRARIES, "isoformat", "interval-tree-1d", "binary-search-bounds"):  # Plot bundles the last three
        (own,) = (modules / name).glob("[Ll][Ii][Cc]*")
        assert own.read_text(encoding="utf-8").strip() in licences, name


def test_versions_are_exact_and_the_lock_names_no_host():
    wanted = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))["devDependencies"]
    lock = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    assert {name: lock[f"node_modules/{name}"]["version"] for name in wanted} == wanted
    assert not [name for name, package in lock.items() if "resolved" in package]
