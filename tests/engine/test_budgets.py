"""Searches within smaller budgets, and a search without gradients that is run only where it is needed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
from csv_lines import lines
from local_entry import local_entry
from PIL import Image
from quiet import run_quietly

from metric_robustness.metrics.base import Images, NoReference, Scores
from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.cells.cell import Cell
from metric_robustness.pipeline.cells.settings import Settings
from metric_robustness.pipeline.cells.stamp import Stamp
from metric_robustness.pipeline.data.dataset import open_dataset
from metric_robustness.pipeline.engine.metric.runner import MetricRunner
from metric_robustness.pipeline.engine.scout import not_needed
from metric_robustness.pipeline.scoring.board.consistency import records
from metric_robustness.pipeline.scoring.board.leaderboard import Section, build
from metric_robustness.pipeline.scoring.read.cells import find_cells, read_cell
from metric_robustness.pipeline.scoring.scores.ranges import Ranges

BUDGETS = (1, 2, 4, 8)
WITHIN = Settings(variants=False, budgets=BUDGETS)
SIZE = (24, 28)


class Sloped(NoReference):
    """A linear metric, whose best change within a budget is that much in every pixel: its curve is a line."""

    higher_is_better = True
    score_range = (0.0, 1.0)

    def score(self, images: Images) -> Scores:
        rows = torch.linspace(-1, 2, images.shape[2], device=images.device).view(1, 1, -1, 1)
        return (images * rows).mean((1, 2, 3))


class Stepped(Sloped):
    """The same of the image on its 8-bit levels, whose gradient leads the other way."""

    def score(self, images: Images) -> Scores:
        true = super().score((255 * images.detach()).round() / 255)
        misled = super().score(images)
        return true - (misled - misled.detach())


class Silent(Sloped):
    """The same, without a gradient."""

    differentiable = False

    def score(self, images: Images) -> Scores:
        return super().score((255 * images.detach()).round() / 255)


class Terraced(Sloped):
    """The same in coarse steps: neither a gradient nor few queries move it, though its score can be moved."""

    def score(self, images: Images) -> Scores:
        true = super().score(images)
        return (true * 20).round() / 20 + 0 * true


class Undefined(Sloped):
    """The same, but the photographs have no score."""

    def score(self, images: Images) -> Scores:
        return super().score(images) + torch.nan


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    """Returns a folder of six images, of which a scout takes one."""
    folder = tmp_path_factory.mktemp("photos")
    generator = torch.Generator().manual_seed(5)
    for name in "abcdef":
        pixels = torch.randint(40, 215, (*SIZE, 3), generator=generator, dtype=torch.uint8).numpy()
        Image.fromarray(pixels).save(folder / f"{name}.png")
    return folder


@pytest.fixture(scope="module")
def made(photos, tmp_path_factory) -> Path:
    """Returns the run folder of three metrics of one truth: honest, misleading and without gradients."""
    out = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        known = lookup.find
        ours = {entry.name: entry for entry in map(local_entry, (Sloped, Stepped, Silent))}
        patch.setattr(lookup, "find", lambda folder, name: ours.get(name) or known(folder, name))
        attacks = {"attacks": ["adam", "ifgsm", "square"], "datasets": [str(photos)]}
        run_quietly(["sloped", "stepped"], out, WITHIN, **attacks)
        run_quietly(["silent"], out, WITHIN, **(attacks | {"attacks": ["square"]}))
    return out


def gain(row: dict[str, str]) -> float:
    return float(row["attacked"]) - float(row["clear"])


def sections_of(out: Path) -> list[Section]:
    return build(records(map(read_cell, find_cells([out])), Ranges({}))).sections


def test_each_search_stays_within_its_budget_and_reaches_the_known_optimum(made):
    rows = lines(made / "sloped" / "adam.csv")
    slope = torch.linspace(-1, 2, SIZE[0]).abs().mean().item()
    for budget in (*BUDGETS, 10):
        own = [row for row in rows if row["variant"] == ("" if budget == 10 else f"eps={budget}/255")]
        assert len(own) == 6
        for row in own:
            assert float(row["linf"]) <= budget / 255 + 1e-6
            assert gain(row) == pytest.approx(budget / 255 * slope, rel=0.02)


def test_a_search_within_a_budget_costs_a_share_of_the_first_one(made):
    rows = lines(made / "sloped" / "adam.csv")
    spent = {row["variant"]: int(row["gradients"]) for row in rows}
    first = spent.pop("")
    assert set(spent) == {f"eps={budget}/255" for budget in BUDGETS}
    assert sum(spent.values()) <= first / 2


def test_only_a_search_goes_on_within_smaller_budgets(made):
    assert {row["variant"] for row in lines(made / "sloped" / "ifgsm.csv")} == {""}


def test_the_budgets_are_part_of_the_key_of_what_they_change_alone():
    metric, adam, fgsm = lookup.find("metrics", "psnr"), *(lookup.find("attacks", name) for name in ("adam", "fgsm"))
    keys = {
        attack.name: {Cell(metric, attack, {}, settings).key for settings in (WITHIN, Settings(variants=False))}
        for attack in (adam, fgsm)
    }
    assert {name: len(each) for name, each in keys.items()} == {"adam": 2, "fgsm": 1}


@pytest.mark.parametrize(
    ("metric", "settings", "told"),
    [
        (Sloped, {"overrides": {"goal": "worse"}}, r"tried on 1 image, downwards adam 0\.\d+, square 0\.\d+"),
        (
            Sloped,
            {"variants": True},
            r"tried on 1 image, adam 0\.\d+, square 0\.\d+; downwards adam 0.*, square 0\.\d+",
        ),
        (Stepped, {"overrides": {"goal": "worse"}}, ""),
    ],
    ids=["downwards", "both directions", "misleading downwards"],
)
def test_a_scout_tries_the_directions_that_the_cell_asks_for(photos, tmp_path, metric, settings, told):
    entry, square = local_entry(metric), lookup.find("attacks", "square")
    cell = Cell(entry, square, {}, Settings(**({"variants": False} | settings)))
    why = not_needed(MetricRunner(entry, tmp_path), cell, open_dataset(str(photos)))
    assert re.fullmatch(f"gradients lead further: {told}" if told else "", why)


@pytest.mark.parametrize("metric", [Terraced, Undefined], ids=["no gain", "no score"])
def test_an_attack_is_not_spared_where_gradients_gain_nothing(photos, tmp_path, metric):
    entry, square = local_entry(metric), lookup.find("attacks", "square")
    cell = Cell(entry, square, {}, Settings(variants=False))
    assert not not_needed(MetricRunner(entry, tmp_path), cell, open_dataset(str(photos)))


def test_a_scout_stays_within_the_eps_of_the_cell(photos, tmp_path):
    entry, square = local_entry(Sloped), lookup.find("attacks", "square")
    cell = Cell(entry, square, {}, Settings(overrides={"eps": "1/255"}))
    why = not_needed(MetricRunner(entry, tmp_path), cell, open_dataset(str(photos)))
    best = torch.linspace(-1, 2, SIZE[0]).abs().mean().item() / 255  # a metric that is linear, one level in each pixel
    (gained,) = re.findall(r"adam (0\.\d+)", why)
    assert float(gained) == pytest.approx(best, abs=0.0006)


def test_a_metric_whose_gradients_lead_further_is_spared_and_stays_so(made, photos, monkeypatch):
    stamp = Stamp.read(made / "sloped" / "square.json")
    assert stamp is not None
    assert (stamp.status, stamp.rows) == ("done", 0)
    assert "gradients lead further: tried on 1 image, adam" in stamp.spared[photos.name]
    (section,) = [each for each in sections_of(made) if each.gradients]
    by_name = {standing.metric: standing for standing in section.standings}
    assert by_name["sloped"].rank is not None
    assert (list(by_name["sloped"].spared), by_name["sloped"].missing) == (["square"], {})
    known = lookup.find
    entry = local_entry(Sloped)
    monkeypatch.setattr(lookup, "find", lambda folder, name: entry if name == "sloped" else known(folder, name))
    again = run_quietly(["sloped"], made, WITHIN, attacks=["square"], datasets=[str(photos)])
    assert (again.cells, again.done) == (0, 1)


def test_a_metric_whose_gradients_mislead_is_searched_on_all_images_and_flagged(made):
    rows = lines(made / "stepped" / "square.csv")
    assert len([row for row in rows if not row["variant"]]) == 6
    (section,) = [each for each in sections_of(made) if each.gradients]
    stepped = next(standing for standing in section.standings if standing.metric == "stepped")
    worst = stepped.effects.worst
    assert worst is not None
    assert worst.scores["absolute_gain"] > 0.01
    assert stepped.effects.worst_on["square"] == 6
    assert "masked_gradients" in {flag.code for flag in stepped.flags}


def test_a_metric_without_gradients_stands_on_a_board_of_its_own(made):
    (section,) = [each for each in sections_of(made) if not each.gradients]
    assert list(section.attacks) == ["square"]
    assert [(standing.metric, standing.rank) for standing in section.standings] == [("silent", 1)]
    assert section.budgets == [*BUDGETS, 10]


def test_curves_never_fall(made):
    for section in sections_of(made):
        for standing in section.standings:
            assert standing.effects.curve is not None
            gains = [effect.scores["absolute_gain"] for effect in standing.effects.curve.effects.values()]
            assert gains == sorted(gains)
            assert gains[0] >= 0


def test_saved_images_of_a_budget_are_found_by_their_rows(photos, tmp_path):
    run_quietly(["psnr"], tmp_path / "out", WITHIN, attacks=["adam"], datasets=[str(photos)], save_images=True)
    folder = tmp_path / "out" / "images" / "none" / "default" / "adam" / "psnr"
    saved = lines(folder / "manifest.csv")
    assert {line["variant"] for line in saved} == {"", *(f"eps={budget}/255" for budget in BUDGETS)}
    assert len({line["file"] for line in saved}) == len(saved) == 6 * 5
    assert all((folder / line["file"]).is_file() for line in saved)
    told = {line["variant"]: json.loads(line["settings"]) for line in saved}
    assert {variant: (round(255 * each["eps"], 3), each["steps"]) for variant, each in told.items()} == {
        "": (10, 140),
        **{f"eps={budget}/255": (budget, 12) for budget in BUDGETS},
    }
