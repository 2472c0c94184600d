"""What every metric declares about itself, and the page that lists it."""

from __future__ import annotations

import re

import pytest
from pyiqa.default_model_configs import DEFAULT_CONFIGS

from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.catalogue.entry import Entry, weights_path
from metric_robustness.pipeline.cli.pages import docs_pages
from metric_robustness.pipeline.library.listing import listing

METRICS = lookup.entries("metrics")
SETS = {"fid", "sfid", "fid_dinov2", "inception_score"}  # they rate sets of images
OURS = "its arithmetic is ours, in less time; test_against_pyiqa.py compares the scores"
ELSEWHERE = {  # pyiqa's name: why no entry has it as its model
    **dict.fromkeys(("cw_ssim", "fsim", "gmsd", "nlpd", "psnr", "psnry", "ssimc", "vif", "vsi"), OURS),
    "clipscore": "rates a caption",
    "fgresq_pair": "its score of an image is fgresq's; of the pair it gives a discrete rank",
    "qrealign": "another name of qrealign-mini",
    "mad": OURS,
    "piqe": OURS,
    "niqe": "niqe_official, in fewer steps",
    "ssim": "ssim, in fewer steps",
    "entropy": "entropy, in a hundredth of the time",
    "ms_ssim": "ms_ssim, in fewer steps",
    "fgresq": "fgresq, with a part of CLIP found where transformers has it now",
    "maclip": "maclip, on any device",
}


def test_every_metric_of_pyiqa_has_an_entry() -> None:
    named = {entry.fields.get("model") for entry in METRICS.values()}
    assert DEFAULT_CONFIGS.keys() - SETS - ELSEWHERE.keys() - named == set()
    ours = {name for name, why in ELSEWHERE.items() if why == OURS}
    assert ours | {"fgresq", "maclip", "ms_ssim", "niqe_official", "qrealign_mini", "ssim"} <= METRICS.keys()


@pytest.mark.parametrize("entry", METRICS.values(), ids=METRICS)
def test_metadata_is_complete(entry: Entry) -> None:
    assert entry.problem == ""
    fields = entry.fields
    assert fields["trained_on"]
    assert fields["licence"]
    assert fields["cost"] in {"light", "heavy"}
    assert fields["gpu_memory"] > 0
    assert len(entry.title) > len(entry.name)
    for weight in fields["weights"]:
        assert weights_path(weight)
        assert re.search(r"^(weights|hub/(pyiqa|checkpoints|clip)|clip|huggingface/[^/]+/[^/]+)/[^/]+$", weight)


@pytest.mark.parametrize(
    "name", [name for name, entry in METRICS.items() if entry.fields.get("model") in DEFAULT_CONFIGS]
)
def test_kind_and_direction_are_pyiqas(name: str) -> None:
    config, entry = DEFAULT_CONFIGS[METRICS[name].fields["model"]], METRICS[name]
    assert entry.kind == config["metric_mode"]
    if name != "dmm":  # a distance, which pyiqa calls higher-is-better
        assert entry.fields["higher_is_better"] != config.get("lower_better", False)


def test_list_says_what_is_unverified() -> None:
    verified = {row["name"]: row["verified"] for row in listing("metrics")}
    assert verified["psnr"] == "yes"
    assert verified["maniqa"] == "unverified"
    assert set(verified.values()) == {"yes", "unverified"}


def test_the_page_is_what_the_files_say() -> None:
    page = docs_pages.page_of("metrics")
    written = page.path.read_text(encoding="utf-8")
    assert written == page.text, "run python -m pipeline catalogue"
    assert all(f"| {name} |" in written for name in METRICS)
