"""Denoised median smoothing: the metric sees copies without most of their noise."""

import torch

from metric_robustness.defences.denoised_median_smoothing import DenoisedMedianSmoothing
from metric_robustness.defences.median_smoothing import MedianSmoothing
from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.contract.base import photographs
from metric_robustness.pipeline.engine.metric.defended import DefendedMetric
from metric_robustness.pipeline.engine.metric.objective import ImageNoise


@torch.no_grad()
def test_the_metric_sees_denoised_copies() -> None:
    images = photographs(64, 64)
    names = [str(number) for number in range(len(images))]
    metric = lookup.find("metrics", "small_cnn").load()().eval()
    pixels, scores = {}, {}
    for kind in (MedianSmoothing, DenoisedMedianSmoothing):
        defence = kind(samples=9, error=0.2)
        pixels[kind] = (defence(images, ImageNoise("noise", names)) - images).square().mean()
        scores[kind] = (
            DefendedMetric(metric, "noise", defence, names).purified(images, None).scores - metric(images)
        ).abs()
    assert pixels[DenoisedMedianSmoothing] < pixels[MedianSmoothing] / 4
    assert (scores[DenoisedMedianSmoothing] < scores[MedianSmoothing]).all()
