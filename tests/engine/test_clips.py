"""Clips: scored and attacked some frames at a time, killed and resumed, in one run with metrics of images."""

from __future__ import annotations

import csv
import json
import signal
from pathlib import Path

import av
import numpy as np
import pytest
import skimage
import torch
from csv_lines import lines
from PIL import Image
from scratch import BRIGHTNESS, DISTANCE, Tree
from torch import Tensor

from metric_robustness.metrics.base import Images, VideoMetric
from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.catalogue.entry import Entry
from metric_robustness.pipeline.cells.cell import Cell
from metric_robustness.pipeline.cells.distortion import NONE, Distortion
from metric_robustness.pipeline.cells.settings import Settings
from metric_robustness.pipeline.data.dataset import open_dataset
from metric_robustness.pipeline.data.images import compress, pixels_of, to_tensor
from metric_robustness.pipeline.engine.cell import CellRun
from metric_robustness.pipeline.engine.clips.runner import ClipRunner
from metric_robustness.pipeline.engine.clips.windows import Showing, WindowScore, windows
from metric_robustness.pipeline.engine.device import Compute
from metric_robustness.pipeline.engine.metric.objective import MetricObjective

FRAMES = 7

# Writes a byte into $TALLY for every window of which it computes features, and kills the whole run at number $KILL_AT.
MOVING = '''
"""Moving: how bright the brightest moments of a clip are, and how fast the original moves."""

import os
import signal

import torch
from torch import Tensor

from metric_robustness.metrics.base import Images, Scores, VideoMetric


class Moving(VideoMetric):
    higher_is_better = True
    score_range = (0.0, 1.0)
    full_reference = FULL
    reference_context = 1

    def features(self, frames: Images, references: Images | None = None) -> Tensor:
        if "TALLY" in os.environ:
            with open(os.environ["TALLY"], "ab", buffering=0) as tally:
                tally.write(b"x")
                if tally.tell() == int(os.environ.get("KILL_AT", "-1")):
                    os.killpg(0, signal.SIGKILL)
        bright = (frames.square() * (1 + frames.flip(3))).mean(dim=(1, 2, 3))
        steps = torch.zeros_like(bright)
        if references is not None:
            steps = torch.cat([steps[:1], references.diff(dim=0).abs().mean(dim=(1, 2, 3))])[-len(frames) :]
        return torch.stack([bright, steps], dim=1)

    def pool(self, features: Tensor) -> Scores:
        return features[..., 0].logsumexp(dim=1) / 5 + features[..., 1].mean(dim=1)
'''


@pytest.fixture(scope="module")
def theatre(tmp_path_factory) -> Tree:
    """Returns a checkout with two metrics of clips and two of images."""
    tree = Tree.copy_to(tmp_path_factory.mktemp("theatre") / "tree")
    for name, text in {
        "moving": MOVING.replace("FULL", "False"),
        "compared": MOVING.replace("FULL", "True").replace("Moving", "Compared"),
        "brightness": BRIGHTNESS,
        "distance": DISTANCE,
    }.items():
        tree.write(f"metrics/{name}.py", text)
    return tree


@pytest.fixture(scope="module")
def films(tmp_path_factory) -> Path:
    """Returns a folder with a clip in which a camera pans over a photograph."""
    folder = tmp_path_factory.mktemp("films")
    with Image.open(Path(skimage.__file__).parent / "data" / "astronaut.png") as image:
        pixels = np.asarray(image.convert("RGB").resize((64, 64)))
    with av.open(str(folder / "pan.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 40, 32, "yuv444p"
        for number in range(FRAMES):
            part = np.ascontiguousarray(pixels[10:42, 2 * number : 2 * number + 40])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(part, "rgb24")))
        container.mux(stream.encode(None))
    return folder


def run(tree: Tree, out: Path, data: Path, *options, metrics="moving", attacks="ifgsm", **environment):
    arguments = ["--metrics", metrics, "--attacks", attacks, "--dataset", data, "--out", out, *options]
    return tree.call("run", *arguments, **environment)


def rows(out: Path, cell: str) -> list[dict[str, str]]:
    return lines(out / f"{cell}.csv")


