"""The order of a set under attack, on a metric that a budget of b levels moves by b: all is known on paper."""

from __future__ import annotations

import csv
import re
from itertools import combinations
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from local_entry import local_entry
from PIL import Image
from quiet import Quiet, run_quietly
from scipy import stats
from torch import Tensor

from metric_robustness.attacks.rank_swap import RankSwap
from metric_robustness.metrics.base import Images, NoReference, Scores, VideoMetric
from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.catalogue.entry import Entry
from metric_robustness.pipeline.cells.cell import Cell
from metric_robustness.pipeline.cells.settings import Settings
from metric_robustness.pipeline.data.dataset import Dataset, open_dataset
from metric_robustness.pipeline.engine.attack.targets import targets_of
from metric_robustness.pipeline.engine.cell import CellResult, CellRun
from metric_robustness.pipeline.engine.clips.runner import ClipRunner
from metric_robustness.pipeline.engine.device import Compute
from metric_robustness.pipeline.engine.machine import Machine
from metric_robustness.pipeline.engine.metric.runner import MetricRunner
from metric_robustness.pipeline.engine.progress import Event
from metric_robustness.pipeline.engine.run import run
from metric_robustness.pipeline.engine.selection import Selection
from metric_robustness.pipeline.errors import BenchError, DataError
from metric_robustness.pipeline.library.attack import attack
from metric_robustness.pipeline.scoring.tables.write import write_tables

CPU = torch.device("cpu")
LEVELS = [
    0,
    7,
    19,
    20,
    22,
    25,
    28,
    37,
]  # by how much each image is brighter than the first: no budget below ends in ties
BUDGETS = (2, 4)
FRAMES = 2


class Shade(NoReference):
    """The mean, in 255ths."""

    higher_is_better = True
    score_range = (0.0, 255.0)

    def score(self, images: Images) -> Scores:
        return 255 * images.mean((1, 2, 3))


class Dim(Shade):
    """The same, where lower is better."""

    higher_is_better = False


class Blank(Shade):
    """One score for all."""

    def score(self, images: Images) -> Scores:
        return 0 * super().score(images) + 3


class OnlyBright(Shade):
    """No score for the darkest image."""

    def score(self, images: Images) -> Scores:
        found = super().score(images)
        return found.where(found > 100.5, torch.nan)


class Blind(Shade):
    """The same, without a gradient."""

    differentiable = False


class Lit(VideoMetric):
    """The mean over the frames of their means, in 255ths."""

    higher_is_better = True
    score_range = (0.0, 255.0)

    def features(self, frames: Images, references: Images | None = None) -> Tensor:
        return 255 * frames.mean((1, 2, 3))[:, None]

    def pool(self, features: Tensor) -> Tensor:
        return features.mean((1, 2))


KNOWN = {entry.name: entry for entry in map(local_entry, (Shade, Dim, Blank, OnlyBright, Blind))}


@pytest.fixture
def ours(monkeypatch):
    """Makes the metrics of this file entries of the catalogue."""
    find = lookup.find
    monkeypatch.setattr(lookup, "find", lambda folder, name: KNOWN.get(name) or find(folder, name))


