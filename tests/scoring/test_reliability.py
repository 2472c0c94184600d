"""Flags: the engine's attacks raise every one on a metric that deserves it, and none on a sound one."""

import json
import re

import pytest
from scratch import BRIGHTNESS, Tree

from metric_robustness.pipeline.scoring.board.consistency import records
from metric_robustness.pipeline.scoring.board.flags import EXPLANATIONS, Flag
from metric_robustness.pipeline.scoring.read.cells import find_cells, read_cell
from metric_robustness.pipeline.scoring.scores.ranges import Ranges

METRIC = '''
"""{name}: {about}."""

import torch

from metric_robustness.metrics.base import {base}, Images, Scores


def brightness(images: Images) -> Scores:
    return (images.square() * (1 + images.flip(3))).mean(dim=(1, 2, 3))


class {name}({base}):
    higher_is_better = True
    score_range = (0.0, 1.0)

    def score(self, images: Images{reference}) -> Scores:
{code}
'''
# name -> what is wrong with it, the flags that it deserves at least, and its score
BROKEN = {
    "HalfDetached": (
        "the left half has no gradient",
        {"disconnected_gradients"},
        """
        half = images.shape[3] // 2
        return brightness(torch.cat([images[..., :half].detach(), images[..., half:]], dim=3))
        """,
    ),
    "TwiceAsSteep": (
        "half of the score has no gradient",
        {"disconnected_gradients"},
        "return brightness(images) / 2 + brightness(images.detach()) / 2",
    ),
    "NoGradient": (
        "the gradient is of something else, and always zero",
        {"disconnected_gradients", "zero_gradients", "extreme_not_reached"},
        "return brightness(images.detach()) + 0 * images.sum(dim=(1, 2, 3))",
    ),
    "RandomCrop": (
        "half of the rows, anew each time",
        {"random_scores"},
        "return brightness(images[:, :, torch.randperm(images.shape[2])[: images.shape[2] // 2]])",
    ),
    "Saturated": (
        "a sigmoid far from its middle",
        {"zero_gradients", "extreme_not_reached", "noise_as_strong"},
        "return torch.sigmoid(500 * (brightness(images) - 3))",
    ),
    "OfTheBatch": (
        "relative to the other images",
        {"batch_dependent_scores"},
        "return brightness(images) - brightness(images).mean() / 2",
    ),
    "Rippled": (
        "like NIQE: far steeper than it rises, so that the gradient says nothing of the way",
        {"masked_gradients"},
        "return brightness(images) + 0.001 * (30_000 * images).sin().mean(dim=(1, 2, 3))",
    ),
    "NotFinite": (
        "the root of zero",
        {"broken_gradients"},
        "return brightness(images) + (images.sum(dim=(1, 2, 3)) * 0).sqrt()",
    ),
    "OftenNaN": (
        "no score where an image was made brighter than most",
        {"fewer_images", "rows_missing"},
        "return brightness(images) * torch.where(images.mean(dim=(1, 2, 3)) > 0.5, float('nan'), 1)",
    ),
    # Small steps along the gradient stop at the edge of the ditch; a large one jumps across.
    "Ditch": (
        "brighter than the original is better, but for a ditch on the way",
        {"one_step_beats_iterative", "gain_not_growing"},
        """
        rise = images.mean(dim=(1, 2, 3)) - references.mean(dim=(1, 2, 3))
        return 0.2 + rise - 0.2 * (-((rise - 0.014) / 0.003).square()).exp()
        """,
    ),
}
GUESSES = '''
"""Guesses: the best of a few plain changes, by their scores."""

from dataclasses import dataclass

import torch

from metric_robustness.attacks.base import Attack, Budget, Images, Noise, Objective, per_image


@dataclass(frozen=True)
class Guesses(Attack):
    access = "black"
    family = "query"

    def perturb(self, images: Images, objective: Objective, noise: Noise) -> Images:
        best, highest = images, objective(images)
        for change in (self.eps, -self.eps, self.eps * noise.uniform(images)):
            guess = (images + change).clamp(0, 1)
            score = objective(guess)
            best = torch.where(per_image(score > highest), guess, best)
            highest = torch.maximum(score, highest)
        return best

    def budget(self) -> Budget:
        return Budget(queries=4, gradients=0)
'''


