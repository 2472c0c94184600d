"""Estimated seconds: near the real ones where passes were measured, and called a guess where they were not."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from planning import INVENTORY, PASSES, PRESET, TRAINED, attack, metric, past

from benchmarks.plans.estimates import compare, compare_fits
from metric_robustness.pipeline import config
from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.catalogue.entry import DefendedAs
from metric_robustness.pipeline.cells.cell import Cell
from metric_robustness.pipeline.cells.fit import Fit
from metric_robustness.pipeline.cells.settings import Settings, settings_of
from metric_robustness.pipeline.cells.speed import PassSpeed, read_speeds, speeds_to_csv
from metric_robustness.pipeline.ci.estimates import (
    CONTAINER,
    GPU,
    JOB,
    LAST,
    LIGHT,
    MEASURED,
    Estimates,
    Experience,
    JobSeconds,
)
from metric_robustness.pipeline.ci.fit_history import PastFit, fits_to_csv, read_fit_history
from metric_robustness.pipeline.ci.inventory import Held, Inventory
from metric_robustness.pipeline.ci.spending import Spendings, crops_of, trial
from metric_robustness.pipeline.engine.attack.settings import attack_variants
from metric_robustness.pipeline.errors import DataError

TEN = [
    ("cw_ssim", "apgd"),
    ("entropy", "square"),
    ("gmsd", "stadv"),
    ("ms_ssim", "adam"),
    ("niqe", "madc"),
    ("nlpd", "ssah"),
    ("psnr", "adam"),
    ("small_cnn", "ifgsm"),
    ("ssim", "enhance"),
    ("vif", "korhonen"),
]
THREE = Inventory(datasets={"sample": Held(digest="0" * 16, images=3, pixels=100)})
NEW = ("2026-01-01T00:00:00+00:00",)


def speed(name: str, device: str = "cpu", *, folder: str = "metrics", **seconds: float) -> PassSpeed:
    numbers = {"start": 0.0, "forward": 1.0, "gradient": 3.0, "trial": 2.0, "gpu_memory": 0.0} | seconds
    return PassSpeed(folder, name, device, 100, *numbers.values(), *NEW)


def known(*speeds: PassSpeed) -> Experience:
    return Experience(speeds={(each.folder, each.name, each.device): each for each in speeds})


def seconds(estimate: JobSeconds) -> float:
    """Returns the seconds without those of any job."""
    return estimate.seconds - CONTAINER - JOB


@pytest.mark.slow
def test_ten_cells_take_what_was_estimated_within_a_factor_of_two(tmp_path):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # so that all seconds are the processor's, which other work on the machine hardly changes
    try:
        found = compare(TEN, config.load().preset("smoke"), tmp_path)
    finally:
        torch.set_num_threads(threads)
    assert len(found) == 10
    assert {f"{each.metric} {each.attack}": each.ratio for each in found if not 0.5 < each.ratio < 2} == {}


@pytest.mark.slow
def test_a_fit_takes_what_was_estimated_within_a_factor_of_two(tmp_path):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        preset = config.load().preset("smoke").model_copy(update={"limit": None})  # a batch of a fit is 8 images
        (found,) = compare_fits([("psnr", "generative_uap")], preset, tmp_path)
    finally:
        torch.set_num_threads(threads)
    assert 0.5 < found.ratio < 2


@pytest.mark.parametrize("name", sorted(lookup.entries("attacks")))
def test_passes_are_read_as_the_attack_declares_them(name):
    entry = lookup.find("attacks", name)
    for variant, built in attack_variants(entry, Settings(variants=True)).items():
        read = trial(entry, entry.fields.get("variants", {}).get(variant))
        assert (read.queries, read.gradients, read.known) == (*built.budget(), True)


def test_a_cell_counts_every_variant_distortion_and_budget():
    adam, preset = lookup.find("attacks", "adam"), config.load().preset("nightly")
    work = Spendings().of(Cell(lookup.find("metrics", "ssim"), adam, {}, settings_of(preset)))
    runs = attack_variants(adam, Settings(variants=("worse",)))
    smaller = replace(runs[""], **adam.fields["narrower"]).budget()
    once = runs[""].budget()
    assert work.trials == 2 * len(preset.jpeg) + len(preset.budgets)
    assert work.gradients == 2 * len(preset.jpeg) * once.gradients + len(preset.budgets) * smaller.gradients


def test_a_measured_cell_takes_its_passes_and_the_attacks_own_arithmetic():
    cell = Cell(lookup.find("metrics", "ssim"), lookup.find("attacks", "ifgsm"), {}, settings_of(PRESET))
    measured = known(speed("ssim", start=7), speed("ifgsm", folder="attacks", trial=0.5))
    found = Estimates(measured, THREE).cell(cell)
    assert found.basis == MEASURED
    assert seconds(found) == pytest.approx(7 + 3 * (10 * 3 + 2 + 0.5))
    larger = Inventory(datasets={"sample": THREE.datasets["sample"].model_copy(update={"pixels": 400})})
    assert seconds(Estimates(measured, larger).cell(cell)) == pytest.approx(7 + 4 * 3 * (10 * 3 + 2 + 0.5))


def test_a_surrogate_is_paid_for():
    cell = Cell(lookup.find("metrics", "ssim"), lookup.find("attacks", "zhang_ssim"), {}, settings_of(PRESET))
    found = Estimates(known(speed("ssim"), speed("ifgsm", folder="attacks", trial=0)), THREE).cell(cell)
    assert seconds(found) == pytest.approx(3 * (10 * (3 + 3) + 2))
    assert found.guessed
    measured = known(speed("ssim"), speed("zhang_ssim", folder="attacks", trial=30))  # with its surrogate
    assert seconds(Estimates(measured, THREE).cell(cell)) == pytest.approx(3 * (10 * 3 + 2 + 30))


def test_what_was_never_measured_is_a_guess_that_says_what_it_goes_by():
    arithmetic = speed("x", folder="attacks", trial=0)
    other = replace(metric("b"), fields=metric("b").fields | {"weights": ["hub/b.pth"]})
    defence = replace(metric("blur"), kind="defence")
    defended = replace(metric("a+blur"), defended=DefendedAs(metric("a"), defence, ""))

    def basis(one, *speeds, devices=("cpu",)) -> str:
        found = Estimates(known(arithmetic, *speeds), INVENTORY, devices).metric(one)
        assert found.speed.gradient > 0
        return found.basis

    assert basis(metric("a"), speed("a")) == MEASURED
    assert basis(metric("a"), speed("a", "NVIDIA H200")) == "by NVIDIA H200"
    assert basis(metric("a"), speed("a", "NVIDIA RTX A6000"), devices=("RTX 3090", "RTX A6000")) == MEASURED
    assert basis(defended, speed("a")) == "by a without the defence"
    assert basis(metric("a"), speed("entropy")) == "by the median of like metrics"
    assert basis(other, speed("entropy")) == "by nothing measured"


def test_another_device_is_compared_by_the_metrics_that_were_measured_on_both():
    both = speed("b", "GPU X", forward=0.01, gradient=0.03), speed("b")
    found = Estimates(known(*both, speed("a")), INVENTORY, ("GPU X",)).metric(metric("a"))
    assert found.speed.gradient == pytest.approx(3 / 100)
    alone = Estimates(known(speed("a")), INVENTORY, ("GPU X",)).metric(metric("a"))
    assert alone.speed.gradient == pytest.approx(3 / GPU)


def test_devices_are_compared_on_images_of_one_size():
    large = speed("b", "GPU X", forward=0.04, gradient=0.12)._replace(pixels=400)
    found = Estimates(known(large, speed("b"), speed("a")), INVENTORY, ("GPU X",)).metric(metric("a"))
    assert found.speed.gradient == pytest.approx(3 / 100)
    slow = speed("c", "GPU Y")
    quick = speed("c", "GPU Z", gradient=6.0)._replace(pixels=400)  # half the seconds for each pixel
    assert Estimates(known(slow, quick), INVENTORY, ("GPU Y", "GPU Z")).metric(metric("c")).speed == slow


def test_a_run_on_another_device_tells_nothing_of_this_one():
    a, x = metric("a"), attack("x")
    cell = Cell(a, x, INVENTORY.digests, settings_of(PRESET))
    lines = past(a, x, "0" * 32, seconds=1000, finished=NEW[0])
    lines = {key: each._replace(device="cpu, 2 threads") for key, each in lines.items()}
    assert Estimates(Experience(lines), INVENTORY).cell(cell).basis == LAST
    assert Estimates(Experience(lines), INVENTORY, ("RTX 3090",)).cell(cell).basis == "by nothing measured"


def test_a_cell_that_a_scout_spared_costs_the_scout_again():
    a, square = metric("a"), lookup.find("attacks", "square")
    cell = Cell(a, square, INVENTORY.digests, settings_of(PRESET))
    measured = known(speed("a"), speed("square", folder="attacks", trial=0))
    spared = past(a, square, "0" * 32, seconds=0, finished=NEW[0])
    found = Estimates(Experience(spared, speeds=measured.speeds), INVENTORY).cell(cell)
    assert found.basis == LAST
    tried, adam = (trial(lookup.find("attacks", name), changes) for name, changes in square.fields["scout"].items())
    once = (tried.queries + 2) + (adam.queries - adam.gradients + 3 * adam.gradients + 2)
    assert seconds(found) == pytest.approx(once)  # on one of four images
    assert seconds(Estimates(measured, INVENTORY).cell(cell)) > 50 * seconds(found) / once


def test_more_passes_than_last_time_take_more():
    a, x = metric("a"), attack("x")
    half = past(a, x, "0" * 32, seconds=100, passes=2 * PASSES, finished=NEW[0])
    found = Estimates(Experience(half), INVENTORY).cell(Cell(a, x, INVENTORY.digests, settings_of(PRESET)))
    assert found.seconds == pytest.approx(CONTAINER + JOB + LIGHT.start + 200)


def test_a_fit_is_estimated_by_its_crops_and_by_earlier_fits():
    a, uap = metric("a"), lookup.find("attacks", "optimized_uap")
    fit = Fit(a, uap, "", "coco", "c" * 16, settings_of(PRESET))
    crops = crops_of(fit, 9)
    built = uap.load()()
    assert crops == 9 * built.passes(9)
    side = built.crop**2 / 100
    measured = known(speed("a"), speed("optimized_uap", folder="attacks", trial=0.5))
    found = Estimates(measured, TRAINED).fit(fit)
    assert found.basis == MEASURED
    assert seconds(found) == pytest.approx(crops * side * 3.5)
    line = PastFit("a", "optimized_uap", "", "voc2012", 2 * crops, 500.0, "cpu, 2 threads", *NEW)
    again = Estimates(Experience(fits={line[:4]: line}, speeds=measured.speeds), TRAINED).fit(fit)
    assert again.basis == LAST
    assert seconds(again) == pytest.approx(250)


@pytest.mark.parametrize(
    ("lines", "write", "read"),
    [
        ([speed("a", start=1.5), speed("b", "NVIDIA H200", gpu_memory=3.25)], speeds_to_csv, read_speeds),
        ([PastFit("a", "u", "", "coco", 9, 1.5, "cpu", *NEW)], fits_to_csv, read_fit_history),
    ],
)
def test_files_are_read_as_they_were_written_and_a_damaged_line_is_named(tmp_path, lines, write, read):
    file = tmp_path / "lines.csv"
    assert read(file) == {}
    file.write_text(write(reversed(lines)))
    assert list(read(file).values()) == lines
    for damage in ("x", "nan", "inf", "-1.5"):
        file.write_text(write(lines).replace(",1.5,", f",{damage},"))
        with pytest.raises(DataError, match="line 2"):
            read(file)
