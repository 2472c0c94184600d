"""Every defence keeps the contract, and a check fails exactly for the promise that a defence breaks."""

from __future__ import annotations

import json

import pytest
from scratch import Tree

from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.catalogue.entry import Entry
from metric_robustness.pipeline.contract import check_entry

DEFENCES = lookup.entries("defences")
VALID = "return finite images in [0, 1], of the same size unless it says otherwise"
BATCH = "give the same image alone, in a batch and in another order"
DETERMINISTIC = "be deterministic, given its noise"
RANDOM = "be random if and only if it says so"
UNTOUCHED = "leave its input untouched"
GRADIENT = "pass a gradient, or let attacks go straight through"
QUIET = "leave the process as it found it"
ALIGNED = "show the same as the clear images once aligned"
LOADS = "be one file with a title, one class and literal metadata, that loads"

DEFENCE = """
    '''A defence with one thing wrong.'''

    from dataclasses import dataclass

    import torch
    from metric_robustness.defences.base import Defence


    @dataclass(frozen=True)
    class Broken(Defence):
        presets = {}
        share: float = 0.9

        def purify(self, images, noise):
            return images * self.share
"""
BROKEN = {  # name: old code, new code, the promises that it breaks, a part of the message
    "sound": ("", "", set(), ""),
    "smaller": ("images * self.share", "images[..., 1:]", {VALID}, "keep the size, or declare keeps_geometry = False"),
    "one_channel": ("images * self.share", "images.mean(1, keepdim=True)", {VALID}, "must return images of shape"),
    "nan": ("images * self.share", "images / images.sum().sub(images.sum())", {VALID}, "clamp them"),
    "nan_on_black": ("images * self.share", "images / images.amax((1, 2, 3), True)", {VALID}, "got nan to nan"),
    "brighter": ("images * self.share", "images * 1.2", {VALID}, "must return values in [0, 1]; got 0 to 1.2"),
    "mean_of_the_batch": (
        "images * self.share",
        "(images + images.mean(0)) / 2",
        {BATCH},
        "take nothing from the other images",
    ),
    "own_generator": (
        "images * self.share",
        "images * self.share + 0.01 * torch.rand_like(images)",
        {DETERMINISTIC},
        "draw from `noise`, and only there",
    ),
    "random_and_silent": (
        "images * self.share",
        "images * self.share + 0.01 * noise.uniform(images).abs()",
        {RANDOM},
        "another draw changes it",
    ),
    "said_to_be_random": ("presets = {}", "random = True", {RANDOM}, "another draw changes nothing"),
    "in_place": ("images * self.share", "images.mul_(0.9)", {UNTOUCHED}, "a copy"),
    "changes_threads": (
        "images * self.share",
        "images if torch.set_num_threads(3) else images * self.share",
        {QUIET},
        "torch's number of threads",
    ),
    "rounds": ("images * self.share", "images.round()", {GRADIENT}, "declare differentiable = False"),
    "detached": ("images * self.share", "images.detach()", {GRADIENT}, "declare differentiable = False"),
    "infinite_slope": ("images * self.share", "(images - images.amin()).sqrt()", {GRADIENT}, "not finite"),
    "no_way_straight_through": (
        "presets = {}",
        "differentiable = False\n        keeps_geometry = False",
        {GRADIENT},
        "needs every pixel in its place",
    ),
    "moves_pixels": ("images * self.share", "images.flip(3)", {ALIGNED}, "correct `align`"),
    "preset_of_nothing": ("presets = {}", 'presets = {"strong": {"steps": 9}}', {LOADS}, "cannot be built"),
    "preset_misnamed": ("presets = {}", 'presets = {"50 %": {"share": 0.5}}', {LOADS}, "must match"),
    "does_not_import": ("import torch", "import torch\n    import no_such_package", {LOADS}, "does not import"),
}


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, str]]]:
    """Returns the checks of every broken defence, by its name."""
    tree = Tree.copy_to(tmp_path_factory.mktemp("contract") / "tree")
    for name, (old, new, _, _) in BROKEN.items():
        assert old in DEFENCE
        tree.write(f"defences/d_{name}.py", DEFENCE.replace(old, new, 1) if old else DEFENCE)
    finished = tree.call("check", *(f"d_{name}" for name in BROKEN), "--json")
    assert finished.returncode == 3, finished.stderr
    return {found["name"]: found["checks"] for found in map(json.loads, finished.stdout.splitlines())}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_defence_fails_what_it_breaks_and_nothing_else(verdicts: dict, name: str) -> None:
    red = [check for check in verdicts[f"d_{name}"] if check["status"] == "failed"]
    assert {check["promise"] for check in red} == BROKEN[name][2]
    assert not red or any(BROKEN[name][3] in check["seen"] for check in red), red
    assert all("\n" not in check["seen"] for check in red)


def test_every_promise_is_broken_by_someone(verdicts: dict) -> None:
    broken = {check["promise"] for checks in verdicts.values() for check in checks if check["status"] == "failed"}
    assert {check["promise"] for check in verdicts["d_sound"]} <= broken


@pytest.mark.parametrize(
    "entry",
    DEFENCES.values(),
    ids=[f"{e.name}, weights missing" if e.missing_weights() else e.name for e in DEFENCES.values()],
)
def test_every_defence_keeps_the_contract(entry: Entry) -> None:
    checks = check_entry(entry)
    assert [check for check in checks if check.status == "failed"] == []
    assert any(check.status == "skipped" for check in checks) == bool(entry.missing_weights())
    presets, promises = len(entry.fields["presets"]), 5 if entry.kind == "training" else 8
    assert entry.missing_weights() or len(checks) == 1 + promises * (1 + presets)
