"""Hardening: a metric goes on learning from its own weights, robustly, and ends the same when it was killed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny import SOURCES, TINY
from torch import Tensor

from metric_robustness.pipeline import places
from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.cli.train import default_out, train
from metric_robustness.pipeline.engine.metric.build import build_metric
from metric_robustness.pipeline.errors import BenchError, DataError
from metric_robustness.pipeline.places import CODE
from metric_robustness.pipeline.train.loop import Training
from metric_robustness.pipeline.train.photographs import Photographs
from metric_robustness.pipeline.train.recipes import HARDENING, find_recipe
from metric_robustness.pipeline.train.run import start, train_network
from metric_robustness.pipeline.train.samples import Samples
from metric_robustness.pipeline.train.task import find_task
from metric_robustness.pipeline.train.tasks import harden

NAMES = ["small_cnn+gradient_norm", "small_cnn+adversarial_training"]
SHORT = replace(HARDENING, crop=64, samples=12, validation=4, window=48, epochs=2, batch=4)


@pytest.fixture(scope="module")
def made(few: Photographs, work: Path) -> tuple[Samples, Samples]:
    recipe = replace(SHORT, network=NAMES[0])
    return find_task(recipe).samples(few, recipe, work, lambda _: None)


def training(recipe: harden.Recipe, made: tuple[Samples, Samples]) -> Training:
    return Training(start(recipe), recipe, *made)


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("name", NAMES)
def test_it_begins_with_the_weights_of_the_metric(name: str) -> None:
    begun = start(find_recipe(name))
    bare = build_metric(lookup.find("metrics", "small_cnn"), torch.device("cpu"))
    assert equal(begun.state_dict(), bare.state_dict())
    assert all(weight.requires_grad for weight in begun.parameters())


def test_labels_get_the_spread_of_the_metrics_own_scores(made: tuple[Samples, Samples]) -> None:
    metric = build_metric(lookup.find("metrics", "small_cnn"), torch.device("cpu"))
    scores = metric(made[0].images.float() / 255)  # their range is 0 to 100 already
    assert made[0].labels.mean().item() == pytest.approx(scores.mean().item(), abs=0.1)
    assert made[0].labels.std().item() == pytest.approx(scores.std().item(), rel=0.01)


def test_the_quality_of_a_metric_where_lower_is_better_rises_as_its_score_falls() -> None:
    metric = build_metric(lookup.find("metrics", "small_cnn"), torch.device("cpu"))
    images = torch.rand(2, 3, 40, 40, generator=torch.Generator().manual_seed(0))
    scores, quality = metric(images), harden.quality(metric, images)
    metric.higher_is_better, metric.score_range = False, (-100.0, 300.0)  # type: ignore[misc]
    turned = harden.quality(metric, images)
    torch.testing.assert_close(quality, scores)
    torch.testing.assert_close(turned, 100 - (scores + 100) / 4)


@pytest.mark.parametrize("name", NAMES)
def test_a_stopped_training_continues_to_the_same_weights(
    name: str, made: tuple[Samples, Samples], tmp_path: Path
) -> None:
    recipe = replace(SHORT, network=name)
    whole = training(recipe, made)
    whole.run(tmp_path / "whole", lambda _: None)

    class StopError(Exception):
        pass

    def stop(_: object) -> None:
        raise StopError

    first = training(recipe, made)
    with pytest.raises(StopError):
        first.run(tmp_path / "stopped", stop)
    second = training(recipe, made)
    second.run(tmp_path / "stopped", lambda _: None)
    assert second.epochs == whole.epochs
    assert equal(second.weights, whole.weights)
    assert not equal(second.weights, first.weights)


@pytest.mark.parametrize(
    "other",
    [{"seed": 1}, {"settings": {"strength": "0.5"}}, {"network": NAMES[1]}],
    ids=["seed", "setting", "training"],
)
def test_a_checkpoint_of_another_training_is_not_used(
    other: dict[str, object], made: tuple[Samples, Samples], tmp_path: Path
) -> None:
    recipe = replace(SHORT, network=NAMES[0], epochs=1)
    training(recipe, made).run(tmp_path / "checkpoint", lambda _: None)
    changed, seen = training(replace(recipe, **other), made), []
    changed._read_checkpoint(tmp_path / "checkpoint")
    assert changed.epochs == []
    again = training(recipe, made)
    again.run(tmp_path / "checkpoint", seen.append)
    assert len(seen) == len(again.epochs) == 1


def test_a_step_with_a_large_strength_makes_the_gradient_smaller(made: tuple[Samples, Samples]) -> None:
    def norm(taught: Training) -> float:
        images = (made[0].images.float() / 255).requires_grad_()
        taught.network.eval()
        return torch.autograd.grad(taught.network(images).sum(), images)[0].abs().sum((1, 2, 3)).mean().item()

    images, labels = made[0].images.float() / 255, made[0].labels
    norms = {}
    for strength in ("0", "1e-2"):
        taught = training(replace(SHORT, network=NAMES[0], settings={"strength": strength}, warm_up=0), made)
        before = norm(taught)
        for number in range(3):
            taught.step(images, labels, number, torch.Generator())
        norms[strength] = norm(taught) / before
    assert norms["1e-2"] < 0.95
    assert norms["1e-2"] < norms["0"]


@pytest.mark.parametrize("wide", [0.01, 100.0])
def test_a_training_is_the_same_whatever_the_range_of_the_scores(wide: float, made: tuple[Samples, Samples]) -> None:
    """Qualities are parts of the range: in one a hundred times as wide, spread and norm are a hundredth."""
    images = made[0].images.float() / 255
    ends = []
    for range_ in (1.0, wide):
        network = start(replace(SHORT, network=NAMES[0]))
        network.score_range = (0.0, 100.0 * range_)
        labels = made[0].labels / range_
        samples = tuple(part._replace(labels=part.labels / range_) for part in made)
        taught = Training(network, replace(SHORT, network=NAMES[0], warm_up=0), *samples)
        taught.step(images, labels, 0, torch.Generator())
        ends.append(taught)
        assert f"before {taught.task.training.before}" in taught.measured
        assert taught.task.origin()["settings"]["before"] > 0
    for name, weight in ends[0].network.state_dict().items():
        torch.testing.assert_close(ends[1].network.state_dict()[name], weight, rtol=1e-3, atol=1e-5)


def test_a_device_that_is_not_there_is_told(few: Photographs, work: Path, tmp_path: Path) -> None:
    assert few
    with pytest.raises(BenchError, match="must be cpu or cuda; got 'abacus'"):
        train_network(replace(SHORT, network=NAMES[0]), SOURCES, tmp_path / "w.safetensors", work, device="abacus")


def test_weights_are_written_where_the_catalogue_finds_them(
    few: Photographs, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file alone makes the metric: no list names it."""
    assert few
    name = NAMES[0]
    recipe = replace(SHORT, network=name, epochs=1, settings={"strength": "1e-4"})
    assert default_out(name) == CODE / "metrics" / "weights" / f"{name}.safetensors"
    monkeypatch.setattr(places, "CODE", tmp_path)
    monkeypatch.setenv(places.PROJECT, str(tmp_path))
    for folder in ("metrics", "defences"):
        (tmp_path / folder).symlink_to(CODE / folder)
    (tmp_path / "metrics").unlink()
    source = CODE / "metrics"
    (tmp_path / "metrics" / "weights").mkdir(parents=True)
    for path in [*source.glob("*.py"), source / "weights" / "small_cnn.safetensors"]:
        (tmp_path / path.relative_to(source.parent)).symlink_to(path)
    assert name not in lookup.entries("metrics")
    train_network(recipe, SOURCES, default_out(name), work)
    entry = lookup.entries("metrics")[name]
    assert entry.missing_weights() == []
    made = json.loads(default_out(name).with_suffix(".json").read_text())
    assert made["settings"].pop("before") > 0
    assert made["settings"] == {"strength": 1e-4, "step": 0.00225}
    assert made["begun_with"].keys() == {"small_cnn", "gradient_norm"}
    assert f"SROCC {made['epochs'][-1]['srocc']:.2f}".replace("0.", ".") in entry.fields["verified"]
    images = torch.rand(1, 3, 40, 40, generator=torch.Generator().manual_seed(0))
    device = torch.device("cpu")
    assert build_metric(entry, device)(images) != build_metric(lookup.find("metrics", "small_cnn"), device)(images)
    before = entry.fingerprint
    default_out(name).write_bytes(b"damaged")
    assert lookup.find("metrics", name).fingerprint != before
    with pytest.raises(DataError, match=r"must be built from weights/small_cnn\+gradient_norm\.safetensors; got"):
        build_metric(lookup.find("metrics", name), device)


