"""Speeds: measured on this device, written for readers and into the result store, where a plan finds them."""

from __future__ import annotations

from typing import ClassVar

import pytest
import skimage.data
from local_entry import local_entry
from PIL import Image

from metric_robustness.metrics.base import NoReference
from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.cells.distortion import NONE
from metric_robustness.pipeline.cells.speed import kind_of, read_speeds, speed_key
from metric_robustness.pipeline.ci.estimates import PROBE
from metric_robustness.pipeline.cli.calibrate import measure_speeds
from metric_robustness.pipeline.config import Preset
from metric_robustness.pipeline.data.dataset import open_dataset
from metric_robustness.pipeline.engine.machine import Machine
from metric_robustness.pipeline.engine.metric.few_images import few_images
from metric_robustness.pipeline.engine.metric.runner import MetricRunner
from metric_robustness.pipeline.engine.probe import measure
from metric_robustness.pipeline.engine.speed import measure_attack, measure_metric
from metric_robustness.pipeline.errors import DataError
from metric_robustness.pipeline.store import cells as stored
from metric_robustness.pipeline.store.store import FolderStore


@pytest.fixture
def preset(tmp_path) -> Preset:
    """Returns a preset of three photographs of 64x48."""
    folder = tmp_path / "photos"
    folder.mkdir()
    photo = Image.fromarray(skimage.data.astronaut())
    for left in (0, 64, 128):
        photo.crop((left, 0, left + 64, 48)).save(folder / f"{left}.png")
    return Preset(datasets=(str(folder),))


def test_a_metric_costs_more_with_its_gradient_and_an_attacked_image_more_than_its_score(preset, tmp_path):
    found = measure_metric("small_cnn", preset, tmp_path, "cpu")
    assert (found.folder, found.name, found.device, found.pixels) == ("metrics", "small_cnn", "cpu", 64 * 48)
    assert 0 < found.forward < found.gradient
    assert found.trial > found.forward
    assert measure_metric("entropy", preset, tmp_path, "cpu").gradient == 0


def test_more_passes_are_more_arithmetic(preset, tmp_path):
    one, many = (measure_attack(name, preset, tmp_path, "cpu").trial for name in ("fgsm", "adam"))
    assert 0 < one < many
    fit = measure_attack("optimized_uap", preset, tmp_path, "cpu")
    assert fit.trial > 0
    assert fit.pixels == 256**2  # a crop of its fit


@pytest.mark.slow
def test_speeds_go_to_the_file_and_to_the_store_and_others_are_kept(preset, tmp_path):
    file, store = tmp_path / "speeds.csv", FolderStore(tmp_path / "store")
    metric, attacks = lookup.find("metrics", "psnr"), lookup.entries("attacks")
    file.write_text("folder,name,device,pixels,start,forward,gradient,trial,gpu_memory,measured\n")
    with file.open("a") as lines:
        lines.write("metrics,maniqa,NVIDIA GeForce RTX 3090,89401,9,0.01,0.03,0.02,4,2026-01-01\n")
        lines.write("metrics,psnr,cpu,89401,9,9,9,9,0,2026-01-01\n")
    machine = Machine(tmp_path / "out", store=str(store.root))
    assert not measure_speeds([metric], preset, machine, file)  # weights of LPIPS, which an attack asks, are not here
    found = read_speeds(file)
    assert found["metrics", "maniqa", "NVIDIA GeForce RTX 3090"].gpu_memory == 4
    assert found["metrics", "psnr", "cpu"].forward < 9
    kept = stored.read_speeds(store, [metric, *attacks.values()], ["cpu", "rtx3090"])
    assert {(speed.folder, speed.name) for speed in kept} == {key[:2] for key in found} - {("metrics", "maniqa")}
    assert {"adam", "psnr"} < {speed.name for speed in kept} < {"psnr", *attacks}


def test_what_cannot_be_measured_is_named(preset, tmp_path):
    with pytest.raises(DataError, match="maniqa: "):
        measure_metric("maniqa", preset, tmp_path, "cpu")
    with pytest.raises(DataError, match="zhang_lpips, which needs lpips"):
        measure_attack("zhang_lpips", preset, tmp_path, "cpu")


def test_a_speed_is_found_by_the_entry_and_the_kind_of_gpu():
    niqe, ssim = lookup.find("metrics", "niqe"), lookup.find("metrics", "ssim")
    assert kind_of("NVIDIA GeForce RTX 3090") == "rtx3090"
    assert kind_of("cpu") == "cpu"
    assert kind_of("NVIDIA H200") == "NVIDIA H200"
    assert len({speed_key(entry, kind) for entry in (niqe, ssim) for kind in ("cpu", "rtx3090")}) == 4


class Counted(NoReference):
    """Brightness that counts the images that it is asked about, and those whose gradient may be asked for."""

    higher_is_better = True
    score_range = (0.0, 1.0)
    asked: ClassVar[list[bool]] = []

    def score(self, images):
        self.asked += [images.requires_grad] * len(images)
        return (images.square() * (1 + images.flip(3))).mean(dim=(1, 2, 3))


def test_a_plan_pays_for_what_the_probe_asks(preset, tmp_path):
    runner = MetricRunner(local_entry(Counted), tmp_path)
    measured = list(few_images(open_dataset(preset.datasets[0]), NONE, paired=False, most=1))
    Counted.asked.clear()
    assert measure(runner, measured) is not None
    assert sum(Counted.asked) == PROBE.gradients
    assert 0.85 * PROBE.queries < len(Counted.asked) <= PROBE.queries  # fewer where every pixel has a gradient
