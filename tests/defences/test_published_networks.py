"""Networks with downloaded weights, tested with random weights in the published layout: names, shapes and arithmetic.

The tests compute each network's output again, from the names in the published files and from the papers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from metric_robustness.defences import network_adapter
from metric_robustness.defences.base import Defence
from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.contract import check_entry
from metric_robustness.pipeline.contract.defence import DefenceCheck
from metric_robustness.pipeline.engine.metric.objective import ImageNoise
from metric_robustness.pipeline.weights import provision as fetched
from metric_robustness.pipeline.weights.manifest import weight

State = dict[str, Tensor]
PARAMETERS = {"real_esrgan": 1_213_296, "diffpure": 552_814_086}  # as published


@pytest.fixture(autouse=True)
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Returns the empty folder of weights of a machine without a network."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    fetched.offline.cache_clear()
    network_adapter.built.cache_clear()
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    yield tmp_path / "hub" / "checkpoints"
    network_adapter.built.cache_clear()
    fetched.offline.cache_clear()


def load(name: str) -> Defence:
    defence: Defence = lookup.find("defences", name).load()()
    return defence


def images(height: int = 37, width: int = 43, count: int = 1) -> Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(3))


def noise(count: int = 1) -> ImageNoise:
    return ImageNoise("any", [f"{index}.png" for index in range(count)])


class Drawn:
    """Random parameters that keep the size of a signal from layer to layer."""

    def __init__(self, seed: int) -> None:
        self.generator, self.state = torch.Generator().manual_seed(seed), {}

    def add(self, name: str, *shape: int, scale: float = 1.0, offset: float = 0.0) -> None:
        fan = math.prod(shape[1:]) if len(shape) > 1 else 100
        self.state[name] = offset + scale * torch.randn(shape, generator=self.generator) / math.sqrt(fan)

    def conv(self, name: str, narrow: int, wide: int, side: int = 3, *, bias: bool = True) -> None:
        self.add(f"{name}.weight", wide, narrow, side, side)
        if bias:
            self.add(f"{name}.bias", wide)


def count(state: State) -> int:
    return sum(value.numel() for value in state.values())


# Real-ESRGAN ----------------------------------------


def srvgg(seed: int) -> State:
    drawn = Drawn(seed)
    widths = [3] + [64] * 33 + [48]
    for index in range(34):
        drawn.conv(f"body.{2 * index}", widths[index], widths[index + 1])
        if index < 33:
            drawn.add(f"body.{2 * index + 1}.weight", 64, offset=0.25)
    return drawn.state


def write_real_esrgan(folder: Path) -> tuple[State, State]:
    states = srvgg(1), srvgg(2)
    for state, name in zip(states, ("realesr-general-x4v3.pth", "realesr-general-wdn-x4v3.pth"), strict=True):
        torch.save({"params": state}, folder / name)
    return states


def test_real_esrgan_is_the_mean_of_two_networks_weights(hub: Path) -> None:
    general, twin = write_real_esrgan(hub)
    assert count(general) == PARAMETERS["real_esrgan"]
    given = images()
    features = given
    for index in range(34):
        name = f"body.{2 * index}"
        kernel, bias = (0.2 * general[f"{name}.{kind}"] + 0.8 * twin[f"{name}.{kind}"] for kind in ("weight", "bias"))
        features = functional.conv2d(features, kernel, bias, padding=1)
        if index < 33:
            slope = 0.2 * general[f"body.{2 * index + 1}.weight"] + 0.8 * twin[f"body.{2 * index + 1}.weight"]
            features = torch.where(features > 0, features, slope.view(1, -1, 1, 1) * features)
    large = features.reshape(1, 3, 4, 4, 37, 43).permute(0, 1, 4, 2, 5, 3).reshape(1, 3, 148, 172)
    large = (large + given.repeat_interleave(4, dim=2).repeat_interleave(4, dim=3)).clamp(0, 1)
    wanted = functional.interpolate(large, size=(37, 43), mode="bicubic", antialias=True).clamp(0, 1)
    torch.testing.assert_close(load("real_esrgan")(given, noise()), wanted, atol=1e-5, rtol=0)


# MPRNet ----------------------------------------


def mprnet(seed: int) -> State:
    drawn = Drawn(seed)

    def conv(name: str, narrow: int, wide: int, side: int = 3) -> None:
        drawn.conv(name, narrow, wide, side, bias=False)

    def cab(name: str, width: int) -> None:
        conv(f"{name}.CA.conv_du.0", width, width // 4, 1)
        conv(f"{name}.CA.conv_du.2", width // 4, width, 1)
        conv(f"{name}.body.0", width, width)
        drawn.state[f"{name}.body.1.weight"] = torch.tensor([0.3])
        conv(f"{name}.body.2", width, width)

    for stage in (1, 2, 3):
        conv(f"shallow_feat{stage}.0", 3, 80)
        cab(f"shallow_feat{stage}.1", 80)
    for stage in (1, 2):
        for half in ("encoder", "decoder"):
            for level, width in enumerate((80, 128, 176), start=1):
                for block in (0, 1):
                    cab(f"stage{stage}_{half}.{half}_level{level}.{block}", width)
        conv(f"stage{stage}_encoder.down12.down.1", 80, 128, 1)
        conv(f"stage{stage}_encoder.down23.down.1", 128, 176, 1)
        cab(f"stage{stage}_decoder.skip_attn1", 80)
        cab(f"stage{stage}_decoder.skip_attn2", 128)
        conv(f"stage{stage}_decoder.up21.up.1", 128, 80, 1)
        conv(f"stage{stage}_decoder.up32.up.1", 176, 128, 1)
    for level, width in enumerate((80, 128, 176), start=1):
        for side in ("enc", "dec"):
            conv(f"stage2_encoder.csff_{side}{level}", width, width, 1)
            conv(f"stage3_orsnet.conv_{side}{level}", 80, 112, 1)
    for side in ("enc", "dec"):
        conv(f"stage3_orsnet.up_{side}1.up.1", 128, 80, 1)
        conv(f"stage3_orsnet.up_{side}2.0.up.1", 176, 128, 1)
        conv(f"stage3_orsnet.up_{side}2.1.up.1", 128, 80, 1)
    for part in (1, 2, 3):
        for block in range(8):
            cab(f"stage3_orsnet.orb{part}.body.{block}", 112)
        conv(f"stage3_orsnet.orb{part}.body.8", 112, 112)
    for name in ("sam12", "sam23"):
        conv(f"{name}.conv1", 80, 80, 1)
        conv(f"{name}.conv2", 80, 3, 1)
        conv(f"{name}.conv3", 3, 80, 1)
    conv("concat12", 160, 80)
    conv("concat23", 160, 112)
    conv("tail", 112, 3)
    return {name: value if value.numel() == 1 else 0.5 * value for name, value in drawn.state.items()}


def write_mprnet(folder: Path) -> State:
    state = mprnet(4)
    saved = {f"module.{name}": value for name, value in state.items()}
    torch.save({"epoch": 80, "state_dict": saved}, folder / "mprnet_denoising.pth")
    return state


def mprnet_by_names(state: State, image: Tensor) -> Tensor:  # noqa: PLR0915  # one network, from top to bottom
    """Computes the three stages patch by patch, as figure 2 of the paper has them."""

    def conv(name: str, features: Tensor) -> Tensor:
        kernel = state[f"{name}.weight"]
        return functional.conv2d(features, kernel, padding=kernel.shape[2] // 2)

    def cab(name: str, features: Tensor) -> Tensor:
        inner = conv(f"{name}.body.0", features)
        inner = conv(f"{name}.body.2", torch.where(inner > 0, inner, 0.3 * inner))
        pooled = functional.adaptive_avg_pool2d(inner, 1)
        gates = conv(f"{name}.CA.conv_du.2", conv(f"{name}.CA.conv_du.0", pooled).relu()).sigmoid()
        return features + gates * inner

    def cabs(name: str, features: Tensor, number: int = 2) -> Tensor:
        for block in range(number):
            features = cab(f"{name}.{block}", features)
        return features

    def half(features: Tensor) -> Tensor:  # bilinear at half the size is the mean of four
        return functional.avg_pool2d(features, 2)

    def twice(features: Tensor) -> Tensor:
        return functional.interpolate(features, scale_factor=2, mode="bilinear", align_corners=False)

    def encode(name: str, features: Tensor, earlier: Any = None) -> list[Tensor]:
        scales = []
        for level in (1, 2, 3):
            if level > 1:
                down = {2: "down12", 3: "down23"}[level]
                features = conv(f"{name}.{down}.down.1", half(scales[-1]))
            scales.append(cabs(f"{name}.encoder_level{level}", features))
            if earlier is not None:
                for side, before in zip(("enc", "dec"), earlier, strict=True):
                    scales[-1] = scales[-1] + conv(f"{name}.csff_{side}{level}", before[level - 1])
        return scales

    def decode(name: str, scales: list[Tensor]) -> list[Tensor]:
        third = cabs(f"{name}.decoder_level3", scales[2])
        second = conv(f"{name}.up32.up.1", twice(third)) + cab(f"{name}.skip_attn2", scales[1])
        second = cabs(f"{name}.decoder_level2", second)
        first = conv(f"{name}.up21.up.1", twice(second)) + cab(f"{name}.skip_attn1", scales[0])
        return [cabs(f"{name}.decoder_level1", first), second, third]

    def supervised(name: str, features: Tensor, shown: Tensor) -> Tensor:
        restored = conv(f"{name}.conv2", features) + shown
        return features + conv(f"{name}.conv1", features) * conv(f"{name}.conv3", restored).sigmoid()

    def shallow(stage: int, shown: Tensor) -> Tensor:
        return cab(f"shallow_feat{stage}.1", conv(f"shallow_feat{stage}.0", shown))

    height, width = image.shape[2:]
    second = []
    for top in (0, height // 2):
        row = image[:, :, top : top + height // 2]
        quarters = [row[..., left : left + width // 2] for left in (0, width // 2)]
        encoded = [encode("stage1_encoder", shallow(1, quarter)) for quarter in quarters]
        joined = [torch.cat(pair, dim=3) for pair in zip(*encoded, strict=True)]
        decoded = decode("stage1_decoder", joined)
        known = supervised("sam12", decoded[0], row)
        features = conv("concat12", torch.cat([shallow(2, row), known], dim=1))
        second.append(encode("stage2_encoder", features, (joined, decoded)))
    joined = [torch.cat(pair, dim=2) for pair in zip(*second, strict=True)]
    decoded = decode("stage2_decoder", joined)
    known = supervised("sam23", decoded[0], image)
    features = conv("concat23", torch.cat([shallow(3, image), known], dim=1))
    for part in (1, 2, 3):
        orb = f"stage3_orsnet.orb{part}.body"
        features = features + conv(f"{orb}.8", cabs(orb, features, 8))
        for side, scales in (("enc", joined), ("dec", decoded)):
            taken = scales[part - 1]
            if part == 2:
                taken = conv(f"stage3_orsnet.up_{side}1.up.1", twice(taken))
            if part == 3:
                taken = conv(f"stage3_orsnet.up_{side}2.0.up.1", twice(taken))
                taken = conv(f"stage3_orsnet.up_{side}2.1.up.1", twice(taken))
            features = features + conv(f"stage3_orsnet.conv_{side}{part}", taken)
    return image + conv("tail", features)


def test_mprnet_is_the_papers(hub: Path) -> None:
    state = write_mprnet(hub)
    given = images(29, 40)
    mirrored = torch.cat([given, given[:, :, [27, 26, 25]]], dim=2)
    wanted = mprnet_by_names(state, mirrored)[:, :, :29].clamp(0, 1)
    found = load("mprnet")(given, noise())
    assert (found - given).abs().mean() > 1e-3
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=0)


# DISCO ----------------------------------------


def disco(seed: int) -> State:
    drawn = Drawn(seed)
    for name in ("sub_mean", "add_mean"):  # in the file, never used
        drawn.conv(f"encoder.{name}", 3, 3, 1)
    drawn.conv("encoder.head.0", 3, 64)
    for block in range(16):
        for layer in (0, 2):
            drawn.conv(f"encoder.body.{block}.body.{layer}", 64, 64)
    drawn.conv("encoder.body.16", 64, 64)
    for layer, (narrow, wide) in enumerate([(64 * 9 + 4, 256), (256, 256), (256, 256), (256, 256), (256, 3)]):
        drawn.add(f"imnet.layers.{2 * layer}.weight", wide, narrow)
        drawn.add(f"imnet.layers.{2 * layer}.bias", wide)
    return {name: 0.7 * value for name, value in drawn.state.items()}


def write_disco(folder: Path) -> State:
    state = disco(5)
    torch.save({"model": {"name": "liif", "args": {}, "sd": state}, "epoch": 1}, folder / "disco_pgd.pth")
    return state


def disco_by_formula(state: State, image: Tensor) -> Tensor:
    """Evaluates the local implicit function at every pixel's centre, with its ensemble of four."""

    def conv(name: str, features: Tensor) -> Tensor:
        return functional.conv2d(features, state[f"{name}.weight"], state[f"{name}.bias"], padding=1)

    def colour(codes: Tensor) -> Tensor:
        for layer in range(5):
            name = f"imnet.layers.{2 * layer}"
            codes = functional.linear(codes, state[f"{name}.weight"], state[f"{name}.bias"])
            codes = codes.relu() if layer < 4 else codes
        return codes

    shallow = conv("encoder.head.0", 2 * image - 1)
    deep = shallow
    for block in range(16):
        name = f"encoder.body.{block}.body"
        deep = deep + conv(f"{name}.2", conv(f"{name}.0", deep).relu())
    features = shallow + conv("encoder.body.16", deep)
    height, width = image.shape[2:]
    codes = functional.unfold(features, 3, padding=1).reshape(1, 576, height, width)[0].permute(1, 2, 0)
    found = torch.empty(height, width, 3)
    for row in range(height):
        for column in range(width):
            total, weights = torch.zeros(3), 0.0
            for down in (0, 1):  # the four pixels around a place that is a hair right of and below the centre
                for right in (0, 1):
                    near = (min(row + down, height - 1), min(column + right, width - 1))
                    away = torch.tensor([2.0 * (row - near[0]), 2.0 * (column - near[1])])
                    # the weight is the area between the place and the pixel across
                    across = (min(row + 1 - down, height - 1), min(column + 1 - right, width - 1))
                    area = abs(4.0 * (row - across[0]) * (column - across[1])) + 1e-9
                    shade = colour(torch.cat([codes[near], away, torch.tensor([2.0, 2.0])]))
                    total, weights = total + area * shade, weights + area
            found[row, column] = total / weights
    return ((found.permute(2, 0, 1)[None] + 1) / 2).clamp(0, 1)