@pytest.mark.parametrize(
    ("name", "settings", "told"),
    [
        ("ssim+gradient_norm", {}, "ssim must be a differentiable metric of images with weights; it needs references"),
        ("brisque+gradient_norm", {}, "has no weights|must be built|no gradient"),
        ("small_cnn+jpeg", {}, "no recipe trains 'small_cnn.jpeg'"),
        ("small_cnn+jpeg+gradient_norm", {}, "put it right after the metric"),
        ("small_cnn+gradient_norm", {"lambda": "1"}, "has no setting 'lambda'"),
        ("small_cnn+gradient_norm", {"step": "wide"}, "must be of type float; got 'wide'"),
        ("small_cnn+gradient_nrm", {}, "did you mean gradient_norm"),
    ],
)
def test_what_cannot_be_trained_is_one_line(name: str, settings: dict[str, str], told: str) -> None:
    def begin() -> None:
        recipe = replace(find_recipe(name), settings=settings)
        find_task(recipe)
        start(recipe)

    with pytest.raises(BenchError, match=told) as error:
        begin()
    assert "\n" not in str(error.value)


def test_committed_weights_are_not_replaced_unasked(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="--out must name the file of small_cnn's weights; got none"):
        train("small_cnn", SOURCES, work=tmp_path)


def test_an_untrained_metric_is_skipped_with_the_command() -> None:
    from metric_robustness.pipeline.weights.provision import missing

    assert "psnr+gradient_norm was not trained yet: see python -m pipeline train" in missing(
        lookup.find("metrics", "psnr+gradient_norm")
    )
    assert TINY.network == "small_cnn"
