"""An evaluation of an object: the rows of the command line, and nothing of the user's changed."""

from __future__ import annotations

import gc
import pickle
import random
import re
import signal
import warnings
from contextlib import nullcontext
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
import torch
from scratch import ROOT, Tree, zygote
from torch import nn

import metric_robustness as mr
from metric_robustness.metrics.base import Images, VideoMetric

ATTACKS = ("adam", "fgsm")


class Brightness(nn.Module):
    """The metric of the file that the command line runs, as a user would write it."""

    def forward(self, images):
        return (images.square() * (1 + images.flip(3))).mean(dim=(1, 2, 3))[:, None]


class Network(nn.Module):
    """A small network with convolutions, a dropout and a batch norm, none of which may run as in training."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.layers = nn.Sequential(nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.SiLU(), nn.Dropout(0.5))
        self.rate = nn.Linear(6, 1)

    def forward(self, images):
        return self.rate(self.layers(images).mean(dim=(2, 3)))


class Steps(VideoMetric):
    """How bright the frames of a clip are."""

    higher_is_better = True
    score_range = (0.0, 1.0)

    def features(self, frames: Images, references: Images | None = None) -> torch.Tensor:
        return frames.mean(dim=(1, 2, 3))[:, None]

    def pool(self, features: torch.Tensor) -> torch.Tensor:
        return features.mean(dim=(1, 2))


def distance(images, references):
    return (images - references).square().mean(dim=(1, 2, 3))


@pytest.fixture(scope="module")
def report(photos):
    """Returns the report of a network on six small photographs, its scores' range measured on them."""
    return mr.evaluate(
        Network(), photos, higher_is_better=True, attacks=["ifgsm", "adam"], budgets=(2, 10), progress=False
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("metric", "facts"),
    [
        (Brightness(), {"name": "my_brightness", "higher_is_better": True, "score_range": (0, 1)}),
        (distance, {"name": "my_distance", "higher_is_better": False, "score_range": (0, 0.01)}),
    ],
    ids=["module", "function of two"],
)
def test_rows_are_those_of_the_command_line(laboratory, photos, tmp_path, metric, facts):
    name = facts["name"].removeprefix("my_")
    words = ("run", "--metrics", name, "--attacks", ",".join(ATTACKS), "--preset", "smoke", "--budgets", "1,4")
    told = laboratory.call(*words, "--dataset", photos, "--limit", 6, "--out", tmp_path / "ran")
    assert told.returncode == 0, told.stderr
    mr.evaluate(metric, photos, **facts, attacks=ATTACKS, budgets=(1, 4), out=tmp_path / "called", progress=False)
    for attack in ATTACKS:
        ran = (tmp_path / "ran" / name / f"{attack}.csv").read_bytes()
        assert ran.count(b"\n") > 6
        assert (tmp_path / "called" / facts["name"] / f"{attack}.csv").read_bytes() == ran


@pytest.mark.slow
@pytest.mark.whole
def test_rows_and_tables_of_a_network_are_those_of_the_command_line(photos, tmp_path):
    """A module around our small CNN against the file of the small CNN, in this checkout."""
    words = ["run", "--metrics", "small_cnn", "--attacks", "adam", "--preset", "smoke", "--budgets", "4"]
    words += ["--dataset", str(photos), "--limit", "6", "--out", str(tmp_path / "ran")]
    assert zygote().call(words, ROOT, Tree.environment({})).returncode == 0
    network = mr.metric("small_cnn")
    report = mr.evaluate(
        nn.Sequential(network, nn.Unflatten(0, (-1, 1))),
        photos,
        higher_is_better=True,
        score_range=network.score_range,
        name="mine",
        attacks="adam",
        budgets=[4],
        out=tmp_path / "called",
        progress=False,
    )
    ran, called = (tmp_path / "ran" / "small_cnn" / "adam.csv", tmp_path / "called" / "mine" / "adam.csv")
    assert called.read_bytes() == ran.read_bytes()
    assert len(report.rows) == 12
    compared = report.compare("small_cnn").table.set_index("metric")
    assert compared.loc["mine", ["low", "high", "within 4/255"]].equals(
        compared.loc["small_cnn", ["low", "high", "within 4/255"]]
    )


def test_the_users_module_and_random_numbers_stay_as_they_are(photos):
    network = Network().train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    state = torch.random.get_rng_state()
    mr.evaluate(network, photos, higher_is_better=True, attacks="fgsm", limit=2, progress=False)
    assert network.training
    assert all(each.requires_grad for each in network.parameters())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert torch.equal(torch.random.get_rng_state(), state)


class Drawing(nn.Module):
    """Moves all random numbers on, as dropout and augmentations do."""

    def forward(self, images):
        torch.rand(1), np.random.rand(), random.random()
        return images.mean(dim=(1, 2, 3))


