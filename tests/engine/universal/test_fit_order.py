"""A fit queues its next step before it reads the loss of the last one, and loses none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from local_entry import local_entry
from torch import Tensor
from torch.overrides import TorchFunctionMode

from metric_robustness.metrics.base import Images, NoReference, Scores
from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.cells.cell import Cell
from metric_robustness.pipeline.cells.fit import Fit, FitStamp, fits_of
from metric_robustness.pipeline.cells.settings import Settings
from metric_robustness.pipeline.data.dataset import Dataset, open_dataset
from metric_robustness.pipeline.engine.metric.runner import MetricRunner
from metric_robustness.pipeline.engine.universal.fit import FitStep
from metric_robustness.pipeline.engine.universal.patterns import pattern_of
from metric_robustness.pipeline.errors import DataError

STEPS = 8  # six images in batches of three, four epochs
SMALL = Settings(variants=False, overrides={"crop": "16", "batch": "3", "epochs": "4", "least_steps": "1"})


class Order(TorchFunctionMode):
    """Records, while it is entered, what happens to scores: s a step asks for them, c they are copied, r read."""

    def __init__(self) -> None:
        super().__init__()
        self.heard = ""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is Tensor.tolist and args[0].shape == (3,):
            self.heard += "r"
        if func is Tensor.to and (kwargs or {}).get("non_blocking"):
            self.heard += "c"
        return func(*args, **(kwargs or {}))


ORDER = Order()


class Bright(NoReference):
    higher_is_better = True
    score_range = (0.0, 1.0)

    def score(self, images: Images) -> Scores:
        ORDER.heard += "s"
        return (images.square() * (1 + images.flip(3))).mean(dim=(1, 2, 3))


class OddLast(Bright):
    """Has no score in the last two steps."""

    def score(self, images: Images) -> Scores:
        return super().score(images) * (torch.nan if ORDER.heard.count("s") >= STEPS - 1 else 1)


@pytest.fixture(scope="module")
def train(photos: Path) -> Dataset:
    return open_dataset(str(photos))


def fit_of(made: type[NoReference], train: Dataset) -> Fit:
    cell = Cell(local_entry(made), lookup.find("attacks", "optimized_uap"), {}, SMALL, {train.name: train.digest})
    (fit,) = fits_of(cell)
    return fit


def fitted(made: type[NoReference], train: Dataset, out: Path, **how: Any) -> tuple[Tensor, list[float], list[FitStep]]:
    """Returns the pattern, the losses that the stamp has, and what was shown on the way."""
    fit, shown = fit_of(made, train), []
    ORDER.heard = ""
    with ORDER:
        pattern = pattern_of(MetricRunner(fit.metric, out), fit, train, shown.append, **how)
    return pattern, FitStamp.read(fit.file(out).with_suffix(".json")).loss, shown


def test_next_step_is_queued_before_a_loss_is_read(train: Dataset, tmp_path: Path) -> None:
    _, losses, shown = fitted(Bright, train, tmp_path, every=1e9)
    assert ORDER.heard == "scr" + "sc" + (STEPS - 2) * "scr" + "r"
    assert len(losses) == STEPS
    assert [step.loss for step in shown[1:]] == [losses[0], *losses[: STEPS - 2], losses[-1]]


def test_fit_killed_behind_any_step_loses_no_loss(train: Dataset, tmp_path: Path) -> None:
    whole = fitted(Bright, train, tmp_path / "whole", every=1e9)
    fit, reached = fit_of(Bright, train), []

    def stop(step: FitStep) -> None:
        if step.done not in reached:
            reached.append(step.done)
            raise KeyboardInterrupt

    for _ in range(STEPS + 1):
        with pytest.raises(KeyboardInterrupt):
            pattern_of(MetricRunner(fit.metric, tmp_path / "killed"), fit, train, stop, every=0)
    assert reached == list(range(STEPS + 1))
    pattern, losses, _ = fitted(Bright, train, tmp_path / "killed", every=1e9)
    assert torch.equal(pattern, whole[0])
    assert losses == whole[1]


def test_last_steps_without_a_loss_end_the_fit(train: Dataset, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"must be finite; it is nan since step {STEPS - 1}, on "):
        fitted(OddLast, train, tmp_path, every=1e9)