def test_disco_is_the_local_implicit_function_at_the_pixels_centres(hub: Path) -> None:
    state = write_disco(hub)
    given = images(11, 13)
    found = load("disco")(given, noise())
    assert found.std() > 1e-3
    wanted = disco_by_formula(state, given)
    torch.testing.assert_close(found[..., :-1, :-1], wanted[..., :-1, :-1], atol=1e-5, rtol=0)


# The diffusion model ----------------------------------------


def guided(width: int, seed: int) -> State:
    """Returns parameters under the names of openai/guided-diffusion."""
    drawn, embedded = Drawn(seed), 4 * width

    def norm(name: str, channels: int) -> None:
        drawn.add(f"{name}.weight", channels, offset=1)
        drawn.add(f"{name}.bias", channels)

    def linear(name: str, narrow: int, wide: int) -> None:
        drawn.add(f"{name}.weight", wide, narrow)
        drawn.add(f"{name}.bias", wide)

    def residual(name: str, narrow: int, wide: int) -> None:
        norm(f"{name}.in_layers.0", narrow)
        drawn.conv(f"{name}.in_layers.2", narrow, wide)
        linear(f"{name}.emb_layers.1", embedded, 2 * wide)
        norm(f"{name}.out_layers.0", wide)
        drawn.conv(f"{name}.out_layers.3", wide, wide)
        if narrow != wide:
            drawn.conv(f"{name}.skip_connection", narrow, wide, 1)

    def attention(name: str, channels: int) -> None:
        norm(f"{name}.norm", channels)
        for part, wide in (("qkv", 3 * channels), ("proj_out", channels)):
            drawn.add(f"{name}.{part}.weight", wide, channels, 1)
            drawn.add(f"{name}.{part}.bias", wide)

    linear("time_embed.0", width, embedded)
    linear("time_embed.2", embedded, embedded)
    drawn.conv("input_blocks.0.0", 3, width)
    now, number, skips = width, 1, [width]
    wides = [width * factor for factor in (1, 1, 2, 2, 4, 4)]
    for level, wide in enumerate(wides):
        for _ in range(2):
            residual(f"input_blocks.{number}.0", now, wide)
            if level >= 3:
                attention(f"input_blocks.{number}.1", wide)
            now, number = wide, number + 1
            skips.append(now)
        if level < 5:
            residual(f"input_blocks.{number}.0", now, now)
            number += 1
            skips.append(now)
    residual("middle_block.0", now, now)
    attention("middle_block.1", now)
    residual("middle_block.2", now, now)
    number = 0
    for level, wide in reversed(list(enumerate(wides))):
        for layer in range(3):
            residual(f"output_blocks.{number}.0", now + skips.pop(), wide)
            now, part = wide, 1
            if level >= 3:
                attention(f"output_blocks.{number}.1", now)
                part = 2
            if level and layer == 2:
                residual(f"output_blocks.{number}.{part}", now, now)
            number += 1
    norm("out.0", now)
    drawn.conv("out.2", now, 6)
    return drawn.state