def write(folder: Path, levels: list[int]) -> Path:
    """Writes images of the same pixels in another order each, brighter by so many levels, from a mean of 100."""
    folder.mkdir(exist_ok=True)
    own = np.random.default_rng(0).permutation(np.tile(np.arange(60, 141), 16)).reshape(18, 24, 3)
    for number, level in enumerate(levels):
        mixed = np.random.default_rng(number + 1).permutation(own.reshape(-1)).reshape(own.shape)
        Image.fromarray((mixed + level).astype(np.uint8)).save(folder / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    return write(tmp_path_factory.mktemp("photos") / "set", [LEVELS[k] for k in (3, 0, 6, 1, 7, 2, 5, 4)])


def attacked(
    out: Path,
    dataset: Dataset,
    batch: int = 16,
    metric: str = "shade",
    attack: str = "rank_swap",
    *,
    keep: bool = False,
) -> CellResult:
    settings = Settings(variants=False, budgets=BUDGETS)
    cell = Cell(KNOWN[metric], lookup.find("attacks", "rank_swap"), {dataset.name: dataset.digest}, settings)
    runner = MetricRunner(KNOWN[metric], out, Compute(batch=batch))
    return CellRun(runner, cell, lambda what, work: None, save_images=keep).run([dataset])


def expected(clear: list[float], budget: float) -> list[float]:
    """Returns the scores after the attack: each goes towards the score of opposite rank, by at most the budget."""
    opposite = dict(zip(sorted(clear), sorted(clear, reverse=True), strict=True))
    return [score + max(-budget, min(budget, opposite[score] - score)) for score in clear]


def flipped(before: list[float], after: list[float]) -> float:
    """Returns the share of pairs whose order is the opposite, counted one by one."""
    pairs = list(combinations(zip(before, after, strict=True), 2))
    return sum((a[0] - b[0]) * (a[1] - b[1]) < 0 for a, b in pairs) / len(pairs)


def scores(rows: list[dict[str, str]], budget: int) -> tuple[list[float], list[float]]:
    own = [row for row in rows if row["variant"] == ("" if budget == 10 else f"eps={budget}/255")]
    return [float(row["clear"]) for row in own], [float(row["attacked"]) for row in own]


# ---------------------------------------------------------------- targets


def test_targets_are_the_scores_of_opposite_rank():
    assert RankSwap().targets(torch.tensor([3.0, 9.0, 1.0, 4.0])).tolist() == [4.0, 1.0, 9.0, 3.0]


def test_images_of_equal_score_share_the_mean_of_their_ranks_targets():
    clear = torch.tensor([1.0, 1.0, 5.0, 2.0])
    found = RankSwap().targets(clear)
    assert found.tolist() == [3.5, 3.5, 1.0, 1.0]
    assert stats.spearmanr(clear, [-3.5, -3.5, -1.0, -1.0]).statistic > 0.9  # the lowest correlation that ties allow


def test_no_permutation_of_a_set_has_a_lower_rank_correlation_with_it():
    clear = torch.tensor([0.3, 0.1, 0.4, 0.15, 0.9, 0.2, 0.6, 0.5])
    assert stats.spearmanr(clear, RankSwap().targets(clear)).statistic == pytest.approx(-1)


# ---------------------------------------------------------------- a known optimum


@pytest.mark.parametrize("metric", ["shade", "dim"])
def test_scores_end_where_the_budget_lets_them(photos, tmp_path, metric):
    rows = attacked(tmp_path, open_dataset(str(photos)), metric=metric).rows
    for budget, share in ((2, 2 / 28), (4, 5 / 28), (10, 10 / 28)):
        before, after = scores(rows, budget)
        assert after == pytest.approx(expected(before, budget), abs=0.05)
        assert flipped(before, after) == pytest.approx(share)


def test_order_csv_says_so_beside_noise_of_the_same_size(ours, photos, tmp_path):
    settings = Settings(variants=False, budgets=BUDGETS)
    run_quietly(["shade"], tmp_path, settings, attacks=["rank_swap", "noise"], datasets=[str(photos)])
    write_tables([tmp_path], tmp_path)
    with (tmp_path / "order.csv").open(newline="") as file:
        found = {int(line["budget"]): line for line in csv.DictReader(file)}
    assert list(found) == [2, 4, 10]
    before = sorted(100.0 + level for level in LEVELS)
    for budget, line in found.items():
        after = expected(before, budget)
        assert float(line["swap_flipped"]) == pytest.approx(flipped(before, after), rel=1e-5)
        assert float(line["swap_srocc"]) == pytest.approx(stats.spearmanr(before, after).statistic, rel=1e-5)
        assert (line["people_before"], line["people_after"]) == ("", "")
    with (tmp_path / "shade" / "noise.csv").open(newline="") as file:
        by_noise = list(csv.DictReader(file))
    assert flipped(*scores(by_noise, 10)) == 0


def test_people_agree_with_the_order_before_and_not_after(ours, photos, tmp_path):
    opinions = [float(LEVELS[k]) for k in (3, 0, 6, 1, 7, 2, 5, 4)]
    study = photos.parent / "mos.csv"
    study.write_text("image,mos\n" + "".join(f"set/{i}.png,{value}\n" for i, value in enumerate(opinions)))
    run_quietly(["dim"], tmp_path, Settings(variants=False), attacks=["rank_swap"], datasets=[f"iqa:{study}"])
    write_tables([tmp_path], tmp_path)
    with (tmp_path / "order.csv").open(newline="") as file:
        (line,) = csv.DictReader(file)
    assert float(line["people_before"]) == pytest.approx(-1)  # the darker the better, says the metric
    assert float(line["people_after"]) == pytest.approx(-float(line["swap_srocc"]))
    assert float(line["people_after"]) > float(line["people_before"])


# ---------------------------------------------------------------- batches


def test_any_batch_gives_the_same_bytes(photos, tmp_path):
    dataset = open_dataset(str(photos))
    found = []
    for batch in (1, 3, 8):
        rows = attacked(tmp_path / str(batch), dataset, batch, keep=True).rows
        images = sorted((tmp_path / str(batch) / "images").rglob("*.png"))
        found.append((rows, [(file.name, file.read_bytes()) for file in images]))
    assert len(found[0][1]) == 8 * (1 + 3)  # the clear ones, and three budgets
    assert found[0] == found[1] == found[2]


def filmed(folder: Path, levels: list[int]) -> Path:
    """Writes clips of the same frames, brighter by so many levels."""
    folder.mkdir()
    own = np.random.default_rng(0).integers(60, 140, (FRAMES, 32, 40, 3))
    for number, level in enumerate(levels):
        with av.open(str(folder / f"{number}.mkv"), "w") as container:
            stream = container.add_stream("ffv1", rate=25)
            stream.width, stream.height, stream.pix_fmt = 40, 32, "yuv444p"
            for frame in own:
                container.mux(stream.encode(av.VideoFrame.from_ndarray((frame + level).astype(np.uint8), "rgb24")))
            container.mux(stream.encode(None))
    return folder


def swapped_clips(folder: Path, out: Path, window: int) -> CellResult:
    fields = {"batch_dependent": False, "differentiable": True, "smallest": 7}
    entry = Entry("lit", "metrics", kind="video", fields=fields, fingerprint="0" * 16)
    dataset = open_dataset(str(folder))
    settings = Settings(variants=False, budgets=BUDGETS)
    cell = Cell(entry, lookup.find("attacks", "rank_swap"), {dataset.name: dataset.digest}, settings)
    runner = ClipRunner(entry, out, Compute(batch=window), network=lambda: Lit().eval())
    return CellRun(runner, cell, lambda what, work: None).run([dataset])


@pytest.mark.slow
def test_clips_swap_their_places_whatever_the_window(tmp_path):
    folder = filmed(tmp_path / "films", LEVELS)
    found = [swapped_clips(folder, tmp_path / str(window), window).rows for window in (1, FRAMES)]
    assert found[0] == found[1]
    for budget in (2, 4, 10):
        before, after = scores(found[0], budget)
        assert after == pytest.approx(expected(before, budget), abs=0.55)  # frames are moved by whole levels


def test_few_clips_are_named_as_such(tmp_path):
    folder = filmed(tmp_path / "films", LEVELS[:3])
    with pytest.raises(DataError, match=r"0\.mkv: a set must have 8 scored images to be ordered; got 3"):
        swapped_clips(folder, tmp_path / "out", 2)


# ---------------------------------------------------------------- sets that have no order


class Listening(Quiet):
    """Lets cells be skipped."""

    def on_event(self, event: Event) -> None:
        """Fails the test where a cell failed."""
        assert event.status in {"", "done", "skipped"}, event.reason


def test_a_small_set_costs_its_own_images_alone(photos, tmp_path):
    few = open_dataset(str(write(tmp_path / "few", LEVELS[:5])))
    whole = open_dataset(str(photos))
    cell = Cell(
        KNOWN["shade"],
        lookup.find("attacks", "rank_swap"),
        {each.name: each.digest for each in (few, whole)},
        Settings(variants=False),
    )
    found = CellRun(MetricRunner(KNOWN["shade"], tmp_path), cell, lambda what, work: None).run([few, whole])
    assert len(found.rows) == 8
    assert found.excluded["set"] == {}
    assert found.excluded["few"] == dict.fromkeys(
        (f"{number}.png" for number in range(5)),
        "a set must have 8 scored images to be ordered; got 5: take more images",
    )


def test_ties_are_attacked_and_counted(ours, tmp_path):
    folder = write(tmp_path / "ties", [*LEVELS[:7], LEVELS[0]])
    run_quietly(["shade"], tmp_path / "out", Settings(variants=False), attacks=["rank_swap"], datasets=[str(folder)])
    write_tables([tmp_path / "out"], tmp_path / "out")
    with (tmp_path / "out" / "order.csv").open(newline="") as file:
        (line,) = csv.DictReader(file)
    assert (line["pairs"], line["ties"]) == ("27", "1")
    assert float(line["swap_flipped"]) > 0


def test_one_score_for_all_is_named(photos, tmp_path):
    with pytest.raises(DataError, match=r"0\.png: all images of the set have this clear score, so they have no order"):
        attacked(tmp_path, open_dataset(str(photos)), metric="blank")


def test_an_image_without_a_score_leaves_the_others_their_order(tmp_path):
    folder = write(tmp_path / "nine", [*LEVELS[1:], 0, 45])
    found = attacked(tmp_path / "out", open_dataset(str(folder)), metric="onlybright")
    assert found.excluded["nine"] == {"7.png": "its clear score is nan"}
    before, after = scores(found.rows, 10)
    assert len(before) == 8
    assert after == pytest.approx(expected(before, 10), abs=0.05)


def test_metrics_and_sets_that_it_does_not_apply_to_are_skipped_by_name(ours, photos, tmp_path):
    few = str(write(tmp_path / "few", LEVELS[:5]))
    told = {}
    for metric, where in (("blind", str(photos)), ("shade", few)):
        asked, machine = Selection([metric], ["rank_swap", "noise"], [where]), Machine(tmp_path / metric, patience=None)
        summary = run(asked, Settings(variants=False), machine, Listening())
        assert summary.statuses == {"done": 1, "skipped": 1}
        told |= summary.reasons
    assert told == {
        ("blind", "rank_swap"): "white-box attack on a metric without gradient",
        ("shade", "rank_swap"): "a set must have 8 images to be ordered; got 5: take more",
    }


def test_scores_have_no_other_goal_than_their_targets(photos, tmp_path):
    dataset, settings = open_dataset(str(photos)), Settings(variants=False, overrides={"goal": "worse"})
    cell = Cell(KNOWN["shade"], lookup.find("attacks", "rank_swap"), {dataset.name: dataset.digest}, settings)
    run = CellRun(MetricRunner(KNOWN["shade"], tmp_path), cell, lambda what, work: None)
    with pytest.raises(DataError, match="RankSwap drives scores to targets; got goal=worse: remove it"):
        run.run([dataset])


class Unfinished(RankSwap):
    """One target for all."""

    def targets(self, scores: Scores) -> Scores:
        return scores.mean()


def test_targets_that_are_not_one_per_image_are_refused():
    with pytest.raises(DataError, match=r"Unfinished.targets must return 8 finite scores, one .*; got shape \(\)"):
        targets_of(Unfinished(), list("abcdefgh"), torch.arange(8.0))


def test_the_library_attacks_sets_only():
    with pytest.raises(BenchError, match=re.escape("attack must be of single images; rank_swap on psnr is not")):
        attack("psnr", torch.rand(8, 3, 32, 32), "rank_swap")


# ---------------------------------------------------------------- more images


def test_more_images_give_all_of_them_other_targets(ours, photos, tmp_path):
    nine = write(tmp_path / "nine", [LEVELS[k] for k in (3, 0, 6, 1, 7, 2, 5, 4)])
    asked = {"attacks": ["rank_swap", "noise"], "datasets": [str(nine)]}
    run_quietly(["shade"], tmp_path / "out", Settings(variants=False), **asked)
    first = (tmp_path / "out" / "shade" / "rank_swap.csv").read_text().splitlines()
    write(nine, [*(LEVELS[k] for k in (3, 0, 6, 1, 7, 2, 5, 4)), 45])
    run_quietly(["shade"], tmp_path / "out", Settings(variants=False), **asked)
    run_quietly(["shade"], tmp_path / "anew", Settings(variants=False), **asked)
    grown = (tmp_path / "out" / "shade" / "rank_swap.csv").read_bytes()
    assert grown == (tmp_path / "anew" / "shade" / "rank_swap.csv").read_bytes()
    assert len(grown.splitlines()) == 10
    assert not set(first[1:]) <= set(grown.decode().splitlines())
