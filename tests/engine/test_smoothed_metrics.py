"""Median smoothing as a defence: what the engine records is what the certificate says, beside the attack's l2 norm."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from csv_lines import lines
from PIL import Image
from quiet import run_quietly

from metric_robustness.defences.base import Smoothing
from metric_robustness.metrics.base import NoReference
from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.cells.settings import Settings
from metric_robustness.pipeline.data.images import decode, to_tensor
from metric_robustness.pipeline.engine.metric.build import build_defences, build_metric
from metric_robustness.pipeline.engine.metric.defended import DRAWS, DefendedMetric
from metric_robustness.pipeline.engine.metric.objective import ImageNoise, MetricObjective
from metric_robustness.pipeline.engine.metric.smoothing import CertifiedMedian
from metric_robustness.pipeline.scoring.tables.write import write_tables

SIDE = 12
NAMES = ["a.png", "b.png"]


class Linear(NoReference):
    """<w, x> with |w| = 1: its median over the noise is itself, and it moves by the norm of the change at most."""

    higher_is_better = True
    score_range = (-2.0, 2.0)

    def score(self, images):
        weights = torch.randn(3, SIDE, SIDE, generator=torch.Generator().manual_seed(8))
        return (images * weights / weights.norm()).sum(dim=(1, 2, 3))


@pytest.fixture
def smoothing() -> Smoothing:
    return build_defences(lookup.find("defences", "median_smoothing"))[""]


def grey() -> torch.Tensor:
    """Returns two images so far from black and white that hardly any noise is clipped."""
    return 0.5 + 0.05 * torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(2)) - 0.025


def test_the_score_is_the_median_and_its_interval_holds_the_clear_score(smoothing):
    metric, clear = Linear(), grey()
    change = torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(3))
    attacked = clear + 0.99 * smoothing.radius * change / change.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
    seen = DefendedMetric(metric, "median_smoothing", smoothing, NAMES).purified(attacked, None)
    assert seen.certificate is not None
    assert torch.allclose(seen.scores, metric(attacked), atol=0.02)  # 4 standard errors of the median
    assert (seen.certificate.lowest < metric(clear)).all()
    assert (metric(clear) < seen.certificate.highest).all()
    assert seen.certificate.radius.tolist() == pytest.approx([0.12] * 2)
    alone = DefendedMetric(metric, "median_smoothing", smoothing, NAMES[1:]).purified(attacked[1:], None)
    assert torch.allclose(alone.scores, seen.scores[1:], atol=1e-5)


def test_an_attack_that_knows_it_averages_over_a_few_copies(smoothing):
    defended, images = DefendedMetric(Linear(), "median_smoothing", smoothing, NAMES), grey()
    gain = MetricObjective(defended, draws=defended.draws)
    slope = gain.gradient(images)
    assert (gain.queries, defended.draws) == (DRAWS, DRAWS)
    expected = MetricObjective(Linear()).gradient(images)
    same = torch.isclose(slope, expected, rtol=1e-3)
    assert same.float().mean() > 0.98  # where the noise of some copy is clipped, it stops the gradient


@pytest.fixture(scope="module")
def judged(tmp_path_factory) -> Path:
    """Returns a run of small_cnn on one image: scored with the median of 100 copies, and attacked through it."""
    folder = tmp_path_factory.mktemp("smoothed")
    (folder / "photos").mkdir()
    pixels = torch.rand(1, 3, 5, 5, generator=torch.Generator().manual_seed(2))
    smooth = torch.nn.functional.interpolate(pixels, size=(32, 36), mode="bicubic")[0].clamp(0, 1)
    Image.fromarray((255 * smooth).round().byte().permute(1, 2, 0).numpy()).save(folder / "photos" / "one.png")
    fgsm = {"attacks": ["fgsm"], "datasets": [str(folder / "photos")]}
    run_quietly(["small_cnn"], folder / "out", Settings(defences=("median_smoothing-n100",)), **fgsm)
    run_quietly(["small_cnn+median_smoothing-n100"], folder / "out", save_images=True, **fgsm)
    write_tables([folder / "out"], folder / "out")
    return folder / "out"


def test_rows_hold_the_interval_and_the_attack_s_own_norm(judged):
    (row,) = lines(judged / "small_cnn+median_smoothing-n100" / "fgsm.csv")
    saved = judged / "images" / "median_smoothing" / "n100" / "fgsm"
    attacked = to_tensor([decode(next(saved.rglob("one.png.png")))])
    clear = to_tensor([decode(judged.parent / "photos" / "one.png")])
    metric = build_metric(lookup.find("metrics", "small_cnn"), torch.device("cpu"))
    smoothing = CertifiedMedian(samples=100)
    with torch.no_grad():
        scores = smoothing.scores(metric, attacked, ImageNoise("median_smoothing", ["one.png"]))
    held = smoothing.certify(scores, 0.12)
    for column, value in (("attacked", held.median), ("certified_low", held.lowest), ("certified_high", held.highest)):
        assert float(row[column]) == pytest.approx(value.item(), rel=1e-4)
    assert float(row["l2"]) == pytest.approx((attacked - clear).norm().item(), rel=1e-4)
    (unaware,) = lines(judged / "small_cnn" / "fgsm+defended.csv")
    assert float(unaware["certified_low"]) < float(unaware["attacked_defended"]) < float(unaware["certified_high"])


def test_the_tables_show_the_radius_beside_the_norm(judged):
    found = {line["setting"]: line for line in lines(judged / "defences.csv")}
    for setting in ("non-adaptive", "adaptive"):
        assert float(found[setting]["radius"]) == pytest.approx(0.12)
        assert float(found[setting]["l2"]) > 1
        assert float(found[setting]["certified_width"]) > 0
        assert float(found[setting]["left"]) in {0, 1}
    assert (found["undefended"]["radius"], found["undefended"]["certified_width"]) == ("", "")
    text = (judged / "defences.md").read_text()
    assert "certifies scores for changes of at most 0.12 in l2" in text
    ratio = float(found["adaptive"]["l2"]) / 0.12
    assert f"{ratio:.3g} times the radius: the certificate says nothing about this attack" in text


def test_with_too_few_copies_for_the_radius_nothing_is_known():
    assert math.isinf(CertifiedMedian(samples=20).certify(torch.zeros(1, 20), 0.12).highest.item())
