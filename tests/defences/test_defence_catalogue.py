"""What every defence declares about itself, and the listing and the page that show it."""

from __future__ import annotations

from dataclasses import fields

import pytest

from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.catalogue.entry import Entry
from metric_robustness.pipeline.cli.pages import docs_pages
from metric_robustness.pipeline.library.listing import listing

DEFENCES = lookup.entries("defences")
PURIFICATIONS = {  # those of the design's table, and small ones that run on any machine
    *("resize", "upscale_nearest", "upscale_bilinear", "upscale_bicubic", "flip", "crop", "rotate", "gaussian_blur"),
    *("median_blur", "jpeg", "diffjpeg", "color_quantization", "random_noise", "unsharp", "fcn", "real_esrgan"),
    *("mprnet", "diffpure", "diffpure_unsharp", "disco", "dncnn_small", "diffpure_small"),
}
# All values in the table, including the default.
VALUES = {
    "resize": ("scale", {0.1, 0.25, 0.5, 0.75, 0.9}),
    "rotate": ("degrees", {5, 10, 15}),
    "gaussian_blur": ("kernel", {3, 5, 7, 9, 11}),
    "median_blur": ("kernel", {3, 5, 7, 9, 11}),
    "jpeg": ("quality", {10, 30, 50, 70, 90}),
    "diffjpeg": ("quality", {10, 30, 50, 70, 90}),
    "color_quantization": ("levels", {2, 5, 16, 20, 25}),
    "random_noise": ("sigma", {0.01, 0.025, 0.05}),
    "diffpure": ("t", {5, 10, 20, 30, 50}),
    "diffpure_small": ("t", {5, 10, 20, 30, 50}),
    "diffpure_unsharp": ("t", {5, 10, 20, 30, 50}),
}


def test_every_purification_of_the_table_is_there() -> None:
    assert DEFENCES.keys() >= PURIFICATIONS
    assert [entry.problem for entry in DEFENCES.values() if entry.problem] == []


@pytest.mark.parametrize("name", VALUES)
def test_presets_and_default_are_the_values_of_the_table(name: str) -> None:
    entry, (setting, values) = DEFENCES[name], VALUES[name]
    changed = [changes.get(setting) for changes in entry.fields["presets"].values()]
    assert {float(entry.settings[setting]), *changed} == values
    assert len(changed) == len(values) - 1


@pytest.mark.parametrize("entry", DEFENCES.values(), ids=DEFENCES)
def test_settings_in_the_syntax_tree_are_the_dataclass_fields(entry: Entry) -> None:
    kind = entry.load()
    assert list(entry.settings) == [field.name for field in fields(kind)]
    assert entry.fields["licence"]
    assert len(entry.title) > len(entry.name)


def test_list_says_which_are_small_and_which_have_no_gradient() -> None:
    listed = {row["name"]: row for row in listing("defences")}
    assert {name for name, row in listed.items() if row["size"] == "small"} == {
        "dncnn_small",
        "diffpure_small",
        "denoised_median_smoothing",
    }
    through = {name for name, row in listed.items() if row["gradient"] == "straight through"}
    assert through == {"jpeg", "color_quantization"}
    assert listed["jpeg"]["presets"] == "q10, q30, q70, q90"


def test_the_page_is_what_the_files_say() -> None:
    page = docs_pages.page_of("defences")
    written = page.path.read_text(encoding="utf-8")
    assert written == page.text, "run python -m pipeline catalogue"
    assert all(f"| {name} |" in written for name in DEFENCES)
