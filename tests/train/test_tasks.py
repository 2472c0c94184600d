"""What networks are trained to do beside rating: take noise away, diffuse, and restore attacked photographs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny import SOURCES
from torch import Tensor, nn

from metric_robustness.pipeline.cli.train import attack_photographs
from metric_robustness.pipeline.data.images import Pixels, decode
from metric_robustness.pipeline.errors import BenchError, DataError
from metric_robustness.pipeline.train.loop import Training
from metric_robustness.pipeline.train.photographs import Photographs, gather, with_attacked
from metric_robustness.pipeline.train.recipes import RECIPES, Recipe
from metric_robustness.pipeline.train.run import start, train_network
from metric_robustness.pipeline.train.samples import sample_plans
from metric_robustness.pipeline.train.task import find_task
from metric_robustness.pipeline.train.tasks import denoise, diffuse, restore

TINY = {
    name: replace(RECIPES[name], crop=64, samples=12, validation=4, window=window, epochs=3, batch=4)
    for name, window in {"dncnn_small": 48, "diffpure_small": 24, "fcn": 48}.items()
}


def darker(pixels: Pixels) -> Pixels:
    """Bends the colour curve, in place of an attack."""
    return (255 * (pixels / 255) ** 1.5).round().astype(np.uint8)


@pytest.fixture(scope="session")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a folder as `run --save-images` leaves it: two attacks' versions of every photograph."""
    folder = tmp_path_factory.mktemp("attacked")
    for source in SOURCES:
        pixels = decode(Path(source))
        for attack, image in {"curve": darker(pixels), "noise": pixels // 2 * 2}.items():
            (folder / attack / "default").mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(folder / attack / "default" / f"{Path(source).name}.png")
        (folder / "_clear").mkdir(exist_ok=True)
        Image.fromarray(pixels).save(folder / "_clear" / f"{Path(source).name}.png")
    return folder


@pytest.fixture(scope="session")
def pairs(attacked: Path) -> Photographs:
    return with_attacked(gather(SOURCES, 64), [attacked / "curve"])


def trained(recipe: Recipe, photographs: Photographs, folder: Path) -> Training:
    samples = find_task(recipe).samples(photographs, recipe, folder, lambda _: None)
    training = Training(start(recipe), recipe, *samples)
    training.run(folder / "checkpoint.pt", lambda _: None)
    return training


@pytest.mark.parametrize("name", ["dncnn_small", "fcn"])
def test_a_stopped_training_continues_to_the_same_weights(name: str, pairs: Photographs, tmp_path: Path) -> None:
    recipe = TINY[name]
    whole = trained(recipe, pairs, tmp_path / "whole")
    samples = find_task(recipe).samples(pairs, recipe, tmp_path, lambda _: None)
    first = Training(start(recipe), recipe, *samples)

    class StopError(Exception):
        pass

    def stop(_: object) -> None:
        raise StopError

    with pytest.raises(StopError):
        first.run(tmp_path / "checkpoint.pt", stop)
    assert len(first.epochs) == 1
    second = Training(start(recipe), recipe, *samples)
    second.run(tmp_path / "checkpoint.pt", lambda _: None)
    assert second.epochs == whole.epochs
    assert all(torch.equal(value, whole.weights[key]) for key, value in second.weights.items())


@pytest.mark.parametrize("name", TINY)
def test_steps_lower_the_loss(name: str, pairs: Photographs, tmp_path: Path) -> None:
    recipe = replace(TINY[name], epochs=100)
    samples = find_task(recipe).samples(pairs, recipe, tmp_path, lambda _: None)
    training = Training(start(recipe), recipe, *samples)
    images, labels = samples[0].images[:4, :, :16, :16].float() / 255, samples[0].labels[:4]
    labels = labels[..., :16, :16].float() / 255 if labels.ndim == 4 else labels
    losses = [training.step(images, labels, step, torch.Generator().manual_seed(0)) for step in range(25)]
    assert losses[-1] < 0.6 * losses[0]


class Knowing(nn.Module):
    """Answers with a given value, whatever the input."""

    def __init__(self, answer: Tensor) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, *_: object) -> Tensor:
        self.sample = self.answer
        return self.answer


def test_the_noise_to_predict_is_of_every_strength_up_to_25() -> None:
    images = torch.full((400, 3, 16, 16), 0.5)
    seen: list[Tensor] = []

    class Watching(nn.Module):
        def forward(self, noisy: Tensor) -> Tensor:
            seen.append(noisy - images)
            return seen[0]

    assert denoise.loss(Watching(), images, torch.zeros(400), torch.Generator().manual_seed(0)) < 1e-9
    sigmas = 255 * seen[0].flatten(1).std(dim=1)
    assert sigmas.max() < 27
    assert np.histogram(sigmas, bins=5, range=(0, 25))[0].min() > 50


def test_a_diffusion_predicts_noise_of_deviation_1_whatever_the_step() -> None:
    images = torch.full((64, 3, 16, 16), 0.5)
    nothing = diffuse.loss(
        _Sample(torch.zeros(64, 3, 16, 16)), images, torch.zeros(64), torch.Generator().manual_seed(0)
    )
    assert nothing.item() == pytest.approx(1, rel=0.03)


class _Sample(Knowing):
    def forward(self, *_: object) -> nn.Module:  # type: ignore[override]
        self.sample = self.answer
        return self