def state():
    return {
        "threads": torch.get_num_threads(),
        "gradients": (torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "random": (random.getstate(), str(np.random.get_state()), torch.random.get_rng_state().tolist()),
        "matplotlib": (mpl.get_backend(), str(mpl.rcParams)),
        "folder": Path.cwd(),
        "signal": signal.getsignal(signal.SIGINT),
        "numpy": np.geterr(),
    }


@pytest.mark.parametrize("mode", [nullcontext, torch.no_grad, torch.inference_mode], ids=lambda mode: mode.__name__)
def test_the_callers_process_stays_as_it_is(photos, mode):
    given = {"score_range": (0, 1), "higher_is_better": True, "attacks": "fgsm", "limit": 2, "progress": False}
    with mode():
        before = state()
        report = mr.evaluate(Drawing(), photos, **given)
        assert state() == before
        report.compare("small_cnn")._repr_html_()
        assert state() == before
    assert report.rows["attacked"].gt(report.rows["clear"]).all()


def test_a_report_that_is_gone_takes_its_folder_with_it_without_a_word(photos):
    given = {"score_range": (0, 1), "higher_is_better": True, "attacks": "noise", "limit": 1, "progress": False}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report = mr.evaluate(Brightness(), photos, **given)
        folder = report.run.folder
        assert folder.is_dir()
        del report
        gc.collect()
    assert not folder.exists()


def test_a_pickled_report_is_what_it_was_but_for_comparing(report, photos):
    again = pickle.loads(pickle.dumps(report))  # noqa: S301  # our own
    assert repr(again) == repr(report)
    assert again._repr_html_() == report._repr_html_()
    assert again.rows.equals(report.rows)
    assert again.curve.equals(report.curve)
    assert again.defences.equals(report.defences)
    with pytest.raises(ValueError, match="compare must have the metric, which a copied or pickled report has not"):
        again.compare("niqe")


def test_comparing_ranks_in_whole_numbers_and_names_what_it_takes(photos):
    given = {"score_range": (0, 1), "higher_is_better": True, "attacks": "noise", "limit": 1, "progress": False}
    report = mr.evaluate(Brightness(), photos, **given)
    ranks = report.compare("niqe", "small_cnn").table.set_index("metric")["rank"]  # NIQE refuses such small images
    assert (str(ranks.dtype), ranks.isna()["niqe"]) == ("Int64", True)
    for names in ((["niqe", "ssim"],), (Brightness(),), ()):
        with pytest.raises(ValueError, match=r'write them as in report.compare\("niqe", "ssim"\)'):
            report.compare(*names)


def test_a_range_that_is_not_given_is_that_of_the_clear_scores(report):
    clear = report.rows.loc[report.rows["variant"] == "", "clear"]
    scale = report.standing.scale
    assert (scale.low, scale.high) == (pytest.approx(clear.min(), rel=1e-5), pytest.approx(clear.max(), rel=1e-5))
    assert f"score_range was measured on 6 clear images: {scale.low:.6g} to {scale.high:.6g}" in report.notes


def test_a_range_in_another_unit_is_told(photos):
    given = {"higher_is_better": True, "attacks": "noise", "limit": 2, "progress": False}
    told = "far outside score_range, 0 to 100, of which gains are parts"
    for scale, expected in ((1, 0), (100, 0), (1000, 1)):
        report = mr.evaluate(lambda images, to=scale: to * Brightness()(images), photos, score_range=(0, 100), **given)
        assert sum(told in note for note in report.notes) == expected


def test_a_report_is_text_a_table_and_a_page(report):
    assert set(report.rows["attack"]) == {"adam", "ifgsm"}
    assert list(report.curve["budget"]) == [2, 10]
    assert report.curve["gain"].is_monotonic_increasing
    assert report.curve["gain"].iloc[-1] == report.worst.value
    assert re.match(r"network on photos\d+, 6 images: attacks move the score by ", repr(report))
    assert "an illustration, not a ranking to cite" in repr(report)
    page = report._repr_html_()
    assert page.count("<img") == 4  # the curve, and the image before, after, and the difference
    assert "<script" not in page


def test_the_example_is_the_image_that_was_moved_by_the_median(report):
    example = report.example
    rows = report.rows[(report.rows["variant"] == "") & (report.rows["image"] == example.image)]
    (row,) = rows[rows["attack"] == example.attack].itertuples()
    assert (row.clear, row.attacked) == example.scores
    change = example.attacked - example.clear
    assert change.abs().max().item() == pytest.approx(row.linf, abs=1e-6)
    # Attacked alone, not in its batch: where a gradient is nearly 0 its sign may differ, and a few pixels with it.
    assert change.square().mean().item() == pytest.approx(row.mse, rel=1e-3)
    gains = report.rows[report.rows["variant"] == ""].assign(gain=lambda rows: rows["attacked"] - rows["clear"])
    assert (gains.groupby("image")["gain"].max() <= row.attacked - row.clear).sum() == 3


def test_defences_have_rows_and_a_table(photos):
    report = mr.evaluate(
        Brightness(),
        photos,
        higher_is_better=True,
        score_range=(0, 1),
        attacks="fgsm",
        defences="jpeg",
        limit=2,
        progress=False,
    )
    defended = report.rows[report.rows["defence"] == "jpeg"]
    assert len(defended) == 2
    assert defended["attacked_defended"].notna().all()
    assert set(report.defences["defence"]) == {"none", "jpeg"}


def test_a_defended_module_is_attacked_through_its_defence(photos):
    given = {"score_range": (0, 1), "higher_is_better": True, "attacks": "fgsm", "limit": 2, "progress": False}
    report = mr.evaluate(mr.defend(Brightness(), "jpeg"), photos, **given)
    assert report.standing.metric == "brightness+jpeg"
    assert report.rows["psnr_defended"].notna().all()


def test_a_metric_of_clips_rates_clips(tmp_path):
    frames = (torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 255).to(torch.uint8)
    luma = b"".join(b"FRAME\n" + frame[0].numpy().tobytes() + bytes([128]) * 128 for frame in frames)
    (tmp_path / "clip.y4m").write_bytes(b"YUV4MPEG2 W16 H16 F25:1 Ip A1:1 C420jpeg\n" + luma)
    report = mr.evaluate(Steps(), tmp_path / "clip.y4m", attacks="fgsm", progress=False)
    (row,) = report.rows.itertuples()
    assert row.image == "clip.y4m"
    assert row.attacked > row.clear
    assert report.example is None


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: mr.evaluate(Brightness(), "sample"), "higher_is_better must be given"),
        (lambda: mr.evaluate("britness", "sample"), "no metric is named 'britness'"),
        (
            lambda: mr.evaluate("psnr", "sample", score_range=(0, 1)),
            "psnr of the catalogue declares score_range itself",
        ),
        (lambda: mr.evaluate(Brightness(), "nowhere", higher_is_better=True), "no data set or folder is named"),
        (lambda: mr.evaluate(Brightness(), "sample", higher_is_better=True, name="psnr"), "name must be new; psnr is"),
        (
            lambda: mr.evaluate(Brightness(), "sample", higher_is_better=True, attacks="fgms"),
            "no attack is named 'fgms'",
        ),
        (lambda: mr.evaluate(Brightness(), "sample", higher_is_better=True, budgets=[0.5]), "--budgets must be whole"),
        (
            lambda: mr.evaluate(Brightness(), "sample", higher_is_better=True, score_range=(1, 0)),
            "score_range must be (low, high)",
        ),
        (lambda: mr.evaluate(Brightness(), "sample", higher_is_better=True, device="tpu"), "must be cpu or cuda"),
        (
            lambda: mr.evaluate(7, "sample"),
            "the metric must be a name of the catalogue, a module or a function; got int",
        ),
        (lambda: mr.evaluate(distance, "sample", higher_is_better=False), "score_range must be given for distance"),
        (
            lambda: mr.evaluate(lambda images: images.mean((0, 1, 2))[:3], "sample", higher_is_better=True, limit=1),
            "the metric must return one score per image, shape (1,) or (1, 1); got (3,)",
        ),
        (
            lambda: mr.evaluate(lambda images: images.sum(dim=(1, 2, 3)) * 0, "sample", higher_is_better=True, limit=2),
            "score_range must be given: the metric's scores of 2 clear images are all 0",
        ),
        (lambda: mr.attack(Brightness(), torch.rand(1, 3, 16, 16), "fgsm", stepz=3), "fgsm has no setting 'stepz'"),
        (
            lambda: mr.attack(Brightness(), torch.rand(1, 3, 16, 16), "fgsm", eps=8),
            "fgsm's eps must be from 0 to 1, in parts of a channel; got 8: write 8/255",
        ),
        (
            lambda: mr.attack(Brightness(), torch.rand(1, 3, 16, 16), "cumulative_uap"),
            "attack must be of single images",
        ),
        (lambda: mr.catalogue("metric"), "what must be one of metrics, attacks, defences, datasets; got 'metric'"),
        (lambda: mr.defend(Brightness(), "jpge"), "no defence is named 'jpge'"),
        (lambda: mr.metric("ssmi"), "no metric is named 'ssmi'"),
    ],
)
def test_a_mistake_is_a_value_error_of_one_line(call, told):
    with pytest.raises(ValueError, match=re.escape(told)) as error:
        call()
    assert "\n" not in str(error.value)


def test_progress_is_that_of_the_command_line(photos, capsys):
    mr.evaluate(Brightness(), photos, higher_is_better=True, attacks="fgsm", limit=1, score_range=(0, 1))
    assert "1 cell to run, 0 up to date" in capsys.readouterr().err
    mr.evaluate(
        Brightness(), photos, higher_is_better=True, attacks="fgsm", limit=1, score_range=(0, 1), progress=False
    )
    assert capsys.readouterr().err == ""
