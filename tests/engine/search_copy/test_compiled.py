"""Compiled passes give the scores and gradients of the metric's own code, for the sizes that they were compiled for."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from test_search_copy import HandWritten, Plain
from torch import Tensor

from metric_robustness.metrics.base import FullReference, Metric, NoReference
from metric_robustness.pipeline.engine.metric.compiling import Ahead, CompiledSearch
from metric_robustness.pipeline.engine.metric.runner import MetricRunner, Searched
from metric_robustness.pipeline.engine.metric.search_copy.agree import Passes, passes
from metric_robustness.pipeline.engine.metric.search_copy.compiled import PassKind

pytestmark = pytest.mark.usefixtures("compiler")

DRAWS = torch.Generator().manual_seed(2)
IMAGES, OTHERS = (torch.rand(2, 3, 40, 33, generator=DRAWS) for _ in range(2))
GRADIENTS, SCORES = Ahead(True, False, math.inf), Ahead(False, False, math.inf)


class Likeness(FullReference):
    """Keeps a filter of the images' size, as formulas do."""

    higher_is_better = True
    score_range = (0.0, 1.0)
    known: dict[int, Tensor] = {}

    def score(self, images: Tensor, references: Tensor) -> Tensor:
        width = images.shape[-1]
        if width not in self.known:
            self.known[width] = torch.linspace(0, 1, width)
        return 1 - ((images - references).square() * self.known[width]).mean(dim=(1, 2, 3))


class Brighter(NoReference):
    """Goes by what it sees."""

    higher_is_better = True
    score_range = (0.0, 1.0)

    def score(self, images: Tensor) -> Tensor:
        return images.mean(dim=(1, 2, 3)) if images.mean() > 0.1 else images.amax(dim=(1, 2, 3))


class Detour(Brighter):
    """Computes where PyTorch does not see it."""

    def score(self, images: Tensor) -> Tensor:
        brightness = images.detach().numpy().mean()
        return images.mean(dim=(1, 2, 3)) * float(brightness)


def compiled(metric: Metric, ahead: Ahead, references: Tensor | None = None) -> CompiledSearch:
    runner = MetricRunner(SimpleNamespace(fields={"batch_dependent": False}), Path())  # type: ignore[arg-type]
    search = CompiledSearch(runner, Searched(metric, "a copy"))
    search.compile(IMAGES, references, ahead)
    return search


def close(own: Passes, other: Passes, limit: float) -> bool:
    off = (own.gradient - other.gradient).norm() / own.gradient.norm()
    return bool((own.scores - other.scores).abs().max() < limit and off < limit)


def test_gradients_are_the_same_on_images_that_it_never_saw() -> None:
    metric = HandWritten()
    search = compiled(metric, GRADIENTS)
    assert search.searched.told == "a copy; compiled for 2x3x40x33"
    assert list(search.passes.programs) == [PassKind((2, 3, 40, 33), gradient=True, bfloat16=False)]
    assert close(passes(metric, OTHERS, None), passes(search.metric, OTHERS, None), 1e-6)


def test_gradient_goes_on_into_what_made_the_images() -> None:
    metric = HandWritten()
    twin = compiled(metric, GRADIENTS).metric
    found = []
    for each in (metric, twin):
        images = OTHERS.clone().requires_grad_()
        scores = each.unchecked(images.square())
        found.append(torch.autograd.grad((scores * torch.tensor([3.0, -2.0])).sum(), images)[0])
    assert (found[0] - found[1]).norm() < 1e-6 * found[0].norm()


def test_other_sizes_and_plain_scores_are_left_to_the_metrics_own_code() -> None:
    class Counted(HandWritten):
        calls = 0

        def score(self, images: Tensor) -> Tensor:
            Counted.calls += 1
            return super().score(images)

    twin = compiled(Counted(), GRADIENTS).metric
    Counted.calls = 0
    passes(twin, OTHERS, None)
    assert Counted.calls == 0
    passes(twin, OTHERS[:1], None)
    passes(twin, OTHERS, None, gradient=False)
    with torch.autocast("cpu", torch.bfloat16):
        passes(twin, OTHERS, None)
    assert Counted.calls == 3


