"""A check of a robust training fails exactly for the promise that the training breaks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from metric_robustness.defences.base import RobustTraining
from metric_robustness.pipeline.contract.training import TrainingCheck

TEACHES, REPEATS = "return a loss with a gradient to every weight", "be deterministic, given its generator"
UNTOUCHED, IMPROVES = "leave its input untouched", "return what falls as a metric learns"


@dataclass(frozen=True)
class Sound(RobustTraining):
    def loss(self, rate, images, labels, error, generator):
        noise = torch.rand(images.shape, generator=generator).to(images) / 255
        return error(rate(images + noise), labels)


class PerImage(Sound):
    def loss(self, rate, images, labels, error, generator):
        return (rate(images) - labels).square()


class Detached(Sound):
    def loss(self, rate, images, labels, error, generator):
        return error(rate(images).detach(), labels)


class Infinite(Sound):
    def loss(self, rate, images, labels, error, generator):
        return error(rate(images), labels) + (rate(images) * 0).sum().log()


class Random(Sound):
    def loss(self, rate, images, labels, error, generator):
        return error(rate(images), labels + torch.rand(len(labels)))


class InPlace(Sound):
    def loss(self, rate, images, labels, error, generator):
        return error(rate(images.mul_(0.5)), labels)


class Loud(Sound):
    def loss(self, rate, images, labels, error, generator):
        np.seterr(all="raise")
        return super().loss(rate, images, labels, error, generator)


class Rising(Sound):
    def loss(self, rate, images, labels, error, generator):
        return (1 + super().loss(rate, images, labels, error, generator)).detach() + 0 * rate(images).sum()


@pytest.mark.parametrize(
    ("kind", "broken", "message"),
    [
        (Sound, set(), ""),
        (PerImage, {TEACHES}, "return one number"),
        (Detached, {TEACHES}, "no gradient reaches"),
        (Infinite, {TEACHES}, "keep it finite"),
        (Random, {REPEATS}, "draw from `generator`"),
        (InPlace, {UNTOUCHED}, "work on a copy"),
        (Loud, {"leave the process as it found it"}, "NumPy's error handling"),
        (Rising, {IMPROVES}, "return what is to be lowered"),
    ],
)
def test_a_broken_training_fails_what_it_breaks(kind: type[RobustTraining], broken: set[str], message: str) -> None:
    checks = list(TrainingCheck(kind(), torch.device("cpu")).results())
    red = [check for check in checks if check.status == "failed"]
    assert kind is not Sound or len(checks) == 5
    assert {check.promise for check in red} == broken
    assert not message or any(message in check.seen for check in red), red
    assert all("\n" not in check.seen for check in red)


def test_what_the_metric_sees_stays_as_it_is() -> None:
    images = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    assert Sound().purify(images, None) is images
