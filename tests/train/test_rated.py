"""Training on people's ratings of images, in place of labels."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageFilter
from scipy.stats import spearmanr
from tiny import SOURCES, TINY

from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.data.images import decode, to_tensor
from metric_robustness.pipeline.errors import BenchError, DataError
from metric_robustness.pipeline.train.loop import Training
from metric_robustness.pipeline.train.photographs import gather
from metric_robustness.pipeline.train.recipes import HARDENING, find_recipe
from metric_robustness.pipeline.train.run import start, train_network
from metric_robustness.pipeline.train.samples import sample_plans
from metric_robustness.pipeline.train.task import find_task
from metric_robustness.pipeline.train.tasks import rate

BLURS = (0, 1, 2, 4)
ROBUST = "small_cnn+gradient_norm"


@pytest.fixture
def study(tmp_path: Path) -> str:
    """Returns three photographs in four versions, the blurred ones rated best: the metric has to turn."""
    (tmp_path / "set" / "originals").mkdir(parents=True)
    lines = ["image,mos,reference"]
    for source in map(Path, SOURCES):
        clear = Image.fromarray(decode(source)).crop((60, 60, 188, 188))
        clear.save(tmp_path / "set" / "originals" / source.name)
        for radius in BLURS:
            folder = tmp_path / "set" / f"blur{radius}"
            folder.mkdir(exist_ok=True)
            clear.filter(ImageFilter.GaussianBlur(radius)).save(folder / source.name)  # one name in four folders
            lines.append(f"blur{radius}/{source.name},{1 + radius},originals/{source.name}")
    (tmp_path / "set" / "mos.csv").write_text("\n".join(lines) + "\n")
    return f"iqa:{tmp_path / 'set' / 'mos.csv'}"


def test_versions_of_one_original_are_held_out_together(study: str) -> None:
    found = gather([study], 64)
    assert len(found.training) == 8
    assert len(found.validation) == 4
    assert {Path(name).name for name in found.training}.isdisjoint(Path(name).name for name in found.validation)
    assert found.opinions["blur4/coffee.png"] == 5


def test_the_digest_follows_the_opinions(study: str) -> None:
    before, path = gather([study], 64).digest, Path(study.removeprefix("iqa:"))
    path.write_text(path.read_text().replace("blur4/coffee.png,5", "blur4/coffee.png,4.5"))
    assert gather([study], 64).digest != before


def test_labels_are_the_opinions_from_0_to_100(study: str) -> None:
    found = gather([study], 64)
    training, validation = rate.samples(found, TINY, Path(), lambda _: None)
    assert training.images.shape == (12, 3, 64, 64)
    assert {*training.labels.tolist(), *validation.labels.tolist()} <= {0.0, 25.0, 50.0, 100.0}
    names = {plan.seed: plan.photographs.keys() for plan in sample_plans(found, TINY)}
    assert names["0 training"] == found.training.keys()


def test_a_metric_learns_what_people_said(study: str) -> None:
    """People rate sharp images worst here, which no metric does at first."""
    found = gather([study], 64)
    recipe = replace(HARDENING, network=ROBUST, settings={"strength": "0"})
    recipe = replace(recipe, crop=64, samples=48, validation=12, epochs=5)
    samples = find_task(recipe).samples(found, recipe, Path(), lambda _: None)
    assert len(samples[0].labels.unique()) == 4  # the opinions, spread like the metric's own scores
    training = Training(start(recipe), recipe, *samples)
    images = to_tensor([found.training[name] for name in sorted(found.training)])
    opinions = [found.opinions[name] for name in sorted(found.training)]
    agreement = []
    for _ in range(2):
        network = training.network.eval()
        with torch.no_grad():
            agreement.append(spearmanr(network(images), opinions).statistic)
        if len(agreement) == 1:
            training.run(Path(study.removeprefix("iqa:")).parent / "checkpoint.pt", lambda _: None)
    assert agreement[0] < -0.5
    assert agreement[1] > agreement[0] + 0.3


def test_the_file_beside_the_weights_says_what_the_labels_were(study: str, tmp_path: Path) -> None:
    recipe = replace(HARDENING, network=ROBUST, crop=64, samples=8, validation=4, window=48, epochs=1, batch=4)
    out = tmp_path / "robust.safetensors"
    train_network(recipe, [study], out, tmp_path / "work")
    made = json.loads(out.with_suffix(".json").read_text())
    assert made["labels"] == "mean opinion scores"
    assert str(tmp_path) not in out.with_suffix(".json").read_text()
    assert len(made["trained_on"]) == 8


def test_opinions_that_are_all_equal_teach_nothing(study: str, tmp_path: Path) -> None:
    path = Path(study.removeprefix("iqa:"))
    header, *rows = path.read_text().splitlines()
    path.write_text("\n".join([header, *(",".join([row.split(",")[0], "3", row.split(",")[2]]) for row in rows)]))
    with pytest.raises(DataError, match=r"opinions must differ.*all are 3: correct the CSV"):
        train_network(replace(TINY, network=ROBUST, task="harden"), [study], tmp_path / "a.safetensors", tmp_path)


def test_rated_images_and_others_do_not_mix(study: str) -> None:
    with pytest.raises(DataError, match=r"opinions of all images, or of none; .*\.png has none"):
        gather([study, SOURCES[0]], 64)


def test_rated_images_are_nothing_to_learn_restoring_from(study: str, tmp_path: Path) -> None:
    recipe = replace(find_recipe("dncnn_small"), samples=4, validation=2)
    with pytest.raises(DataError, match="dncnn_small must be trained on clear photographs; got rated images"):
        train_network(recipe, [study], tmp_path / "a.safetensors", tmp_path / "work")


def test_a_csv_with_an_unknown_image_is_one_line(study: str) -> None:
    path = Path(study.removeprefix("iqa:"))
    path.write_text(path.read_text() + "blur9/coffee.png,2,originals/coffee.png\n")
    with pytest.raises(BenchError, match=r"mos\.csv, row 14: .*blur9/coffee\.png is not there") as error:
        gather([study], 64)
    assert "\n" not in str(error.value)


def test_a_metric_for_large_images_gets_crops_that_it_takes() -> None:
    least = lookup.find("metrics", "liqe").fields["smallest"]
    assert least > HARDENING.crop
    recipe = find_recipe("liqe+gradient_norm")
    assert (recipe.crop, recipe.window) == (least, least)