class Collecting(HandWritten):
    """Collects features in a hook, and keeps a mean for its next pass."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[Tensor] = []
        self.register_buffer("mean", torch.zeros(()))
        self.first.register_forward_hook(lambda _layer, _given, made: self.found.append(made))

    def score(self, images: Tensor) -> Tensor:
        scores = super().score(images) + 0 * (self.mean + self.found[0].mean())
        self.stop(scores)
        self.mean = 0 * self.found.pop().detach().mean()
        return scores

    def stop(self, scores: Tensor) -> None: ...


class Stopping(Collecting):
    def stop(self, scores: Tensor) -> None:
        bool(scores.sum() > 0)  # which cannot be traced


@pytest.mark.parametrize("kind", [Collecting, Stopping])
def test_a_metric_keeps_nothing_of_what_it_saw_while_it_was_traced(kind: type[Collecting]) -> None:
    metric = kind()
    own = passes(metric, OTHERS, None)
    search = compiled(metric, GRADIENTS)
    assert bool(search.passes.programs) == (kind is Collecting), search.searched.told
    assert type(metric.mean) is Tensor
    assert metric.found == []
    assert close(own, passes(metric, OTHERS, None), 1e-9)


@pytest.mark.parametrize("images", [1, 2])
def test_images_in_any_layout_are_taken_without_compiling_again(images: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("test_compiled.IMAGES", IMAGES[:images])
    metric = HandWritten()
    twin = compiled(metric, GRADIENTS).metric
    with torch.compiler.set_stance("fail_on_recompile"):
        for same in (
            OTHERS[:images].contiguous(memory_format=torch.channels_last),
            OTHERS.transpose(0, 1).contiguous().transpose(0, 1)[:images],
            torch.cat([OTHERS, OTHERS], dim=1)[:images, :3],
        ):
            assert close(passes(metric, same, None), passes(twin, same, None), 1e-6)


def test_scores_without_gradient_are_compiled_too() -> None:
    metric = HandWritten()
    twin = compiled(metric, SCORES).metric
    with torch.no_grad():
        assert torch.allclose(metric.unchecked(OTHERS), twin.unchecked(OTHERS), atol=1e-6)


def test_passes_in_bfloat16_are_as_near_to_single_precision_as_the_metrics_own() -> None:
    metric = HandWritten()
    search = compiled(metric, Ahead(True, True, math.inf))
    assert search.searched.told == "a copy; compiled for 2x3x40x33"
    exact = passes(metric, OTHERS, None)
    with torch.autocast("cpu", torch.bfloat16):
        own, other = passes(metric, OTHERS, None), passes(search.metric, OTHERS, None)
    off = [(each.gradient - exact.gradient).norm() for each in (own, other)]
    assert 0 < off[1] <= 2 * off[0]


def test_references_and_kept_filters_are_taken_along() -> None:
    metric, references = Likeness(), IMAGES.flip(0)
    twin = compiled(metric, GRADIENTS, references).metric
    for originals in (references, OTHERS.flip(3)):
        assert close(passes(metric, OTHERS, originals), passes(twin, OTHERS, originals), 1e-6)
    assert type(Likeness.known[33]) is Tensor  # no stand-in was left behind while it was traced


@pytest.mark.parametrize(("kind", "reason"), [(Brighter, "DataDependent|data-dependent"), (Detour, "Error")])
def test_code_that_goes_by_values_is_left_as_it_is(kind: type[Brighter], reason: str) -> None:
    metric = kind()
    search = compiled(metric, GRADIENTS)
    assert search.searched.told.startswith("a copy; not compiled for 2x3x40x33: ")
    assert any(part in search.searched.told for part in reason.split("|"))
    assert "\n" not in search.searched.told
    assert close(passes(metric, OTHERS, None), passes(search.metric, OTHERS, None), 1e-9)


def test_nothing_is_compiled_that_costs_more_than_it_saves() -> None:
    search = compiled(Plain(), Ahead(True, False, 20.0))  # seconds, where compiling takes some
    assert search.searched.told == "a copy"
    assert not search.passes.programs