def guided_by_names(state: State, noisy: Tensor, step: int) -> Tensor:
    """Computes the network block by block, with the names in the file."""
    width = state["input_blocks.0.0.weight"].shape[0]

    def linear(name: str, values: Tensor) -> Tensor:
        return functional.linear(values, state[f"{name}.weight"], state[f"{name}.bias"])

    def conv(name: str, values: Tensor) -> Tensor:
        kernel = state[f"{name}.weight"]
        return functional.conv2d(values, kernel, state[f"{name}.bias"], padding=kernel.shape[2] // 2)

    def norm(name: str, values: Tensor) -> Tensor:
        return functional.group_norm(values, 32, state[f"{name}.weight"], state[f"{name}.bias"])

    def residual(name: str, values: Tensor, resample: Callable[[Tensor], Tensor] = lambda same: same) -> Tensor:
        inner = conv(f"{name}.in_layers.2", resample(functional.silu(norm(f"{name}.in_layers.0", values))))
        scale, shift = linear(f"{name}.emb_layers.1", functional.silu(embedding))[..., None, None].chunk(2, dim=1)
        inner = norm(f"{name}.out_layers.0", inner) * (1 + scale) + shift
        inner = conv(f"{name}.out_layers.3", functional.silu(inner))
        passed = resample(values)
        return inner + (
            conv(f"{name}.skip_connection", passed) if f"{name}.skip_connection.weight" in state else passed
        )

    def attention(name: str, values: Tensor) -> Tensor:
        flat = norm(f"{name}.norm", values).flatten(2)
        qkv = functional.conv1d(flat, state[f"{name}.qkv.weight"], state[f"{name}.qkv.bias"])
        parts = []
        for head in qkv.split(3 * 64, dim=1):
            query, key, value = head.split(64, dim=1)
            shares = torch.softmax(query.transpose(1, 2) @ key / 8, dim=2)
            parts.append(value @ shares.transpose(1, 2))
        mixed = functional.conv1d(torch.cat(parts, 1), state[f"{name}.proj_out.weight"], state[f"{name}.proj_out.bias"])
        return values + mixed.reshape(values.shape)

    rates = torch.exp(-math.log(10000) * torch.arange(width // 2) / (width // 2))
    angles = step * rates
    waves = torch.cat([angles.cos(), angles.sin()])[None]
    embedding = linear("time_embed.2", functional.silu(linear("time_embed.0", waves)))
    now = conv("input_blocks.0.0", noisy)
    skips, number = [now], 1
    for level in range(6):
        for _ in range(2):
            now = residual(f"input_blocks.{number}.0", now)
            now = attention(f"input_blocks.{number}.1", now) if level >= 3 else now
            skips, number = [*skips, now], number + 1
        if level < 5:
            now = residual(f"input_blocks.{number}.0", now, lambda values: functional.avg_pool2d(values, 2))
            skips, number = [*skips, now], number + 1
    now = residual("middle_block.2", attention("middle_block.1", residual("middle_block.0", now)))
    for number in range(18):
        now = residual(f"output_blocks.{number}.0", torch.cat([now, skips.pop()], dim=1))
        now = attention(f"output_blocks.{number}.1", now) if number < 9 else now
        if number % 3 == 2 and number < 15:
            last = f"output_blocks.{number}.{2 if number < 9 else 1}"
            now = residual(last, now, lambda values: values.repeat_interleave(2, 2).repeat_interleave(2, 3))
    return conv("out.2", functional.silu(norm("out.0", now)))


def test_the_published_diffusion_model_has_as_many_parameters() -> None:
    from metric_robustness.defences.networks.guided_diffusion import unet

    with torch.device("meta"):
        assert sum(value.numel() for value in unet().parameters()) == PARAMETERS["diffpure"]


def test_diffusers_network_computes_what_the_published_one_does() -> None:
    from metric_robustness.defences.networks.guided_diffusion import from_published, unet

    state = guided(32, 6)
    network = unet(32).eval()
    network.load_state_dict(from_published(state))
    assert count(state) == sum(value.numel() for value in network.parameters())
    noisy = 2 * images(64, 96) - 1
    with torch.no_grad():
        for step in (0, 7, 49):
            wanted = guided_by_names(state, noisy, step)
            assert wanted.std() > 0.05
            torch.testing.assert_close(network(noisy, step).sample, wanted, atol=2e-4, rtol=1e-4)


def write_diffpure(folder: Path) -> State:
    state = guided(32, 6)
    torch.save(state, folder / "256x256_diffusion_uncond.pt")
    return state


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the network of 2.2 GB an eighth as wide; names, blocks and arithmetic stay the same."""
    from metric_robustness.defences.networks import guided_diffusion

    monkeypatch.setattr(guided_diffusion.unet, "__defaults__", (32,))


@pytest.mark.usefixtures("narrow")
def test_diffpure_runs_on_the_published_file_and_sharpens_where_it_should(hub: Path) -> None:
    write_diffpure(hub)
    given = images(40, 50)
    plain, sharpened = (load(name)(given, noise()) for name in ("diffpure", "diffpure_unsharp"))
    wanted = lookup.find("defences", "unsharp").load()()(plain, noise())
    assert torch.equal(sharpened, wanted)
    assert (plain - given).abs().mean() > 1e-4


# What holds for all ----------------------------------------

WRITERS: dict[str, Callable[[Path], Any]] = {
    "real_esrgan": write_real_esrgan,
    "mprnet": write_mprnet,
    "disco": write_disco,
    "diffpure": write_diffpure,
}


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("name", WRITERS)
def test_keeps_the_contract_with_weights(name: str, hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    WRITERS[name](hub)
    init = DefenceCheck.__init__

    def fewer(self: DefenceCheck, *args: Any) -> None:
        init(self, *args)
        self.images = self.images[..., :17, :21]  # small is enough: the content does not matter with random weights

    monkeypatch.setattr(DefenceCheck, "__init__", fewer)
    monkeypatch.setattr(type(load(name)), "presets", {})
    checks = check_entry(lookup.find("defences", name))
    failed = {check.promise for check in checks if check.status != "passed"}
    assert failed <= {"show the same as the clear images once aligned"}, checks


@pytest.mark.parametrize("name", [*WRITERS, "diffpure_unsharp"])
def test_without_weights_it_is_skipped_and_says_which_are_missing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    checks = check_entry(lookup.find("defences", name))
    assert [check.status for check in checks] == ["passed", "skipped"]
    for file in lookup.find("defences", name).fields["weights"]:
        assert file in checks[1].seen
    assert f"weights fetch {name}" in checks[1].seen


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("damage", ["truncated", "of another architecture", "not tensors", "missing"])
@pytest.mark.parametrize("name", WRITERS)
def test_damaged_weights_are_named(name: str, damage: str, hub: Path) -> None:
    WRITERS[name](hub)
    file = hub / lookup.find("defences", name).fields["weights"][0].rpartition("/")[2]
    if damage == "truncated":
        file.write_bytes(file.read_bytes()[:3000])
    elif damage == "not tensors":
        torch.save({"params": print}, file)
    elif damage == "missing":
        file.unlink()
    else:
        torch.save({"params": {"a": torch.ones(1)}, "state_dict": {}, "model": {"sd": {}}, "out.0.weight": 1}, file)
    with pytest.raises(
        ValueError, match=rf"must be built from hub/checkpoints/{file.name}.*: fetch them again"
    ) as error:
        load(name)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", [*WRITERS, "diffpure_unsharp"])
def test_every_file_has_a_licence_and_an_address_or_can_only_be_imported(name: str) -> None:
    for file in lookup.find("defences", name).fields["weights"]:
        known = weight(file)
        assert known.licence
        assert bool(known.url) == (name != "disco")
        assert len(known.sha256) == (0 if name in {"disco", "mprnet"} else 64)
