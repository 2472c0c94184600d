"""Fitting as people call it: kills, what a run fits by itself, what cannot be fitted, patterns of other images."""

from __future__ import annotations

import json
import shutil
import signal
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
from quiet import Quiet

from metric_robustness.pipeline.cells.settings import Settings
from metric_robustness.pipeline.config import Preset
from metric_robustness.pipeline.engine.machine import Machine
from metric_robustness.pipeline.engine.run import run
from metric_robustness.pipeline.engine.selection import Selection
from metric_robustness.pipeline.engine.universal.fit_patterns import fit_patterns
from metric_robustness.pipeline.errors import BenchError

SMALL = Settings(overrides={"crop": "16", "batch": "3", "epochs": "4", "least_steps": "1"})


def silent(*_: object) -> None:
    pass


def test_a_fit_killed_again_and_again_comes_to_the_same_bits(laboratory, photos, tmp_path):
    settings = ("--set", "crop=16", "--set", "batch=2", "--set", "epochs=3", "--set", "least_steps=1")
    settings += ("--checkpoint-every", 0)

    def fit(name: str, kill_at: int = -1):
        tally = tmp_path / f"{name}.tally"
        told = laboratory.call(
            "fit", "optimized_uap", "tally", "--train", photos, "--out", tmp_path / name, *settings,
            TALLY=str(tally), KILL_AT=str(kill_at),
        )  # fmt: skip
        return told, tally

    told, tally = fit("whole")
    assert told.returncode == 0, told.stderr
    steps = tally.stat().st_size
    assert steps == 9
    assert "in 9 steps" in told.stdout
    for kill_at in (3, 8):
        assert fit("killed", kill_at)[0].returncode == -signal.SIGKILL
    told, tally = fit("killed")
    assert told.returncode == 0, told.stderr
    assert tally.stat().st_size == steps + 2  # each kill cost one step
    patterns = [next((tmp_path / name).glob("fits/tally/*.safetensors")) for name in ("whole", "killed")]
    assert patterns[0].read_bytes() == patterns[1].read_bytes()
    losses = [json.loads(pattern.with_suffix(".json").read_text())["loss"] for pattern in patterns]
    assert losses[0] == losses[1]


def test_run_fits_what_is_missing_and_a_fit_that_fails_costs_only_its_cell(laboratory, photos, tmp_path):
    folder = Path(shutil.copytree(photos, tmp_path / "train"))
    few = Path(shutil.copytree(photos, tmp_path / "few"))
    for number in range(2):
        shutil.copy(photos / "coffee.png", folder / f"{number}.png")
    common = ("--metrics", "brightness", "--dataset", photos, "--out", tmp_path / "out")
    told = laboratory.call("run", *common, "--attacks", "fgsm,cumulative_uap", "--train", f"{folder},{few}")
    assert told.returncode == 3
    assert "training set few must hold a batch of 8 images; it holds 6" in told.stderr
    assert (tmp_path / "out" / "brightness" / "fgsm.csv").is_file()
    assert not (tmp_path / "out" / "brightness" / "cumulative_uap.csv").exists()
    fitted = sorted((tmp_path / "out" / "fits" / "brightness").glob("*.safetensors"))
    assert [file.stem for file in fitted] == ["cumulative_uap-published-train", "cumulative_uap-train"]
    times = [file.stat().st_mtime_ns for file in fitted]

    told = laboratory.call("run", *common, "--attacks", "cumulative_uap", "--train", folder)
    assert told.returncode == 0, told.stderr
    assert [file.stat().st_mtime_ns for file in fitted] == times
    stamp = json.loads((tmp_path / "out" / "brightness" / "cumulative_uap.json").read_text())
    assert [dataset["name"] for dataset in stamp["train"]] == ["train"]
    scores = (tmp_path / "out" / "scores.csv").read_text()
    assert scores.count("cumulative_uap") == 2 * 3  # default and published, at three amplitudes


def test_without_a_training_set_all_attacks_are_those_that_need_none():
    preset = Preset()
    assert "optimized_uap" in preset.untrained
    assert not {entry.name for entry in preset.entries("attacks", "all")} & set(preset.untrained)
    assert "optimized_uap" in {entry.name for entry in Preset(train=("sample",)).entries("attacks", "all")}
    with pytest.raises(BenchError, match="optimized_uap must be fitted on a training set; got none: add --train"):
        preset.entries("attacks", "fgsm,optimized_uap")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"attack": "fgsm"}, "fit needs a universal attack; got fgsm"),
        ({"train": ["nowhere"]}, "no data set or folder is named 'nowhere'"),
        ({"metric": "entropy"}, "entropy under optimized_uap: white-box attack on a metric without gradient"),
        ({"key": "0" * 32}, "must have the planned key 0"),
        ({"settings": Settings(overrides={"lrr": "1"})}, "has no setting 'lrr': did you mean lr"),
        ({"settings": Settings(overrides={"batch": "0"})}, "optimized_uap's batch must be at least 1; got 0"),
        ({"settings": Settings(overrides={"crop": "-8"})}, "optimized_uap's crop must be at least 1; got -8"),
        ({"settings": Settings(overrides={"amplitudes": "1,-1"})}, "amplitudes must not be negative; got"),
    ],
)
def test_a_fit_that_cannot_be_is_told_in_one_line(photos, tmp_path, change, told):
    given = {
        "attack": "optimized_uap",
        "metric": "small_cnn",
        "train": [str(photos)],
        "settings": Settings(),
        "key": "",
    }
    given |= change
    selection = Selection([given["metric"]], [given["attack"]], train=given["train"])
    with pytest.raises(BenchError, match=told):
        list(
            fit_patterns(
                selection, given["settings"], Machine(tmp_path), lambda fit: nullcontext(silent), key=given["key"]
            )
        )


def test_the_command_without_a_training_set_is_answered_in_one_line(laboratory):
    answer = laboratory.call("fit", "optimized_uap", "brightness")
    assert answer.returncode == 2
    assert answer.stderr.startswith("error: fit needs a training set; got none: add --train")
    assert answer.stderr.count("\n") == 1


def test_a_pattern_of_another_training_set_of_the_same_name_is_replaced_only_when_asked(photos, tmp_path):
    settings = replace(SMALL, variants=False, overrides=SMALL.overrides | {"crop": "32"})

    def fit_again(limit: int, **where: bool) -> str:
        asked = Selection(["small_cnn"], ["optimized_uap"], train=[str(photos)], train_limit=limit)
        (fitted,) = fit_patterns(asked, settings, Machine(tmp_path, **where), lambda fit: nullcontext(silent))
        return fitted.stamp.train.digest

    first = fit_again(5)
    told = r"other images that are called photos\d*, too \(5 files\): .*--replace"
    with pytest.raises(BenchError, match=told):
        fit_again(4)
    asked = Selection(["small_cnn"], ["optimized_uap"], [str(photos)], train=[str(photos)], train_limit=4)
    with pytest.raises(BenchError, match=told):
        run(asked, settings, Machine(tmp_path, patience=None), Quiet())
    assert fit_again(5) == first
    assert fit_again(4, replace=True) != first
