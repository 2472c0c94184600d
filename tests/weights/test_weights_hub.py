"""Files of a hub, as its own library finds them, and repositories that are needed whole."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from file_server import COMMIT, Fault
from weights_site import HUB, METRIC, ON_HUB, Site, body, errors, sha256


def loaded(site: Site) -> bytes:
    """Returns what the hub's library finds offline."""
    code = "from huggingface_hub import hf_hub_download as get; print(get('timm/net', 'model.safetensors'))"
    environment = os.environ | site.environment | {"HF_HUB_OFFLINE": "1"}
    told = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return Path(told.stdout.strip()).read_bytes()


def test_a_hub_file_is_found_by_the_hubs_own_library(site):
    answer = site.call("fetch", "on_hub")
    assert answer.returncode == 0, answer.stderr
    assert loaded(site) == body(site, ON_HUB)
    repository = site.home / "huggingface" / "hub" / "models--timm--net"
    assert (repository / "refs" / "main").read_text() == COMMIT
    assert (repository / "blobs" / sha256(body(site, ON_HUB))).is_file()
    assert f"{sha256(body(site, ON_HUB))}  {ON_HUB}" in site.pins


def test_a_hub_file_of_a_mirror_is_found_too(site, tmp_path):
    mirror = tmp_path / "mirror"
    (mirror / ON_HUB).parent.mkdir(parents=True)
    (mirror / ON_HUB).write_bytes(body(site, ON_HUB))
    answer = site.call("fetch", "on_hub", "--mirror", mirror, HF_HUB_OFFLINE="1")
    assert answer.returncode == 0, answer.stderr
    assert loaded(site) == body(site, ON_HUB)
    assert site.server.requests == []


def test_other_bytes_than_the_hub_announces_are_refused(site):
    right = body(site, ON_HUB)
    site.server.sums[HUB] = sha256(b"another file")
    answer = site.call("fetch", "on_hub")
    assert answer.returncode == 3
    assert (
        f"{ON_HUB} must have the sha256 {sha256(b'another file')} (as announced); got {sha256(right)}" in answer.stderr
    )
    assert not list((site.home / "huggingface").rglob(HUB))


@pytest.fixture
def large(site: Site) -> Site:
    """Returns the site with a metric that needs a whole repository, and whose manifest says so."""
    site.server.files = {"config.json": b"{}", "part-1.bin": b"one", "a/part-2.bin": b"two", "README.md": b"text"}
    declared = "huggingface/many/parts/config.json"
    manifest = site.tree.root / "pipeline" / "weights" / "manifest.yml"
    known = yaml.safe_load(manifest.read_text())
    known["files"][declared] = {"whole_repository": True}
    manifest.write_text(yaml.safe_dump(known))
    site.tree.write("metrics/large.py", METRIC.format(title="Large", weights=(declared,)))
    return site


def present(site: Site) -> dict[str, bytes]:
    snapshot = site.home / "huggingface" / "hub" / "models--many--parts" / "snapshots"
    return {str(path.relative_to(snapshot)): path.read_bytes() for path in snapshot.rglob("*") if path.is_file()}


def test_a_whole_repository_is_fetched_where_one_file_stands_for_it(large):
    answer = large.call("fetch", "large")
    assert answer.returncode == 0, answer.stderr
    parts = {"config.json": b"{}", "part-1.bin": b"one", "a/part-2.bin": b"two"}
    assert present(large) == {f"{COMMIT}/{name}": data for name, data in parts.items()}
    assert large.server.asked()[0].startswith("api/models/many/parts/tree/main")
    assert answer.stderr.splitlines()[-2].startswith("fetched: huggingface/many/parts/config.json")


def test_the_file_that_stands_for_a_repository_is_not_put_beside_a_gap(large):
    large.server.faults["a/part-2.bin"] = [Fault(status=404)]
    answer = large.call("fetch", "large")
    assert answer.returncode == 3
    [line] = errors(answer.stderr)
    assert line.startswith("error: large: ")
    assert set(present(large)) == {f"{COMMIT}/part-1.bin"}
    assert large.call("fetch", "large").returncode == 0
    assert set(present(large)) == {f"{COMMIT}/{name}" for name in ("config.json", "part-1.bin", "a/part-2.bin")}


def test_a_hub_that_does_not_list_a_repository_is_one_line(large):
    large.server.faults["api/models/many/parts/tree/main?recursive=true"] = [Fault(status=404)]
    answer = large.call("fetch", "large")
    assert answer.returncode == 3
    [line] = errors(answer.stderr)
    assert "answers 404" in line


def test_a_whole_repository_passes_through_a_mirror(large, tmp_path):
    assert large.call("mirror", tmp_path / "mirror", "large").returncode == 0
    large.server.requests.clear()
    answer = large.call("fetch", "large", "--mirror", tmp_path / "mirror", HF_HUB_OFFLINE="1")
    assert answer.returncode == 0, answer.stderr
    assert len(present(large)) == 3
    assert large.server.requests == []


def test_the_pins_of_a_whole_repository_are_taken_back_together(large):
    assert large.call("fetch", "large").returncode == 0
    assert len(large.pins.splitlines()) == 3
    assert large.call("unpin", "large").returncode == 0
    assert large.pins == ""