class Pooled(VideoMetric):
    """Frames and originals mixed without any symmetry, pooled so that every frame matters more or less."""

    higher_is_better = False
    score_range = (0.0, 4.0)
    full_reference = True
    reference_context = 2

    def features(self, frames: Images, references: Images | None = None) -> Tensor:
        assert references is not None
        own = references[-len(frames) :]
        mixed = torch.stack([(frames * own).mean(dim=(1, 2, 3)), frames.square().mean(dim=(1, 2, 3))], dim=1)
        earlier = torch.stack(
            [references[max(i - 2, 0) : i + 1].mean() for i in range(len(references) - len(frames), len(references))]
        )
        return torch.cat([mixed, earlier[:, None]], dim=1)

    def pool(self, features: Tensor) -> Tensor:
        return (features[..., 0].cumsum(dim=1) * features[..., 1] * features[..., 2]).sum(dim=1)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 9])
def test_windows_cover_a_clip_once_with_what_was_before_them(size):
    found = windows(range(7), size, 2)
    assert [frame for window in found for frame in window.photos] == list(range(7))
    assert all(window.before == list(range(max(window.start - 2, 0), window.start)) for window in found)
    assert found[-1].stop == 7


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_a_windows_gradient_is_that_of_the_whole_clip(size):
    generator = torch.Generator().manual_seed(0)
    clip, references = (torch.rand(7, 3, 9, 8, generator=generator) for _ in range(2))
    metric = Pooled()
    whole = clip.clone()[None].requires_grad_()
    score = metric(whole, references[None])
    (expected,) = torch.autograd.grad(score.sum(), whole)
    features = metric.features(clip, references)
    for window in windows(range(7), size, 2):
        seen = references[window.start - len(window.before) : window.stop]
        objective = MetricObjective(WindowScore(metric, features, window), seen)
        frames = clip[window.start : window.stop]
        torch.testing.assert_close(objective(frames), (-score.detach() / 4).expand(len(frames)))
        torch.testing.assert_close(objective.gradient(frames), -expected[0, window.start : window.stop] / 4)


def test_a_full_reference_metric_of_clips_refuses_originals_of_another_length():
    clip = torch.rand(1, 7, 3, 9, 8)
    with pytest.raises(ValueError, match=r"references must have the images' shape, \(1, 7, 3, 9, 8\); got \(1, 6, 3"):
        Pooled()(clip, clip[:, :6])
    with pytest.raises(ValueError, match="Pooled must get references; got none"):
        Pooled()(clip)


@pytest.mark.parametrize("size", [1, 3, 16])
@pytest.mark.parametrize(("paired", "distortion"), [(False, NONE), (True, NONE), (True, Distortion(50))])
def test_features_read_window_by_window_are_those_of_the_whole(films, tmp_path, size, paired, distortion):
    dataset = open_dataset(str(films))
    fields = {"batch_dependent": False, "smallest": 7, "reference_context": 2, "full_reference": paired}
    runner = ClipRunner(Entry("pooled", "metrics", kind="video", fields=fields), tmp_path, Compute(batch=size))
    runner.__dict__["metric"] = Pooled()
    photos = dataset.clips["pan.mkv"]
    showing = Showing(dataset, photos, distortion, size=size)
    parts = [batch for _, batch in runner.read(showing)]
    images = torch.cat([batch.images for batch in parts])
    assert len(images) == FRAMES
    originals = torch.cat([batch.images for _, batch in runner.read(Showing(dataset, photos, NONE, size=16))])
    if not paired:
        assert all(batch.references is None for batch in parts)
        return
    assert torch.equal(images, originals) == (distortion == NONE)
    found = runner.features(showing)
    torch.testing.assert_close(found, Pooled().features(images, originals))


class Bright(VideoMetric):
    higher_is_better = True
    score_range = (0.0, 1.0)

    def features(self, frames: Images, references: Images | None = None) -> Tensor:
        return frames.mean(dim=(1, 2, 3))[:, None]

    def pool(self, features: Tensor) -> Tensor:
        return features.mean(dim=(1, 2))


