"""Training: lowers the loss, is seeded, and ends the same when it was killed on the way."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from scratch import Tree, zygote
from tiny import SOURCES, TINY
from torch import Tensor

from metric_robustness.pipeline.cli.train import train
from metric_robustness.pipeline.errors import BenchError, DataError, TransientError
from metric_robustness.pipeline.files import file_digest, folder_lock
from metric_robustness.pipeline.train.loop import Epoch, Training
from metric_robustness.pipeline.train.photographs import Photographs
from metric_robustness.pipeline.train.recipes import RECIPES, Recipe
from metric_robustness.pipeline.train.run import start
from metric_robustness.pipeline.train.samples import Samples, prepare, sample_plans
from metric_robustness.pipeline.train.tasks.rate import disagreement

ROOT = Path(__file__).resolve().parents[2]
RATED = [name for name, recipe in RECIPES.items() if recipe.task == "rate"]


@pytest.fixture(scope="module")
def made(few: Photographs, work: Path) -> tuple[Samples, Samples]:
    training, validation = (prepare(plan, work, lambda _: None) for plan in sample_plans(few, TINY))
    return training, validation


def trained(recipe: Recipe, made: tuple[Samples, Samples], checkpoint: Path) -> dict[str, Tensor]:
    training = Training(start(recipe), recipe, *made)
    training.run(checkpoint, lambda _: None)
    return training.weights


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("name", RATED)
def test_steps_lower_the_loss_of_a_batch(name: str, made: tuple[Samples, Samples]) -> None:
    recipe = replace(TINY, network=name, epochs=100)
    training = Training(start(recipe), recipe, *made)
    images, labels = made[0].images.float() / 255, made[0].labels
    losses = [training.step(images, labels, number, torch.Generator()) for number in range(16)]
    assert losses[1] < losses[0]
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.parametrize("name", RATED)
def test_the_same_seed_gives_the_same_weights_and_another_does_not(
    name: str, made: tuple[Samples, Samples], tmp_path: Path
) -> None:
    recipe = replace(TINY, network=name, epochs=2)
    once, again = (trained(recipe, made, tmp_path / run) for run in ("once", "again"))
    assert equal(once, again)
    assert not equal(once, trained(replace(recipe, seed=1), made, tmp_path / "other"))


def test_the_outer_random_generator_is_left_alone() -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    start(TINY)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_finished_training_is_not_done_again(made: tuple[Samples, Samples], tmp_path: Path) -> None:
    trained(TINY, made, tmp_path / "checkpoint")
    written = (tmp_path / "checkpoint").stat().st_mtime_ns
    trained(TINY, made, tmp_path / "checkpoint")
    assert (tmp_path / "checkpoint").stat().st_mtime_ns == written


@pytest.mark.parametrize("stale", ["of another recipe", "damaged"])
def test_a_checkpoint_that_does_not_fit_is_not_used(stale: str, made: tuple[Samples, Samples], tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint"
    if stale == "damaged":
        checkpoint.write_bytes(b"PK not a checkpoint")
    else:
        trained(replace(TINY, rate=5e-3), made, checkpoint)
    assert equal(trained(TINY, made, checkpoint), trained(TINY, made, tmp_path / "fresh"))


def test_the_rate_rises_and_then_falls_to_nothing(made: tuple[Samples, Samples]) -> None:
    recipe = replace(TINY, epochs=40)
    training = Training(start(recipe), recipe, *made)
    rates = [training.rate(number) for number in range(recipe.epochs * training.batches)]
    highest = rates.index(max(rates))
    assert 0 < highest < 0.1 * len(rates)
    assert rates[highest:] == sorted(rates[highest:], reverse=True)
    assert rates[-1] == pytest.approx(0)


def test_averaged_weights_are_the_mean_of_those_after_each_step_and_survive_a_stop(
    made: tuple[Samples, Samples], tmp_path: Path
) -> None:
    recipe = replace(TINY, average=0.75, epochs=1)
    training = Training(start(recipe), recipe, *made)
    images, labels = made[0].images.float() / 255, made[0].labels
    wanted: Tensor | None = None
    for number in range(4):
        training.step(images, labels, number, torch.Generator())
        last = next(training.network.parameters()).detach().clone()
        wanted = last if wanted is None else 0.75 * wanted + 0.25 * last
    kept = next(iter(training.weights.values()))
    torch.testing.assert_close(kept, wanted)
    assert not torch.equal(kept, last)
    assert training.weights.keys() == training.network.state_dict().keys()
    whole = trained(replace(recipe, epochs=2, last_rate=1), made, tmp_path / "whole")
    stopped = Training(start(recipe), replace(recipe, epochs=2, last_rate=1), *made)
    with pytest.raises(KeyboardInterrupt):
        stopped.run(tmp_path / "stopped", interrupt)
    assert equal(trained(replace(recipe, epochs=2, last_rate=1), made, tmp_path / "stopped"), whole)


def interrupt(_: Epoch) -> None:
    raise KeyboardInterrupt


def test_the_loss_is_least_where_scores_are_the_labels() -> None:
    labels = torch.tensor([10.0, 40.0, 90.0])
    exact, shifted, turned = (disagreement(scores, labels).item() for scores in (labels, labels + 20, labels.flip(0)))
    assert exact < 1e-3
    assert exact < shifted < turned


def words(folder: Path) -> list[str]:
    """Returns the words of a call that trains five passes."""
    images = [argument for source in SOURCES for argument in ("--images", source)]
    places = ["--out", str(folder / "net.safetensors"), "--work", str(folder / "work")]
    # Crops of 128 pixels are what a step sees anyway; whole ones of 256 take four times as long to label.
    return ["train", "small_cnn", *images, *places, "--samples", "24", "--epochs", "5", "--crop", "128"]


def test_a_killed_training_continues_to_the_same_weights(tmp_path: Path) -> None:
    def call(folder: Path) -> None:
        told = zygote().call(words(folder), ROOT, Tree.environment({}))
        assert told.returncode == 0, told.stderr
        assert (told.stdout + told.stderr).count("SROCC") == 6, told  # five passes and the result

    whole, killed = tmp_path / "whole", tmp_path / "killed"
    call(whole)
    for made in (whole / "work").glob("*/samples-*"):  # the same samples, which take longer than the training
        shutil.copytree(made, killed / made.relative_to(whole))
    first = subprocess.Popen(
        [sys.executable, "-m", "pipeline", *words(killed)],
        cwd=ROOT,
        env=Tree.environment({}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert first.stdout is not None
    for line in first.stdout:
        if line.startswith("loss"):
            break
    time.sleep(0.05)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    assert not (killed / "net.safetensors").exists()
    call(killed)
    assert (killed / "net.safetensors").read_bytes() == (whole / "net.safetensors").read_bytes()
    one, other = (json.loads((folder / "net.json").read_text()) for folder in (whole, killed))
    assert one["epochs"] == other["epochs"]
    assert one["sha256"] == other["sha256"] == file_digest(whole / "net.safetensors")
    assert one["recipe"]["samples"] == 24
    assert not set(one["trained_on"]) & set(one["held_out"])


def test_a_wrong_call_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"--out must end in \.safetensors; got .*net\.pt: add it"):
        train("small_cnn", [SOURCES[0]], tmp_path / "net.pt")
    with pytest.raises(BenchError, match="no data set or folder is named 'nowhere'"):
        train("small_cnn", ["nowhere"], tmp_path / "net.safetensors", tmp_path)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"settings": ["strength=1"]}, "--set is for METRIC.TRAINING; small_cnn does not use it"),
        ({"attacked": [Path("anywhere")]}, "--attacked is for fcn; small_cnn does not use it"),
        ({"attacks": "fgsm"}, "--attacks is for fcn; small_cnn does not use it"),
    ],
)
def test_an_option_that_a_training_would_pass_over_is_refused(
    options: dict[str, Any], told: str, tmp_path: Path
) -> None:
    with pytest.raises(BenchError, match=told):
        train("small_cnn", SOURCES, tmp_path / "net.safetensors", tmp_path / "work", **options)
    assert not (tmp_path / "work").exists()


def test_two_trainings_do_not_share_a_folder(tmp_path: Path) -> None:
    with folder_lock(tmp_path / "small_cnn"), pytest.raises(TransientError, match="another run"):
        train("small_cnn", SOURCES, tmp_path / "net.safetensors", tmp_path)


def test_a_metric_that_cannot_be_built_without_weights_is_named() -> None:
    with pytest.raises(DataError, match="psnr must have the class method `untrained`"):
        start(replace(TINY, network="psnr"))
