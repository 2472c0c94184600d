"""The denoisers that the project trained: small, described, and useful on photographs they never saw."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import skimage
import torch
from torch import Tensor

from metric_robustness.defences import network_adapter
from metric_robustness.defences.base import Defence
from metric_robustness.defences.diffusion_adapter import signal
from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.data.images import decode, to_tensor
from metric_robustness.pipeline.engine.metric.objective import ImageNoise
from metric_robustness.pipeline.files import file_digest
from metric_robustness.pipeline.train.recipes import RECIPES, TID2013_SOURCES

WEIGHTS = Path(__file__).resolve().parents[2] / "defences" / "weights"
HELD_OUT = Path(skimage.__file__).parent / "data" / "motorcycle_left.png"
NAMES = ("dncnn_small", "diffpure_small")
LARGEST = {"dncnn_small": 500_000, "diffpure_small": 5_000_000}  # bytes


@pytest.fixture(scope="module")
def clear() -> Tensor:
    """Returns a part of a photograph that was held out, (1, 3, 200, 240)."""
    return to_tensor([decode(HELD_OUT)])[..., 100:300, 200:440]


def load(name: str, **settings: float) -> Defence:
    defence: Defence = lookup.find("defences", name).load()(**settings)
    return defence


def noisy(clear: Tensor, sigma: float) -> Tensor:
    noise = torch.randn(clear.shape, generator=torch.Generator().manual_seed(round(sigma)))
    return (clear + sigma / 255 * noise).clamp(0, 1)


def purified(defence: Defence, images: Tensor) -> Tensor:
    with torch.no_grad():
        return defence(images, ImageNoise("test", ["held out"]))


def psnr(images: Tensor, clear: Tensor) -> float:
    return -10 * (images - clear).square().mean().log10().item()


@pytest.mark.parametrize(("sigma", "gain"), [(5, 2.5), (10, 5), (15, 6.5), (25, 8)])
def test_dncnn_takes_noise_away_on_a_photograph_held_out(sigma: float, gain: float, clear: Tensor) -> None:
    """Reached on this photograph: 3.5, 6.2, 7.7 and 9.1 dB."""
    images = noisy(clear, sigma)
    assert psnr(purified(load("dncnn_small"), images), clear) > psnr(images, clear) + gain


def test_dncnn_gains_on_photographs_of_kodak_held_out(shared_data: Path) -> None:
    for number in (10, 14, 21, 23):
        clear = to_tensor([decode(shared_data / "images" / "kodak24" / f"kodim{number}.png")])[..., :192, :192]
        images = noisy(clear, 15)
        assert psnr(purified(load("dncnn_small"), images), clear) > psnr(images, clear) + 6


def test_dncnn_leaves_a_clear_photograph_nearly_as_it_is(clear: Tensor) -> None:
    assert psnr(purified(load("dncnn_small"), clear), clear) > 40


@pytest.mark.parametrize("name", NAMES)
def test_the_json_file_of_the_weights_describes_them(name: str) -> None:
    file = WEIGHTS / f"{name}.safetensors"
    made = json.loads((WEIGHTS / f"{name}.json").read_text())
    assert file.stat().st_size <= LARGEST[name]
    assert made["sha256"] == file_digest(file)
    assert made["recipe"]["network"] == name
    assert made["recipe"]["epochs"] == RECIPES[name].epochs == len(made["epochs"])
    assert made["parameters"] == sum(value.numel() for value in load(name).network(torch.zeros(1)).parameters())
    assert HELD_OUT.name in made["held_out"]
    assert not TID2013_SOURCES & {*made["trained_on"], *made["held_out"]}
    assert not set(made["trained_on"]) & set(made["held_out"])


@pytest.mark.parametrize("name", NAMES)
def test_needs_no_download_and_is_marked(name: str) -> None:
    entry = lookup.find("defences", name)
    assert entry.missing_weights() == []
    assert entry.fields["small"] is True


@pytest.mark.parametrize("damage", ["truncated", "of another architecture", "missing"])
def test_damaged_weights_are_named(damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "weights").mkdir()
    copy = tmp_path / "weights" / "dncnn_small.safetensors"
    if damage == "truncated":
        copy.write_bytes((WEIGHTS / "dncnn_small.safetensors").read_bytes()[:5000])
    elif damage == "of another architecture":
        shutil.copy(WEIGHTS / "diffpure_small.safetensors", copy)
    monkeypatch.setattr(network_adapter, "__file__", str(tmp_path / "network_adapter.py"))
    network_adapter.built.cache_clear()
    with pytest.raises(ValueError, match=r"DnCnnSmall must be built from weights/dncnn_small\.safetensors") as error:
        load("dncnn_small")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("step", "left"), [(4, 0.7), (19, 0.45), (49, 0.3)])
def test_the_diffusion_model_knows_most_of_the_noise(step: int, left: float, clear: Tensor) -> None:
    """On all crops held out, 0.40, 0.20 and 0.11 of the noise's variance remain after 5, 20 and 50 steps."""
    kept = signal()[step].item()
    noise = torch.randn(1, 3, 96, 96, generator=torch.Generator().manual_seed(step))
    diffused = kept**0.5 * (2 * clear[..., :96, :96] - 1) + (1 - kept) ** 0.5 * noise
    predicted = load("diffpure_small").network(clear)(diffused, step).sample
    assert (predicted - noise).square().mean().item() < left