@pytest.mark.parametrize(("attack", "budgets"), [("ifgsm", ()), ("adam", (6,))])
def test_progress_is_told_window_by_window_and_adds_up(films, tmp_path, attack, budgets):
    fields = {"batch_dependent": False, "differentiable": True, "smallest": 7, "random": False}
    entry = Entry("bright", "metrics", kind="video", fields=fields, fingerprint="0" * 16)
    dataset, settings = open_dataset(str(films)), Settings(variants=False, budgets=budgets)
    cell = Cell(entry, lookup.find("attacks", attack), {dataset.name: dataset.digest}, settings)

    def told() -> dict[str, list[int]]:
        heard: dict[str, list[int]] = {"clear": [], attack: []}
        runner = ClipRunner(entry, tmp_path, Compute(batch=2), network=lambda: Bright().eval())
        CellRun(runner, cell, lambda what, work: heard[what].append(work)).run([dataset])
        return {what: [work for work in told if work] for what, told in heard.items()}  # 0 only says what begins

    spent = cell.attack.load()().budget()
    frame, first = spent.queries + 2 * spent.gradients, told()  # a gradient counts as two; the last score as one
    assert (first["clear"], first[attack][:8]) == ([2, 2, 2, 1], [2 * frame, 2 * frame, 2 * frame, frame, 2, 2, 2, 1])
    assert told() == {"clear": [], attack: [sum(first[attack])]}  # the work of an earlier run, at once


