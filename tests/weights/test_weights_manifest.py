"""The manifest against the entries of this checkout and the sources of the libraries that load the files."""

from __future__ import annotations

import ast
import re
from importlib.util import find_spec
from pathlib import Path

import huggingface_hub
import pytest

from metric_robustness.pipeline.catalogue.entry import weights_path
from metric_robustness.pipeline.files import file_digest
from metric_robustness.pipeline.weights import manifest
from metric_robustness.pipeline.weights.declared import declared

NEEDS = declared()


def folder(package: str) -> Path:
    """Returns where a package lies, without importing it."""
    return Path(find_spec(package).origin).parent


def source(package: str) -> str:
    """Returns all the Python text of a package."""
    return "\n".join(path.read_text() for path in sorted(folder(package).rglob("*.py")))


def clip_addresses(file: Path) -> list[str]:
    """Returns the addresses of the table _MODELS in a file."""
    tables = [
        ast.literal_eval(node.value)
        for node in ast.parse(file.read_text()).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_MODELS"
    ]
    return [address for table in tables for address in table.values()]


PYIQA = source("pyiqa")
NAMED = set(re.findall(r"get_url_from_name\(\s*(?:name=)?'([^']+)'", PYIQA))
ADDRESSES = set(re.findall(r"https://[^'\"\s]+", PYIQA + source("torchvision")))


BY_AUTHORS = {  # the files that READMEs link: of swz30/MPRNet, for denoising; of VQAssessment/FAST-VQA-and-FasterVQA
    "https://drive.usercontent.google.com/download?id=1LODPt9kYmxwU98g96UrRA0_Eh5HYcsRw&export=download&confirm=t",
    "https://github.com/TimothyHTimothy/FAST-VQA/releases/download/v2.0.0/FAST_VQA_B_1_4.pth",
}


@pytest.mark.parametrize("name", NEEDS)
def test_every_declared_file_has_a_licence_and_a_sound_address(name):
    weight = NEEDS[name].weight
    assert weight.licence
    if weight.own:
        assert weight.sha256 == file_digest(NEEDS[name].path)
        assert weight.size == NEEDS[name].path.stat().st_size
    elif weight.url:
        assert re.fullmatch(r"https://[a-z.]+/[\w./%+-]+(\?[\w=&-]+)?", weight.url)


@pytest.mark.parametrize("name", [name for name in NEEDS if name.startswith("hub/pyiqa/")])
def test_an_address_in_pyiqas_folder_is_the_one_that_pyiqa_asks(name):
    weight, file = NEEDS[name].weight, name.rpartition("/")[2]
    if file in NAMED:
        assert weight.url == huggingface_hub.hf_hub_url("chaofengc/IQA-PyTorch-Weights", file)
    else:
        assert "github.com/xinntao/facexlib/releases/download" in weight.url  # the only other one that writes there


@pytest.mark.parametrize("name", [name for name in NEEDS if name.startswith("hub/checkpoints/")])
def test_an_address_in_torch_hubs_folder_is_in_the_source_of_a_library(name):
    weight, file = NEEDS[name].weight, name.rpartition("/")[2]
    if not weight.url:
        assert not manifest.HASHED.search(file) or f"-{weight.sha256[:8]}." in file  # can only be imported
        return
    if weight.sha256 or weight.url in BY_AUTHORS:
        return  # whatever the address gives, no other file is taken; or the authors' own page names it
    assert weight.url in ADDRESSES or (
        file in NAMED and weight.url.endswith(f"IQA-PyTorch-Weights/resolve/main/{file}")
    )
    if weight.url.startswith("https://download.pytorch.org"):
        assert re.fullmatch(r"[0-9a-f]{8,}", weight.prefix)


@pytest.mark.parametrize(("place", "file"), [("clip", "clip/clip.py"), ("hub/clip", "pyiqa/archs/clip_model.py")])
def test_clips_files_have_the_sums_that_their_addresses_name(place, file):
    addresses = clip_addresses(folder(file.partition("/")[0]).parent / file)
    assert addresses
    for address in addresses:
        weight = manifest.weight(f"{place}/{address.rpartition('/')[2]}")
        assert (weight.url, weight.sha256) == (address, address.split("/")[-2])


def test_the_copies_of_the_development_folder_are_known(shared_data):
    home = shared_data / "weights" / "torch_home"
    for path in sorted(home.rglob("*.*")):
        weight = manifest.weight(str(path.relative_to(home)))
        assert weight.equivalents[file_digest(path)]


@pytest.mark.parametrize("variable", [None, "HF_HOME", "HF_HUB_CACHE"])
def test_a_hub_file_lies_where_the_library_puts_it(monkeypatch, tmp_path, variable):
    for name in ("HF_HOME", "HF_HUB_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    hub = {None: ".cache/huggingface/hub", "HF_HOME": "a/hub", "HF_HUB_CACHE": "a"}[variable]
    if variable:
        monkeypatch.setenv(variable, str(tmp_path / "a"))
    snapshots = tmp_path / hub / "models--timm--net" / "snapshots"
    assert weights_path("huggingface/timm/net/x.bin") == snapshots / "x.bin"
    for commit in ("older", "newer"):
        (snapshots / commit).mkdir(parents=True)
        (snapshots / commit / "x.bin").write_text(commit)
    (snapshots.parent / "refs").mkdir()
    (snapshots.parent / "refs" / "main").write_text("older")
    assert weights_path("huggingface/timm/net/x.bin") == snapshots / "older" / "x.bin"
