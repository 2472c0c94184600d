"""A search runs on a copy with folded batch norms, where it agrees with the metric; else on the metric itself."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from metric_robustness.metrics.base import NoReference
from metric_robustness.pipeline.engine.metric.search_copy.agree import CopyComparison, passes
from metric_robustness.pipeline.engine.metric.search_copy.fold import foldable, folded

IMAGES = torch.rand(3, 3, 40, 33, generator=torch.Generator().manual_seed(1))


class HandWritten(NoReference):
    """Layers in an order that only its code knows."""

    higher_is_better = True
    score_range = (0.0, 1.0)

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.norms = nn.ModuleList([nn.BatchNorm2d(8), nn.BatchNorm2d(8)])
            self.first, self.second = nn.Conv2d(3, 8, 3, stride=2), nn.Conv2d(8, 8, 3, bias=False)
            self.rate = nn.Sequential(nn.Dropout(), nn.Linear(8, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
            for module in self.modules():
                if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                    module.running_mean.normal_()
                    module.running_var.uniform_(0.5, 2)
                    nn.init.normal_(module.weight)
        self.eval().requires_grad_(requires_grad=False)

    def deep(self, features: Tensor) -> Tensor:
        return self.norms[0](self.second(features)).tanh()

    def score(self, images: Tensor) -> Tensor:
        features = self.deep(self.norms[1](self.first(images)).tanh())
        return self.rate(features.mean(dim=(2, 3))).squeeze(1).sigmoid()


class ReadTwice(HandWritten):
    def deep(self, features: Tensor) -> Tensor:
        convolved = self.second(features)
        return self.norms[0](convolved).tanh() + convolved.relu()


class NormReadsTwo(HandWritten):
    def deep(self, features: Tensor) -> Tensor:
        return self.norms[0](self.norms[0](self.second(features)).tanh())


class OneLayerTwice(HandWritten):
    def deep(self, features: Tensor) -> Tensor:
        return self.norms[0](self.second(self.norms[0](self.second(features)).tanh()))


class Training(HandWritten):
    def __init__(self) -> None:
        super().__init__()
        self.norms[0].train()


class Hooked(HandWritten):
    def __init__(self) -> None:
        super().__init__()
        self.second.register_forward_hook(lambda *_: None)


class Scaled(HandWritten):
    """Reads a weight beside the layer that holds it, which a copy no longer has."""

    def deep(self, features: Tensor) -> Tensor:
        return super().deep(features) * self.second.weight.abs().mean()


class Plain(HandWritten):
    def __init__(self) -> None:
        super().__init__()
        self.norms, self.rate = nn.ModuleList([nn.Identity(), nn.Identity()]), nn.Sequential(nn.Linear(8, 1))
        self.first, self.second = nn.Conv2d(3, 8, 1, stride=2), nn.Conv2d(8, 8, 1)
        self.requires_grad_(requires_grad=False)


def copy_of(metric: NoReference) -> NoReference:
    return folded(metric, foldable(metric))


@pytest.mark.parametrize(("kind", "norms"), [(HandWritten, 3), (OneLayerTwice, 3)])
def test_layers_are_found_and_folded_whatever_the_code_does_with_them(kind: type[HandWritten], norms: int) -> None:
    metric = kind()
    before = metric.unchecked(IMAGES)
    twin = copy_of(metric)
    left = [each for each in twin.modules() if isinstance(each, nn.BatchNorm1d | nn.BatchNorm2d | nn.Dropout)]
    assert len({pair.norm for pair in foldable(metric)}) == norms
    assert left == []
    assert CopyComparison(metric, twin).disagreement([(IMAGES, None)]) == ""
    assert torch.equal(metric.unchecked(IMAGES), before)  # the metric is as it was


def test_copy_shares_all_other_weights() -> None:
    metric = HandWritten()
    assert copy_of(metric).rate[-1].weight is metric.rate[-1].weight


@pytest.mark.parametrize("kind", [ReadTwice, NormReadsTwo, Training, Hooked])
def test_layer_whose_result_is_needed_as_it_is_stays(kind: type[HandWritten]) -> None:
    metric = kind()
    pairs = foldable(metric)
    assert metric.second not in {pair.layer for pair in pairs}
    assert metric.first in {pair.layer for pair in pairs}  # the others are folded all the same
    assert CopyComparison(metric, folded(metric, pairs)).disagreement([(IMAGES, None)]) == ""


def test_nothing_is_run_without_a_batch_norm(monkeypatch: pytest.MonkeyPatch) -> None:
    metric = Plain()
    monkeypatch.setattr(Plain, "score", lambda *_: pytest.fail("it was run"))
    assert foldable(metric) == []


def test_copy_that_scores_otherwise_disagrees() -> None:
    metric = Scaled()
    assert "a score differs by" in CopyComparison(metric, copy_of(metric)).disagreement([(IMAGES, None)])


class Straight(HandWritten):
    """Scores with a straight-through gradient, which its copy is given another of."""

    slope = 1.0

    def score(self, images: Tensor) -> Tensor:
        scores = super().score(images)
        return scores.detach() + self.slope * (scores - scores.detach())


def straight(slope: float) -> Straight:
    metric = Straight()
    metric.slope = slope
    return metric


@pytest.mark.parametrize(
    ("slope", "exact", "reason"),
    [(-1.0, -1.0, "0.00% of the gradient's signs"), (1.01, 1.01, "a gradient differs"), (1.01, 1.0, "")],
    ids=["signs", "length", "only where rounding decides"],
)
def test_gradients_are_compared_in_double_precision_where_rounding_may_decide(
    slope: float, exact: float, reason: str
) -> None:
    comparison = CopyComparison(straight(1.0), straight(slope))
    comparison.exact = straight(1.0).double(), straight(exact).double()
    found = comparison.disagreement([(IMAGES, None)])
    assert found.startswith(reason)
    assert bool(found) == bool(reason)


class Keeping(HandWritten):
    """Keeps what it saw last, with the graph that it hangs in."""

    def deep(self, features: Tensor) -> Tensor:
        self.seen = [super().deep(features)]
        return self.seen[0]


def test_metric_that_keeps_what_it_saw_is_copied_and_compared_in_double_precision_all_the_same() -> None:
    metric = Keeping()
    passes(metric, IMAGES, None)
    assert metric.seen[0].requires_grad
    comparison = CopyComparison(metric, copy_of(metric))
    passes(metric, IMAGES, None)
    exact = [passes(each, IMAGES.double(), None) for each in comparison.exact]
    assert torch.allclose(exact[0].gradient, exact[1].gradient, rtol=1e-9, atol=1e-12)


def test_nothing_to_compare_is_no_agreement() -> None:
    metric = HandWritten()
    assert CopyComparison(metric, copy_of(metric)).disagreement([]) == "no image could be compared"


def test_copy_waits_for_no_device() -> None:
    """On the meta device a tensor has a shape but no values, and reading one is an error."""
    twin = copy_of(HandWritten()).to("meta")
    assert passes(twin, IMAGES.to("meta"), None).gradient.shape == IMAGES.shape