@pytest.fixture(scope="module")
def finished(theatre, films, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("finished") / "out"
    told = run(
        theatre, out, films, "--batch", 2, metrics="moving,compared,brightness,distance", attacks="fgsm,ifgsm,noise"
    )
    assert told.returncode == 0, told.stderr
    return out


def test_a_video_metric_has_a_row_per_clip(finished):
    for metric in ("moving", "compared"):
        for attack in ("fgsm", "ifgsm"):
            (row,) = rows(finished, f"{metric}/{attack}")
            assert (row["image"], row["clip"]) == ("pan.mkv", "pan.mkv")
            assert float(row["attacked"]) > float(row["clear"])
            assert float(row["linf"]) <= 10 / 255 + 1e-6
            assert 25 < float(row["psnr"]) < 60
        assert float(rows(finished, f"{metric}/ifgsm")[0]["attacked"]) > float(
            rows(finished, f"{metric}/noise")[0]["attacked"]
        )
    board = json.loads((finished / "leaderboard.json").read_text())
    assert {section["kind"] for section in board["sections"]} == {"NR", "FR", "video"}


def test_an_image_metric_has_a_row_per_frame_and_one_of_their_mean(finished):
    for metric in ("brightness", "distance"):
        found = rows(finished, f"{metric}/ifgsm")
        frames = [row for row in found if row["variant"] == ""]
        assert [row["image"] for row in frames] == [f"pan.mkv#{number:04}" for number in range(FRAMES)]
        assert {row["clip"] for row in frames} == {"pan.mkv"}
        (mean,) = [row for row in found if row["variant"] == "clip_mean"]
        assert (mean["image"], mean["clip"]) == ("pan.mkv", "pan.mkv")
        for column in ("clear", "attacked", "psnr", "ssim", "mse"):
            values = [float(row[column]) for row in frames]
            assert float(mean[column]) == pytest.approx(np.mean(values), rel=1e-5)
    with (finished / "scores.csv").open(newline="") as file:
        scores = {(row["metric"], row["attack"], row["variant"]): row for row in csv.DictReader(file)}
    assert scores["brightness", "ifgsm", ""]["n"] == str(FRAMES)
    assert scores["brightness", "ifgsm", "clip_mean"]["n"] == "1"
    assert not any("fewer images" in row["flags"] for row in scores.values())


def test_the_window_changes_no_frames_first_step(finished, theatre, films, tmp_path):
    told = run(theatre, tmp_path, films, "--batch", 5, attacks="fgsm")
    assert told.returncode == 0, told.stderr
    (one,), (other,) = rows(tmp_path, "moving/fgsm"), rows(finished, "moving/fgsm")
    assert float(one["attacked"]) == pytest.approx(float(other["attacked"]), rel=1e-5)


def test_a_killed_attack_on_a_clip_ends_in_the_same_bytes_and_repeats_no_window(finished, theatre, films, tmp_path):
    tally, out = tmp_path / "tally", tmp_path / "out"

    def again(kill_at=-1):
        return run(theatre, out, films, "--batch", 2, TALLY=str(tally), KILL_AT=str(kill_at)).returncode

    # Four windows: once for the clear features, ten times each in the attack, once for the attacked features.
    in_vain = {2: 2, 19: 3, 51: 2}
    for kill_at in in_vain:
        assert again(kill_at) == -signal.SIGKILL
    assert again() == 0
    assert tally.stat().st_size == 4 + 40 + 4 + sum(in_vain.values())
    assert (out / "moving" / "ifgsm.csv").read_bytes() == (finished / "moving" / "ifgsm.csv").read_bytes()
    assert not list((out / ".work" / "moving").rglob("0*.array"))


def test_a_search_on_a_clip_goes_on_within_smaller_budgets_and_survives_kills(theatre, films, tmp_path):
    tally = tmp_path / "tally"

    def found(out, kill_at=-1):
        options = ("--batch", 4, "--budgets", "2,6")
        return run(theatre, out, films, *options, attacks="adam", TALLY=str(tally), KILL_AT=str(kill_at)).returncode

    assert found(tmp_path / "whole") == 0
    within = {row["variant"]: row for row in rows(tmp_path / "whole", "moving/adam")}
    assert list(within) == ["", "eps=6/255", "eps=2/255", "thorough", "worse"]
    changes = {name: (float(row["linf"]), float(row["attacked"])) for name, row in within.items() if name != "worse"}
    assert changes["eps=2/255"][0] <= 2 / 255 + 1e-6 < changes["eps=6/255"][0] <= 6 / 255 + 1e-6 < changes[""][0]
    assert float(within[""]["clear"]) < changes["eps=2/255"][1] < changes["eps=6/255"][1] < changes[""][1]
    board = json.loads((tmp_path / "whole" / "leaderboard.json").read_text())
    assert board["sections"][0]["budgets"] == [2, 6, 10]
    whole = tally.stat().st_size
    for kill_at in (whole + 60, whole + 310, whole + 340):  # in the first search, and in those that go on
        assert found(tmp_path / "killed", kill_at) == -signal.SIGKILL
    assert found(tmp_path / "killed") == 0
    killed, undisturbed = ((tmp_path / name / "moving" / "adam.csv").read_bytes() for name in ("killed", "whole"))
    assert killed == undisturbed
    assert not list((tmp_path / "killed" / ".work").rglob("0*.npy"))


def test_attacked_frames_are_saved(theatre, films, tmp_path):
    assert run(theatre, tmp_path, films, "--save-images", attacks="fgsm").returncode == 0
    folder = tmp_path / "images" / "none" / "default" / "fgsm" / "moving" / "default"
    assert sorted(path.name for path in folder.iterdir()) == [f"pan.mkv#{number:04}.png" for number in range(FRAMES)]


def test_a_broken_clip_costs_only_itself(theatre, films, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    (data / "pan.mkv").write_bytes((films / "pan.mkv").read_bytes())
    (data / "torn.y4m").write_bytes(b"YUV4MPEG2 W16 H16 F25:1 C420jpeg\nFRAME\n" + bytes(100))
    told = run(theatre, tmp_path / "out", data)
    assert told.returncode == 0, told.stderr
    assert "excluded: torn.y4m: is truncated: 139 bytes of another frame follow 0 whole ones" in told.stderr
    (row,) = rows(tmp_path / "out", "moving/ifgsm")
    assert row["image"] == "pan.mkv"
    with (tmp_path / "out" / "scores.csv").open(newline="") as file:
        (score,) = csv.DictReader(file)
    assert "fewer images than asked: 1 of 2" in score["flags"]


def test_a_video_metric_is_skipped_where_there_is_no_clip(theatre, photos, tmp_path):
    told = run(theatre, tmp_path, photos, metrics="moving,brightness", attacks="fgsm")
    assert told.returncode == 0, told.stderr
    stamp = json.loads((tmp_path / "moving" / "fgsm.json").read_text())
    assert (stamp["status"], stamp["reason"]) == ("skipped", "it rates clips, and the data sets hold none")


def test_triplets_and_the_first_frames_of_videos_are_clips(theatre, films, tmp_path):
    for clip in ("00001/0001", "00001/0002"):
        for number in (1, 2, 3):
            path = tmp_path / "data" / "vimeo_triplet" / "sequences" / clip / f"im{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (24, 16), (60 * number, 100, 30)).save(path)
    (tmp_path / "data" / "vimeo_triplet" / "tri_testlist.txt").write_text("00001/0001\n00001/0002\n")
    told = run(theatre, tmp_path / "out", "vimeo90k_test", METRIC_ROBUSTNESS_DATA=str(tmp_path / "data"))
    assert told.returncode == 0, told.stderr
    found = rows(tmp_path / "out", "moving/ifgsm")
    assert [row["image"] for row in found] == ["sequences/00001/0001", "sequences/00001/0002"]
    told = run(theatre, tmp_path / "short", films, "--frames", 3, metrics="brightness", attacks="noise")
    assert told.returncode == 0, told.stderr
    assert len(rows(tmp_path / "short", "brightness/noise")) == 3 + 1


def scores(out: Path) -> dict[tuple[str, str], dict[str, str]]:
    with (out / "scores.csv").open(newline="") as file:
        return {(row["metric"], row["variant"]): row for row in csv.DictReader(file)}


def test_what_survives_a_codec_is_scored_and_kept_off_the_leaderboard(finished, theatre, films, tmp_path):
    told = run(theatre, tmp_path, films, "--codec", "libx264:crf=40", metrics="moving,compared,brightness")
    assert told.returncode == 0, told.stderr
    for metric in ("moving", "compared"):
        (row,), (bare,) = rows(tmp_path, f"{metric}/ifgsm+codec=libx264-crf=40"), rows(finished, f"{metric}/ifgsm")
        assert row["variant"] == "codec=libx264:crf=40"
        assert row["psnr"] == bare["psnr"]  # the attack is the same
        assert float(row["flicker"]) == float(bare["flicker"]) > 0
        assert {row["clear"], row["attacked"]}.isdisjoint({bare["clear"], bare["attacked"]})
    stamp = json.loads((tmp_path / "brightness" / "ifgsm+codec=libx264-crf=40.json").read_text())
    assert (stamp["status"], "use --jpeg" in stamp["reason"]) == ("skipped", True)
    board = json.loads((tmp_path / "leaderboard.json").read_text())
    assert board["sections"] == []
    assert "stored with libx264:crf=40 before it was scored" in json.dumps(board)


def test_jpeg_is_the_codec_of_images(theatre, films, tmp_path):
    told = run(theatre, tmp_path, films, "--jpeg", 20, metrics="moving,brightness", attacks="fgsm")
    assert told.returncode == 0, told.stderr
    (clip,) = rows(tmp_path, "moving/fgsm+codec=jpeg-quality=20")
    frames = [
        row for row in rows(tmp_path, "brightness/fgsm+codec=jpeg-quality=20") if "clip_mean" not in row["variant"]
    ]
    photos = open_dataset(str(films)).photos
    stored = to_tensor([compress(pixels_of(photo), 20) for photo in photos])
    bright = (stored.square() * (1 + stored.flip(3))).mean(dim=(1, 2, 3))
    assert [float(row["clear"]) for row in frames] == pytest.approx(bright.tolist(), rel=1e-5)
    assert float(clip["clear"]) == pytest.approx(bright.logsumexp(dim=0).item() / 5, rel=1e-5)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--codec", "libx264"), ""),
        (("--codec", "libx264:crf"), "--codec must be like libx264:crf=23; got 'libx264:crf'"),
        (("--codec", "no_such_codec:crf=1"), "--codec must be an encoder of FFmpeg; got 'no_such_codec'"),
        (("--codec", "aac"), "--codec must be a video encoder; got 'aac'"),
        (("--codec", "libx264:crf=23", "--jpeg", "80"), "one of --codec and --jpeg must be chosen"),
    ],
)
def test_a_wrong_codec_is_told_in_one_line(theatre, films, tmp_path, options, told):
    answer = run(theatre, tmp_path, films, *options, attacks="noise")
    assert (answer.returncode == 0) == (not told)
    if told:
        assert (answer.returncode, answer.stderr.count("\n")) == (2, 1)
        assert told in answer.stderr
