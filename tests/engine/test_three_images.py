"""Reference, distorted and attacked are three images: who is compared with whom, and in which order."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from local_entry import local_entry
from pydantic import ValidationError

from metric_robustness.metrics.base import FullReference, Images, NoReference, Scores
from metric_robustness.pipeline import config
from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.cells.cell import Cell
from metric_robustness.pipeline.cells.distortion import Distortion
from metric_robustness.pipeline.cells.settings import Settings
from metric_robustness.pipeline.config import Preset
from metric_robustness.pipeline.data.dataset import open_dataset
from metric_robustness.pipeline.data.images import compress, decode, to_tensor
from metric_robustness.pipeline.engine.cell import CellRun
from metric_robustness.pipeline.engine.metric.build import build_metric
from metric_robustness.pipeline.engine.metric.runner import MetricRunner
from metric_robustness.pipeline.store.store import FolderStore
from metric_robustness.pipeline.store.sync import Sync

CPU = torch.device("cpu")
DISTORTIONS = (50, 20, "none")


class Asymmetric(FullReference):
    """Its score shows which image stood where: the first one counts once, the second a hundred times."""

    higher_is_better = True
    score_range = (0.0, 101.0)

    def score(self, images: Images, references: Images) -> Scores:
        return images.square().mean(dim=(1, 2, 3)) + 100 * references.square().mean(dim=(1, 2, 3))


def distorted(pixels, jpeg):
    return to_tensor([pixels if jpeg == "none" else compress(pixels, jpeg)])


@pytest.mark.parametrize("attack", ["fgsm", "ifgsm", "noise"])
def test_every_distortion_is_a_variant_and_each_image_stands_where_it_belongs(attack, photos: Path, tmp_path: Path):
    metric, data = local_entry(Asymmetric), open_dataset(str(photos))
    settings = Settings(distortions=tuple(map(Distortion.of, DISTORTIONS)))
    cell = Cell(metric, lookup.find("attacks", attack), {data.name: data.digest}, settings)
    outcome = CellRun(MetricRunner(metric, tmp_path), cell, lambda what, work: None, save_images=True).run([data])
    assert [row["variant"] for row in outcome.rows] == [
        variant for variant in ("", "jpeg=20", "jpeg=none") for _ in data.photos
    ]
    judge = Asymmetric()
    for row in outcome.rows:
        jpeg = {"": 50, "jpeg=20": 20, "jpeg=none": "none"}[row["variant"]]
        pixels = decode(photos / row["image"])
        reference, clear = to_tensor([pixels]), distorted(pixels, jpeg)
        folder = tmp_path / "images" / "none" / "default"
        (saved,) = folder.glob(f"{attack}/asymmetric/{row['variant'] or 'default'}/{row['image']}.png")
        attacked = to_tensor([decode(saved)])
        assert float(row["clear"]) == pytest.approx(judge(clear, reference).item(), rel=1e-5)
        assert float(row["attacked"]) == pytest.approx(judge(attacked, reference).item(), rel=1e-5)
        assert float(row["mse"]) == pytest.approx((attacked - clear).double().square().mean().item(), rel=1e-4)
        assert (attacked - clear).abs().max().item() == pytest.approx(float(row["linf"]), abs=1e-6)


def test_a_real_asymmetric_metric_gets_the_distorted_image_first():
    vif = build_metric(lookup.find("metrics", "vif"), CPU)
    photographs = to_tensor([decode(photo.path, 96) for photo in open_dataset("sample").photos[:2]])
    original, enhanced = 0.3 + 0.4 * photographs, 0.1 + 0.8 * photographs
    assert (vif(enhanced, original) > 1).all()  # more contrast is more information: Sheikh & Bovik, 2006
    assert (vif(original, enhanced) < 1).all()


@pytest.mark.parametrize("given", [(0,), (101,), (), ("some",)])
def test_a_preset_s_distortions_are_qualities_or_none(given):
    with pytest.raises(ValidationError):
        Preset(jpeg=given)


def test_the_presets_to_cite_have_every_distortion_and_the_demo_keeps_its_one():
    presets = config.load().presets
    assert presets["demo"].jpeg == (50,)
    for name in ("nightly", "full"):
        assert set(presets[name].jpeg) == {20, 40, 60, 80, "none"}


class Rough(NoReference):
    """Its score falls where JPEG smoothes. An attack on a full-reference metric has it score distorted images."""

    higher_is_better = True
    score_range = (0.0, 1.0)

    def score(self, images: Images) -> Scores:
        return images.diff(dim=3).abs().mean(dim=(1, 2, 3))


def test_a_store_keeps_scores_of_distorted_images_apart_from_those_of_the_images_themselves(photos, tmp_path):
    metric, data, sync = local_entry(Rough), open_dataset(str(photos)), Sync(FolderStore(tmp_path / "store"))
    alone = MetricRunner(metric, tmp_path / "alone").clear(data).scores
    asked = MetricRunner(metric, tmp_path / "asked", sync=sync).clear(data, Distortion(20)).scores
    later = MetricRunner(metric, tmp_path / "later", sync=sync).clear(data).scores
    assert not torch.equal(asked, alone)
    assert torch.equal(later, alone)