def test_pairs_are_the_same_place_of_both_photographs(pairs: Photographs) -> None:
    training, validation = restore.samples(pairs, TINY["fcn"], Path(), lambda _: None)
    for images, labels in (training, validation):
        assert images.shape == labels.shape
        assert images.dtype == labels.dtype == torch.uint8
        assert torch.equal(images, torch.from_numpy(darker(labels.numpy())))
    names = {plan.seed: plan.photographs.keys() for plan in sample_plans(pairs, TINY["fcn"])}
    assert names == {"0 training": pairs.training.keys(), "0 validation": pairs.validation.keys()}


def test_every_attack_has_its_share(attacked: Path) -> None:
    both = with_attacked(gather(SOURCES, 64), [attacked])
    assert all(len(versions) == 2 for versions in both.attacked.values())
    training, _ = restore.samples(both, replace(TINY["fcn"], samples=60), Path(), lambda _: None)
    bent = [torch.equal(image, torch.from_numpy(darker(label.numpy()))) for image, label in zip(*training, strict=True)]
    assert 15 < sum(bent) < 45


def test_cuts_and_turns_are_those_of_the_labels(pairs: Photographs, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = restore.samples(pairs, TINY["fcn"], Path(), lambda _: None)
    training = Training(start(TINY["fcn"]), TINY["fcn"], *samples)
    seen: list[tuple[Tensor, Tensor]] = []

    def step(images: Tensor, labels: Tensor, *_: object) -> float:
        seen.append((images, labels))
        return 0.0

    monkeypatch.setattr(training, "step", step)
    training._pass(0)
    assert len(seen) == 3
    for images, labels in seen:
        assert images.shape == (4, 3, 48, 48)
        assert torch.equal((255 * images).round(), torch.from_numpy(darker((255 * labels).round().numpy())).float())


def test_the_best_epoch_is_kept(pairs: Photographs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ssims = iter([0.2, 0.9, 0.5])
    monkeypatch.setattr(restore, "figures", lambda *_: {"ssim": next(ssims)})
    states: list[dict[str, Tensor]] = []
    recipe = TINY["fcn"]
    samples = restore.samples(pairs, recipe, Path(), lambda _: None)
    training = Training(start(recipe), recipe, *samples)
    training.run(
        tmp_path / "checkpoint.pt",
        lambda _: states.append({name: value.clone() for name, value in training.network.state_dict().items()}),
    )
    assert all(torch.equal(value, states[1][name]) for name, value in training.weights.items())
    assert not all(torch.equal(value, states[2][name]) for name, value in training.weights.items())


def test_figures_of_restoring_are_those_of_what_comes_out(pairs: Photographs) -> None:
    _, validation = restore.samples(pairs, TINY["fcn"], Path(), lambda _: None)
    perfect = restore.figures(Knowing(validation.labels.float() / 255), validation, 4)
    nothing = restore.figures(Knowing(validation.images.float() / 255), validation, 4)
    assert perfect["ssim"] == pytest.approx(1)
    assert nothing["ssim"] == nothing["ssim_attacked"] < 1
    assert nothing["psnr"] == nothing["psnr_attacked"]


def test_a_restoring_network_is_written_with_how_it_was_made(attacked: Path, tmp_path: Path) -> None:
    out = tmp_path / "fcn.safetensors"
    last = train_network(replace(TINY["fcn"], epochs=1), SOURCES, out, tmp_path / "work", [attacked / "curve"])
    made = json.loads(out.with_suffix(".json").read_text())
    assert made["parameters"] == 11_459
    assert made["recipe"]["best"] == "ssim"
    assert made["epochs"][0]["ssim"] == round(last.figures["ssim"], 5)
    assert str(attacked) not in out.with_suffix(".json").read_text()


def test_attacks_by_name_make_the_pairs(tmp_path: Path) -> None:
    source = SOURCES[1:]  # two photographs
    folder = attack_photographs(source, ["noise"], ["small_cnn"], tmp_path)
    found = with_attacked(gather(source, 64), [folder])
    assert found.attacks == ["none/default/noise/small_cnn/default"]  # DEFENCE/PRESET/ATTACK/METRIC/VARIANT
    for name, (version,) in found.attacked.items():
        change = np.abs(version.astype(int) - (found.training | found.validation)[name])
        assert change.max() == 10
    written = {path: path.stat().st_mtime_ns for path in folder.rglob("*.png")}
    assert attack_photographs(source, ["noise"], ["small_cnn"], tmp_path) == folder
    assert written == {path: path.stat().st_mtime_ns for path in folder.rglob("*.png")}


def test_an_attack_that_fails_is_named(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="no attack is named 'advfc': did you mean advcf"):
        attack_photographs(SOURCES[:1], ["advfc"], ["small_cnn"], tmp_path)


def test_nothing_to_restore_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"fcn must be trained on attacked photographs; got none.*--attacked"):
        train_network(TINY["fcn"], SOURCES, tmp_path / "fcn.safetensors", tmp_path / "work")


@pytest.mark.parametrize("wrong", ["absent", "of another size"])
def test_attacked_photographs_that_do_not_fit_are_named(wrong: str, tmp_path: Path) -> None:
    found = gather(SOURCES, 64)
    for source in SOURCES[: 2 if wrong == "absent" else 3]:
        with Image.open(source) as image:
            small = image.crop((0, 0, 99, 99)) if wrong == "of another size" else image
            small.save(tmp_path / f"{Path(source).stem}.png")
    told = r"coffee\.png has none" if wrong == "absent" else r"must have the size of \w+\.png"
    with pytest.raises(DataError, match=told):
        with_attacked(found, [tmp_path])
