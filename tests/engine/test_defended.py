"""Defences before metrics: what an attack sees of them, and what their rows and tables say."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from csv_lines import lines
from PIL import Image
from quiet import run_quietly
from toy_defences import Mirrored, Shaken
from typer.testing import CliRunner

from metric_robustness.defences.base import Aligned, Defence
from metric_robustness.defences.crop import Crop
from metric_robustness.metrics.base import FullReference, Metric, NoReference
from metric_robustness.pipeline.__main__ import app
from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.cells.settings import Settings
from metric_robustness.pipeline.cells.stamp import Stamp
from metric_robustness.pipeline.engine.metric.defended import DRAWS, DefendedMetric
from metric_robustness.pipeline.engine.metric.objective import ImageNoise, MetricObjective
from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.scoring.tables.write import write_tables

NAMES = ["a.png", "b.png", "c.png"]


class Weighed(NoReference):
    """<w, x>: its gradient is w, wherever it is taken."""

    higher_is_better = True
    score_range = (0.0, 2.0)

    def __init__(self) -> None:
        super().__init__()
        self.weights = torch.randn(3, 8, 10, generator=torch.Generator().manual_seed(0))

    def score(self, images):
        return (images * self.weights[:, : images.shape[2], : images.shape[3]]).sum((1, 2, 3))


class Nearness(FullReference):
    higher_is_better = True
    score_range = (-1.0, 0.0)

    def score(self, images, references):
        return -(images - references).abs().mean((1, 2, 3))


@dataclass(frozen=True)
class Dim(Defence):
    factor: float = 0.25

    def purify(self, images, noise):
        return images * self.factor


@dataclass(frozen=True)
class Steps(Defence):
    differentiable = False

    def purify(self, images, noise):
        return (images * 4).round() / 4


@dataclass(frozen=True)
class Cut(Defence):
    keeps_geometry = False

    def purify(self, images, noise):
        return images[..., :-2]

    def align(self, purified, clear, noise):
        return Aligned(purified, clear[..., :-2])


@dataclass(frozen=True)
class Counting(Defence):
    sizes: list[int] = field(default_factory=list)

    def purify(self, images, noise):
        self.sizes.append(len(images))
        return images


def pictures() -> torch.Tensor:
    return torch.randint(0, 256, (3, 3, 8, 10), generator=torch.Generator().manual_seed(1)) / 255


def defended(metric: Metric, defence: Defence, names: list[str] = NAMES) -> DefendedMetric:
    return DefendedMetric(metric, type(defence).__name__.lower(), defence, names)


def test_an_adaptive_attack_has_the_gradient_through_the_defence():
    metric, images = Weighed(), pictures()
    gain = MetricObjective(defended(metric, Dim()))
    assert torch.allclose(gain.gradient(images), 0.25 * metric.weights.expand(3, -1, -1, -1) / 2)
    assert torch.allclose(gain(images), metric(images * 0.25) / 2)


def test_where_there_is_no_gradient_it_goes_straight_through():
    metric, images = Weighed(), pictures()
    gain = MetricObjective(defended(metric, Steps()))
    value, gradient = gain.value_and_gradient(images)
    assert torch.allclose(gradient, metric.weights.expand(3, -1, -1, -1) / 2)
    assert torch.allclose(value, metric((images * 4).round() / 4) / 2, atol=1e-5)  # the value is exact


def test_a_random_defence_is_averaged_and_draws_anew_at_each_gradient():
    metric, images = Weighed(), pictures()
    shaken = defended(metric, Shaken())
    gain = MetricObjective(shaken, draws=shaken.draws)
    first, second = (gain.value_and_gradient(images)[0] for _ in range(2))
    assert not torch.equal(first, second)
    assert gain.queries == 2 * DRAWS
    one = MetricObjective(defended(metric, Shaken()))
    singles = torch.stack([one.value_and_gradient(images)[0] for _ in range(400)])
    assert torch.allclose(singles.mean(0), metric((images).clamp(0, 1)) / 2, atol=0.15)
    assert first.sub(singles.mean(0)).abs().mean() < singles.std(0).mean()


def test_queries_that_a_search_compares_have_the_same_draws_and_no_others_have_them():
    metric, images = Weighed(), pictures()
    shaken = defended(metric, Shaken())
    gain = MetricObjective(shaken, draws=shaken.draws)
    judged = gain(images)
    graded, _ = gain.value_and_gradient(images)
    assert torch.equal(gain(images), judged)
    assert not torch.equal(graded, judged)
    alone = MetricObjective(defended(metric, Shaken(), NAMES[1:2]), draws=DRAWS)(images[1:2])
    assert torch.allclose(alone, judged[1:2], atol=1e-5)
    final = MetricObjective(defended(metric, Shaken()))(images)  # one draw, as for the final score
    assert not torch.allclose(final * 2, defended(metric, Shaken()).purified(images, None).scores)


@pytest.mark.parametrize("name", ["square", "nes"])
def test_a_search_without_gradients_finds_its_way_through_a_random_defence(name):
    class Mean(NoReference):
        higher_is_better = True
        score_range = (0.0, 1.0)

        def score(self, images):
            return images.mean((1, 2, 3))

    def gained(scorer: Metric | DefendedMetric, draws: int) -> float:
        objective = MetricObjective(scorer, access="black", draws=draws)
        attacked = attack.rounded(attack(images, objective, ImageNoise(name, NAMES)), images)
        return (attacked - images).mean().item()  # of the expected score over all crops, about

    images = torch.randint(0, 256, (3, 3, 24, 28), generator=torch.Generator().manual_seed(1)) / 255
    attack = lookup.find("attacks", name).load()(**{"square": {"queries": 300}, "nes": {"steps": 6}}[name])
    through = defended(Mean(), Crop(share=0.5))
    assert gained(through, through.draws) > 0.3 * gained(Mean(), 1)


def test_the_final_score_draws_the_same_alone_in_a_batch_and_again():
    metric, images = Weighed(), pictures()
    seen = defended(metric, Shaken()).purified(images, None).scores
    again = defended(metric, Shaken()).purified(images, None).scores
    alone = [
        defended(metric, Shaken(), [name]).purified(images[i : i + 1], None).scores for i, name in enumerate(NAMES)
    ]
    assert torch.equal(seen, again)
    assert torch.allclose(seen, torch.cat(alone), atol=1e-5)


@pytest.mark.parametrize("defence", [Mirrored(), Cut(), Crop(share=0.5)])
def test_originals_are_turned_and_cut_like_the_images_beside_them(defence):
    images = pictures()
    seen = defended(Nearness(), defence).purified(images, images)
    assert torch.equal(seen.scores, torch.zeros(3))
    gain = MetricObjective(defended(Nearness(), defence), images)
    for _ in range(3):  # a random defence cuts elsewhere at each query
        assert torch.equal(gain(images), torch.zeros(3))


def test_quality_is_measured_after_the_defence_is_undone():
    images = pictures()
    mirrored = defended(Weighed(), Mirrored()).purified(images, None).images
    assert torch.equal(mirrored, images.flip(3))
    assert torch.isinf(defended(Weighed(), Mirrored()).measures(mirrored, images)["psnr"]).all()
    dimmed = defended(Weighed(), Dim()).measures(images * 0.25, images)
    expected = -10 * (0.75 * images).square().mean((1, 2, 3)).log10()
    assert torch.allclose(dimmed["psnr"].float(), expected, atol=1e-3)


def test_a_name_with_a_plus_is_a_metric_behind_a_defence():
    entry = lookup.find("metrics", "small_cnn+jpeg")
    bare, defence = lookup.find("metrics", "small_cnn"), lookup.find("defences", "jpeg")
    assert (entry.kind, entry.fields["score_range"]) == ("NR", bare.fields["score_range"])
    assert entry.parts == [bare, defence]
    assert entry.fingerprint not in {bare.fingerprint, defence.fingerprint}
    trained = lookup.find("metrics", "small_cnn+gradient_norm+jpeg")
    assert [part.name for part in trained.parts] == ["small_cnn+gradient_norm", "jpeg"]


def test_presets_are_told_apart():
    preset = next(iter(lookup.find("defences", "jpeg").fields["presets"]))
    chosen = lookup.find("metrics", f"small_cnn+jpeg-{preset}")
    assert chosen.fingerprint != lookup.find("metrics", "small_cnn+jpeg").fingerprint


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("small_cnn+jpg", "did you mean jpeg"),
        ("small_cnn+flip+jpeg", "has its purification; got jpeg too"),
        ("small_cn+jpeg", "did you mean small_cnn"),
        ("small_cnn+jpeg-q1000", "no preset"),
        ("small_cnn+$(id)", "no defence is named"),
    ],
)
def test_a_wrong_name_is_refused_with_the_nearest(name, told):
    with pytest.raises(BenchError, match=told.replace("$", r"\$")):
        lookup.find("metrics", name)


@pytest.fixture(scope="module")
def judged(tmp_path_factory) -> Path:
    """Returns a run of small_cnn: attacks on the bare metric, scored with defences, and attacks through these."""
    folder = tmp_path_factory.mktemp("judged")
    photos, out = folder / "photos", folder / "out"
    photos.mkdir()
    generator = torch.Generator().manual_seed(2)
    for name in ("one", "two", "three"):
        small = torch.rand(3, 6, 7, generator=generator)
        smooth = torch.nn.functional.interpolate(small[None], size=(48, 56), mode="bicubic")[0].clamp(0, 1)
        pixels = (255 * smooth).round().byte().permute(1, 2, 0).numpy()
        Image.fromarray(pixels).save(photos / f"{name}.png")
    defences = ("flip", "jpeg", "random_noise", "resize")
    ifgsm = {"attacks": ["ifgsm"], "datasets": [str(photos)]}
    run_quietly(["small_cnn"], out, Settings(defences=defences), **ifgsm)
    run_quietly([f"small_cnn+{name}" for name in defences], out, **ifgsm)
    write_tables([out], out)
    return out


def test_one_attack_is_judged_behind_every_defence(judged):
    rows = lines(judged / "small_cnn" / "ifgsm+defended.csv")
    assert len(rows) == 3 * 4
    by_image = {
        row["image"]: {
            (other["clear"], other["attacked"], other["mse"]) for other in rows if other["image"] == row["image"]
        }
        for row in rows
    }
    assert all(len(same) == 1 for same in by_image.values())  # one attack for all defences
    flipped = [row for row in rows if row["defence"] == "flip"]
    assert all(row["psnr_defended"] == row["psnr"] for row in flipped)  # the engine flips back before it measures


def test_defended_rows_are_what_metric_and_defence_give_by_hand(judged):
    rows = {row["image"]: row for row in lines(judged / "small_cnn" / "ifgsm+defended.csv") if row["defence"] == "flip"}
    metric = lookup.find("metrics", "small_cnn").load()().eval()
    for name, row in rows.items():
        with Image.open(judged.parent / "photos" / name) as image:
            pixels = torch.tensor(list(image.tobytes()), dtype=torch.float32).view(48, 56, 3).permute(2, 0, 1) / 255
        assert metric(pixels[None].flip(2, 3)).item() == pytest.approx(float(row["clear_defended"]), abs=1e-3)


def test_what_a_defence_alone_takes_is_in_the_stamp_and_in_the_tables(judged):
    told = {(line["defence"], line["setting"]): line["seconds"] for line in lines(judged / "defences.csv")}
    assert told.pop(("none", "undefended")) == ""
    unaware = Stamp.read(judged / "small_cnn" / "ifgsm+defended.json").purifying
    assert set(unaware) == {"flip", "jpeg", "random_noise", "resize"}
    for (defence, setting), seconds in told.items():
        aware = Stamp.read(judged / f"small_cnn+{defence}" / "ifgsm.json")
        assert float(seconds) == (unaware if setting == "non-adaptive" else aware.purifying)[defence] > 0
        assert aware.seconds[""] > 3 * aware.purifying[defence]  # a run purifies three images, and does more
    assert "ms/image" in (judged / "defences.md").read_text()


def test_the_first_purification_of_a_process_is_not_counted():
    counted = Counting()
    images = pictures()
    defended(Weighed(), counted).warm_up(images)
    assert counted.sizes == [1]
    assert defended(Weighed(), counted).purified(images, None).seconds > 0
    assert counted.sizes == [1, 3]


def test_an_attack_that_knows_the_defence_gains_more(judged):
    found = {(line["defence"], line["setting"]): float(line["shift"]) for line in lines(judged / "defences.csv")}
    for defence in ("flip", "jpeg", "resize"):
        assert found[defence, "adaptive"] > found[defence, "non-adaptive"]
    assert found["none", "undefended"] > 0.1


def test_a_defence_that_works_on_the_unaware_only_is_flagged(judged):
    flags = {line["defence"]: line["flag"] for line in lines(judged / "defences.csv") if line["setting"] == "adaptive"}
    assert "do not know it" in flags["flip"]
    assert "only works on attacks that do not know it" in (judged / "defences.md").read_text()


def test_a_defended_metric_stands_on_the_leaderboard_like_any_other(judged):
    (section,) = json.loads((judged / "leaderboard.json").read_text())["sections"]
    assert {each["metric"] for each in section["metrics"]} == {
        f"small_cnn+{d}" for d in ("flip", "jpeg", "random_noise", "resize")
    }
    assert all(each["rank"] for each in section["metrics"])


def test_the_keys_of_bare_cells_know_nothing_of_defences():
    from metric_robustness.pipeline.cells.cell import Cell

    metric, attack = lookup.find("metrics", "small_cnn"), lookup.find("attacks", "ifgsm")
    bare, one, two = (Cell(metric, attack, {}, Settings(defences=names)) for names in ((), ("flip",), ("flip", "jpeg")))
    assert len({bare.key, one.key, two.key}) == 3
    assert (bare.label, one.label) == ("ifgsm", "ifgsm+defended")


def test_a_metric_that_a_robust_training_does_not_know_is_named(tmp_path):
    pixels = torch.randint(0, 256, (48, 56, 3), generator=torch.Generator().manual_seed(3), dtype=torch.uint8)
    Image.fromarray(pixels.numpy()).save(tmp_path / "a.png")
    asked = ["run", "--metrics", "entropy,small_cnn", "--attacks", "noise", "--defences", "gradient_norm"]
    asked += ["--dataset", str(tmp_path / "a.png"), "--out", str(tmp_path / "out")]
    told = CliRunner().invoke(app, asked)
    assert told.exit_code == 0, told.output
    assert "not run: entropy under noise+defended: entropy+gradient_norm was not trained yet" in told.output
