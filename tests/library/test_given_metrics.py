"""Metrics as a notebook has them: every form is scored, or refused in one line that says what to do."""

from __future__ import annotations

import threading
import warnings

import numpy as np
import pyiqa
import pytest
import torch
from torch import nn

import metric_robustness as mr


@pytest.fixture(scope="module")
def images():
    return torch.rand(2, 3, 24, 24, generator=torch.Generator().manual_seed(0))


def evaluated(metric, images, **given):
    told = {"higher_is_better": True, "score_range": (0, 1), "attacks": "fgsm", "budgets": (), "progress": False}
    return mr.evaluate(metric, images, **(told | given))


def clear_scores(report):
    return list(report.rows.sort_values("image")["clear"])


class Small(nn.Module):
    """Keeps what it computed last, as modules with hooks do."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(3, 2, 3)
        self.seen = []

    def forward(self, images):
        features = self.layer(images)
        self.seen[:] = [features]
        return features.mean(dim=(1, 2, 3)).sigmoid()


class Normed(nn.Module):
    def __init__(self):
        super().__init__()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            self.layer = nn.utils.weight_norm(nn.Conv2d(3, 2, 3))

    def forward(self, images):
        return self.layer(images).mean(dim=(1, 2, 3)).sigmoid()


def scripted():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return torch.jit.trace(Normed(), torch.rand(1, 3, 24, 24))


@pytest.mark.parametrize("make", [Small, Normed, scripted])
def test_a_module_is_copied_with_what_an_earlier_pass_left_in_it(images, make):
    module = make().train()
    with torch.no_grad():
        wanted = module(images.mul(255).round().div(255))
    module(images)  # leaves tensors of a graph behind
    report = evaluated(module, images)
    assert clear_scores(report) == pytest.approx(wanted.tolist(), abs=1e-5)
    assert all(each.requires_grad for each in module.parameters())
    module(images).sum().backward()  # as a training would go on


def test_a_module_that_cannot_be_copied_says_what_to_do(images):
    module = Small()
    module.guard = threading.Lock()
    with pytest.raises(ValueError, match=r"Small raises cannot pickle.*: pass a function that calls it"):
        evaluated(module, images)
    evaluated(module.forward, images)


@pytest.mark.parametrize("as_loss", [False, True])
def test_a_metric_of_pyiqa_says_its_name_kind_and_direction(images, as_loss):
    metric = pyiqa.create_metric("gmsd", device="cpu", as_loss=as_loss)
    report = mr.evaluate(metric, images, score_range=(0, 0.35), attacks="fgsm", budgets=(), progress=False)
    assert (metric.as_loss, report.run.metric) == (as_loss, "my_gmsd")
    known = evaluated("gmsd", images, higher_is_better=None, score_range=None)
    assert clear_scores(report) == pytest.approx(clear_scores(known), abs=1e-5)
    assert list(report.rows["attacked"]) == pytest.approx(list(known.rows["attacked"]), abs=1e-3)


@pytest.mark.parametrize("convert", [np.asarray, lambda scores: [float(each) for each in scores]])
def test_scores_without_a_gradient_may_be_arrays_or_lists(images, convert):
    def contrast(given):
        return convert(given.numpy().std(axis=(1, 2, 3)))

    report = evaluated(contrast, images, differentiable=False, attacks="noise")
    assert clear_scores(report) == pytest.approx(images.mul(255).round().div(255).numpy().std(axis=(1, 2, 3)), rel=1e-4)
    with pytest.raises(ValueError, match=r"say differentiable=False|requires grad"):
        evaluated(contrast, images)


@pytest.mark.parametrize(
    ("metric", "told"),
    [
        (lambda given: given.detach().mean(dim=(1, 2, 3)), "must have a gradient; they have none: take out no_grad"),
        (lambda given: (255 * given).long().float().mean(dim=(1, 2, 3)), "must have a gradient; they have none"),
        (lambda given: {"score": given.mean(dim=(1, 2, 3))}, "got dict: return a tensor"),
        (lambda given: float(given.mean()), "got float: return a tensor"),
        (Small, "must be an object; got the class Small: pass Small()"),
    ],
)
def test_what_is_no_metric_says_what_to_do(images, metric, told):
    with pytest.raises(ValueError, match="metric") as error:
        evaluated(metric, images)
    assert told in str(error.value)


@pytest.mark.parametrize("count", [1, 2])
def test_a_squeezed_output_of_a_single_image_counts(images, count):
    def squeezed(given):
        return given.mean(dim=(1, 2, 3), keepdim=True).squeeze()

    report = evaluated(squeezed, images[:count])
    wanted = images[:count].mul(255).round().div(255).mean(dim=(1, 2, 3))
    assert clear_scores(report) == pytest.approx(wanted.tolist(), rel=1e-5)
    assert report.example is not None


def test_a_failed_example_costs_nothing_that_was_measured(images):
    calls = []

    def once(given):
        calls.append(len(given))
        if len(calls) > limit:
            raise RuntimeError("enough")
        return given.mean(dim=(1, 2, 3))

    limit = 10**6
    evaluated(once, images)
    limit = len(calls) - 1  # the last call is the example's
    calls.clear()
    report = evaluated(once, images)
    assert (len(report.rows), report.example) == (2, None)
    assert "no example: RuntimeError: enough" in report.notes


def test_originals_of_a_metric_without_any_and_a_direction_in_words_are_refused(images):
    with pytest.raises(ValueError, match="references must be left out for a metric that takes images alone"):
        evaluated(lambda given: given.mean(dim=(1, 2, 3)), images, references=images)
    with pytest.raises(ValueError, match="higher_is_better must be given: True"):
        evaluated(Small(), images, higher_is_better="yes")


@pytest.mark.parametrize("name", ["lock", "images", "fits", "gallery"])
def test_a_metric_may_have_any_name(images, name):
    assert evaluated(Small(), images, name=name).run.metric == name