@pytest.fixture(scope="module")
def flags(tmp_path_factory, photos):
    """Returns the flags of each metric after a run of the engine, {name: {code: texts}}."""
    tree = Tree.copy_to(tmp_path_factory.mktemp("flags") / "tree")
    tree.write("metrics/brightness.py", BRIGHTNESS)
    tree.write("attacks/guesses.py", GUESSES)
    for name, (about, _, code) in BROKEN.items():
        base, reference = ("FullReference", ", references: Images") if "references" in code else ("NoReference", "")
        lines = "\n".join(f"        {line.strip()}" for line in code.strip().splitlines())
        text = METRIC.format(name=name, about=about, base=base, reference=reference, code=lines)
        tree.write(f"metrics/{_file(name)}.py", text)
    names = ",".join(["brightness", *map(_file, BROKEN)])
    attacks = "fgsm,ifgsm,noise,guesses"
    out = tree.root / "out"
    told = tree.call("run", "--metrics", names, "--attacks", attacks, "--dataset", photos, "--out", out)
    assert (out / "leaderboard.json").is_file(), told.stderr
    board = json.loads((out / "leaderboard.json").read_text(encoding="utf-8"))
    found = {}
    for metric in (each for section in board["sections"] for each in section["metrics"]):
        found[metric["metric"]] = {}
        for flag in metric["flags"]:
            found[metric["metric"]].setdefault(flag["code"], []).append(flag["text"])
    return found


def _file(name):
    return re.sub("(?<!^)([A-Z]+)", r"_\1", name).lower()


def test_a_sound_metric_has_no_flag(flags):
    assert flags["brightness"] == {}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_metric_has_the_flags_that_it_deserves(flags, name):
    assert flags[_file(name)].keys() >= BROKEN[name][1], flags[_file(name)]


def test_every_flag_says_what_was_seen_in_numbers_and_is_explained(flags):
    seen = {code: texts for found in flags.values() for code, texts in found.items()}
    assert seen.keys() <= EXPLANATIONS.keys()
    of_files = {"rows_excluded", "fit_without_effect", "far_from_range"}  # see test_leaderboard.py and below
    assert EXPLANATIONS.keys() - seen.keys() == of_files
    assert all(re.search(r"\d|is nan", text) for texts in seen.values() for text in texts)


def test_every_explanation_is_one_paragraph():
    for code, (title, text) in EXPLANATIONS.items():
        assert re.fullmatch("[a-z_]+", code)
        assert title
        assert not title.endswith(".")
        assert "\n" not in text
        assert text.endswith(".")


def test_a_flag_names_the_attacks_that_it_concerns():
    assert str(Flag("noise_as_strong", "no better", ("fgsm", "ifgsm"))) == "fgsm, ifgsm: no better"
    assert str(Flag("random_scores", "they move")) == "they move"
    many = ("apgd", *(f"apgd:eps={budget}/255" for budget in (1, 2, 4, 8)), "adam", "adam:eps=1/255")
    assert str(Flag("noise_as_strong", "no better", many)) == "apgd in 5 settings, adam, adam:eps=1/255: no better"


@pytest.mark.parametrize(("score", "flagged"), [(3.0, False), (1e30, True), (-1e30, True)])
def test_a_score_far_outside_the_range_is_flagged(run_folder, make_row, score, flagged):
    run_folder.cell("blur", "ifgsm", rows=[make_row("a.png", 0.5, 0.6), make_row("b.png", 0.5, score)])
    (record,) = records(map(read_cell, find_cells([run_folder.path])), Ranges({}))
    texts = [flag.text for flag in record.flags if flag.code == "far_from_range"]
    assert texts == (["1 of 2 images score over 100 ranges away from the range"] if flagged else [])


def test_a_number_that_no_score_of_32_bits_can_be_is_excluded(run_folder, make_row):
    csv = run_folder.cell("blur", "ifgsm", rows=[make_row("a.png", 0.5, 0.6), make_row("b.png", 0.5, 1e308)])
    cell = read_cell(csv)
    assert list(cell.rows["image"]) == ["a.png"]
    assert [row.reason for row in cell.excluded] == ["attacked is 1e+308"]


def flags_by_amplitude(folder) -> dict[float, list[str]]:
    found = records(map(read_cell, find_cells([folder.path])), Ranges({}))
    return {
        record.on.amplitude: [flag.text for flag in record.flags if flag.code == "fit_without_effect"]
        for record in found
    }


@pytest.mark.parametrize("attack", ["uap", "ifgsm"])
def test_only_a_pattern_that_rounding_removes_is_flagged(run_folder, make_row, attack):
    rows = [
        make_row(name, 0.5, 0.6, train_dataset="coco", amplitude=amplitude, linf=levels / 255)
        for name in ("a.png", "b.png")
        for amplitude, levels in ((0.2, 0), (0.4, 1))
    ]
    run_folder.cell("blur", attack, rows=rows)
    expected = ["at amplitude 0.2 its pattern changes no pixel's level"] if attack == "uap" else []
    assert flags_by_amplitude(run_folder) == {0.2: expected, 0.4: []}


@pytest.mark.parametrize(("steps", "flagged"), [(99, True), (100, False)])
def test_a_fit_of_few_steps_is_flagged(run_folder, make_row, steps, flagged):
    rows = [make_row(name, 0.5, 0.6, train_dataset="coco", amplitude=0.4) for name in ("a.png", "b.png")]
    run_folder.cell("blur", "uap", rows=rows, settings={"least_steps": steps})
    assert bool(flags_by_amplitude(run_folder)[0.4]) is flagged
