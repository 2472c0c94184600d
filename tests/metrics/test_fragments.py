"""FAST-VQA and DOVER with random weights in the published layout, compared with indexing and formulas."""

from __future__ import annotations

import itertools
import math
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from metric_robustness.metrics import fragments_adapter
from metric_robustness.metrics.base import VideoMetric
from metric_robustness.metrics.fragments_adapter import (
    clip_from,
    fragments,
    load_published,
    middles,
    shrunk,
    spread_clip,
)
from metric_robustness.metrics.swin3d_adapter import FragmentSwin
from metric_robustness.pipeline.catalogue import lookup

WEIGHTS = {name: lookup.find("metrics", name).fields["weights"][0] for name in ("fast_vqa", "dover")}
MEAN, DEVIATION = torch.tensor([123.675, 116.28, 103.53]) / 255, torch.tensor([58.395, 57.12, 57.375]) / 255
WINDOW, HEADS = (8, 7, 7), (3, 6, 12, 24)


def published_swin(name: str) -> dict[str, tuple[int, ...]]:
    """Returns the authors' names and shapes of a Video Swin-Tiny with gated biases in all stages but the last."""
    shapes: dict[str, tuple[int, ...]] = {"patch_embed.proj.weight": (96, 3, 2, 4, 4), "patch_embed.proj.bias": (96,)}
    norms = {"patch_embed.norm": 96, "norm": 768}
    for stage, depth in enumerate((2, 2, 6, 2)):
        width, begin = 96 * 2**stage, f"layers.{stage}"
        for block in (f"{begin}.blocks.{i}" for i in range(depth)):
            norms |= {f"{block}.norm1": width, f"{block}.norm2": width}
            layers = {"attn.qkv": (3 * width, width), "attn.proj": (width, width)}
            layers |= {"mlp.fc1": (4 * width, width), "mlp.fc2": (width, 4 * width)}
            for layer, shape in layers.items():
                shapes |= {f"{block}.{layer}.weight": shape, f"{block}.{layer}.bias": shape[:1]}
            tables = ("relative", "fragment") if stage < 3 else ("relative",)
            shapes |= {f"{block}.attn.{table}_position_bias_table": (15 * 13 * 13, HEADS[stage]) for table in tables}
            shapes[f"{block}.attn.relative_position_index"] = (392, 392)
        if stage < 3:
            norms[f"{begin}.downsample.norm"] = 4 * width
            shapes[f"{begin}.downsample.reduction.weight"] = (2 * width, 4 * width)
    shapes |= {f"{norm}.{kind}": (width,) for norm, width in norms.items() for kind in ("weight", "bias")}
    return {f"{name}.{key}": shape for key, shape in shapes.items()}


def published_convnext(name: str) -> dict[str, tuple[int, ...]]:
    """Returns the authors' names and shapes of the inflated ConvNeXt-Tiny."""
    widths = (96, 192, 384, 768)
    pairs = {"downsample_layers.0.0": (96, 3, 2, 4, 4), "downsample_layers.0.1": (96,), "norm": (768,)}
    single = {}
    for stage, (width, depth) in enumerate(zip(widths, (3, 3, 9, 3), strict=True)):
        if stage:
            half = widths[stage - 1]
            pairs |= {f"downsample_layers.{stage}.0": (half,), f"downsample_layers.{stage}.1": (width, half, 1, 2, 2)}
        for i in range(depth):
            block = f"stages.{stage}.{i}"
            pairs |= {f"{block}.dwconv": (width, 1, 3 if i % 3 == 1 else 1, 7, 7), f"{block}.norm": (width,)}
            pairs |= {f"{block}.pwconv1": (4 * width, width), f"{block}.pwconv2": (width, 4 * width)}
            single[f"{block}.gamma"] = (width,)
    shapes = single | {f"{key}.weight": shape for key, shape in pairs.items()}
    shapes |= {f"{key}.bias": shape[:1] for key, shape in pairs.items()}
    return {f"{name}.{key}": shape for key, shape in shapes.items()}


def published_head(name: str) -> dict[str, tuple[int, ...]]:
    shapes = {"fc_hid.weight": (64, 768, 1, 1, 1), "fc_hid.bias": (64,)}
    shapes |= {"fc_last.weight": (1, 64, 1, 1, 1), "fc_last.bias": (1,)}
    return {f"{name}.{key}": shape for key, shape in shapes.items()}


LAYOUTS = {
    "fast_vqa": published_swin("fragments_backbone") | published_head("vqa_head"),
    "dover": published_swin("technical_backbone")
    | published_head("technical_head")
    | published_convnext("aesthetic_backbone")
    | published_head("aesthetic_head"),
}


def index() -> Tensor:
    """Returns which row of a table holds the bias of two places of a window."""
    places = np.array(list(np.ndindex(*WINDOW)))
    steps = places[:, None] - places[None] + np.array(WINDOW) - 1
    return torch.from_numpy((steps[..., 0] * 13 + steps[..., 1]) * 13 + steps[..., 2])


def random_state(name: str) -> dict[str, Tensor]:
    generator, state = torch.Generator().manual_seed(0), {}
    for key, shape in LAYOUTS[name].items():
        value = torch.randn(shape, generator=generator)
        if key.endswith("relative_position_index"):
            state[key] = index()
        elif "norm" in key or key.endswith("gamma") or "downsample_layers" in key:
            state[key] = 0.1 * value + (0.5 if key.endswith(("weight", "gamma")) and value.ndim == 1 else 0)
        else:
            state[key] = 0.05 * value
    return state


@pytest.fixture(scope="module", autouse=True)
def torch_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Makes a cache of random weights in the published layout."""
    home = tmp_path_factory.mktemp("torch_home")
    (home / "hub" / "checkpoints").mkdir(parents=True)
    torch.save(random_state("dover"), home / WEIGHTS["dover"])
    held = {"state_dict": random_state("fast_vqa"), "validation_results": (np.float64(0.87), 0.88, 0.7, 1000)}
    torch.save(held, home / WEIGHTS["fast_vqa"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TORCH_HOME", str(home))
        yield home


def load(name: str) -> VideoMetric:
    metric: VideoMetric = lookup.find("metrics", name).load()()
    return metric.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def metrics(torch_home: Path) -> dict[str, VideoMetric]:
    return {name: load(name) for name in WEIGHTS}


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes clips of four frames instead of 32, to save time."""
    monkeypatch.setattr(fragments_adapter, "FRAMES", 4)


def clip(frames: int, height: int, width: int, count: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(frames + height)
    return torch.rand(count, frames, 3, height, width, generator=generator)


def standard(frames: Tensor) -> Tensor:
    return (frames - MEAN[:, None, None]) / DEVIATION[:, None, None]


def test_every_published_parameter_is_where_it_belongs(metrics: dict[str, VideoMetric]) -> None:
    state, ours = random_state("dover"), metrics["dover"]
    swin = ours.technical.backbone
    for theirs, found in {
        "technical_backbone.layers.2.blocks.5.mlp.fc2.weight": swin.features[4][5].mlp[3].weight,
        "technical_backbone.layers.1.downsample.reduction.weight": swin.features[3].reduction.weight,
        "technical_backbone.layers.0.blocks.1.attn.fragment_position_bias_table": swin.features[0][
            1
        ].attn.fragment_position_bias_table,
        "aesthetic_backbone.stages.2.8.gamma": ours.aesthetic.backbone.stages[2][8].gamma,
        "aesthetic_head.fc_last.bias": ours.aesthetic.head.fc_last.bias,
    }.items():
        assert torch.equal(state[theirs], found)
    for name, metric in metrics.items():
        assert len(metric.state_dict()) == len(LAYOUTS[name])
    fresh = FragmentSwin().features[0][0].attn.relative_position_index
    assert torch.equal(fresh, index())


def test_numbers_of_an_older_numpy_are_read_and_code_is_not(torch_home: Path) -> None:
    layer, held = nn.Linear(2, 1), {"state_dict": nn.Linear(2, 1).state_dict(), "validation_results": np.float64(0.5)}
    file, older = (torch_home / "hub" / "checkpoints" / name for name in ("new.pth", "old.pth"))
    torch.save(held, file)
    with zipfile.ZipFile(file) as source, zipfile.ZipFile(older, "w") as target:
        for name in source.namelist():
            target.writestr(name, source.read(name).replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))
    assert b"numpy.core.multiarray" in older.read_bytes()
    load_published(layer, "hub/checkpoints/old.pth", {})
    assert torch.equal(layer.weight, held["state_dict"]["weight"])
    torch.save({"state_dict": {}, "validation_results": SimpleNamespace()}, file)
    with pytest.raises(Exception, match="SimpleNamespace"):
        load_published(layer, "hub/checkpoints/new.pth", {})


@pytest.mark.parametrize(("height", "width"), [(224, 224), (301, 500), (1080, 1920), (96, 130), (200, 640), (32, 33)])
def test_fragments_are_patches_from_the_middles_of_cells(height: int, width: int) -> None:
    frames = clip(2, height, width)[0]
    source = frames
    if min(height, width) < 224:
        source = interpolate(frames, scale_factor=224 / min(height, width), mode="bilinear")
    found = fragments(frames)
    assert found.shape == (2, 3, 224, 224)
    for i, j in itertools.product(range(7), repeat=2):
        top, left = (
            min(k * (side // 7) + max(side // 7 - 32, 0) // 2, side - 32) for k, side in ((i, height), (j, width))
        )
        patch = found[..., 32 * i : 32 * (i + 1), 32 * j : 32 * (j + 1)]
        expected = standard(source[..., top : top + 32, left : left + 32])
        torch.testing.assert_close(patch, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("parts", "size"), [(7, 32), (3, 64), (32, 2)])
def test_the_middle_is_one_of_the_places_that_the_authors_draw_from(parts: int, size: int) -> None:
    for length in range(1, 500):
        part = length // parts
        drawn_from = range(part - size) if part > size else range(1)
        assert all(start - i * part in drawn_from for i, start in enumerate(middles(length, parts, size)))


def test_small_frames_are_the_whole_frames() -> None:
    frames = clip(2, 448, 672)[0]
    rows, columns = torch.arange(224), torch.arange(224)  # centres lie between 2 rows, and on the middle of 3 columns
    found = (frames[:, :, 2 * rows] + frames[:, :, 2 * rows + 1])[..., 3 * columns + 1] / 2
    torch.testing.assert_close(shrunk(frames), standard(found), rtol=1e-4, atol=1e-5)


def test_features_of_a_frame_are_its_own(metrics: dict[str, VideoMetric]) -> None:
    frames = clip(3, 230, 255)[0]
    for name, size in {"fast_vqa": 3 * 224**2, "dover": 6 * 224**2}.items():
        found = metrics[name].features(frames)
        assert found.shape == (3, size)
        assert torch.equal(found[1:2], metrics[name].features(frames[1:2]))
    assert torch.equal(found, torch.cat([fragments(frames).flatten(1), shrunk(frames).flatten(1)], dim=1))


def test_clips_are_those_of_the_authors_where_nothing_is_drawn(
    metrics: dict[str, VideoMetric], monkeypatch: pytest.MonkeyPatch
) -> None:
    """250 frames have 187 possible starts; a clip starts in the middle of each quarter, 46.75 starts long."""
    rated = []

    def rate(videos: Tensor, clips: list[tuple[int, ...]]) -> Tensor:
        rated.extend(clips)
        return torch.zeros(len(videos))

    for branch in (metrics["fast_vqa"].branch, metrics["dover"].technical, metrics["dover"].aesthetic):
        monkeypatch.setattr(branch, "rate", rate)
    metrics["fast_vqa"].pool(torch.zeros(1, 250, 2))
    assert rated == [tuple(range(start, start + 64, 2)) for start in (23, 70, 116, 163)]
    rated.clear()
    metrics["fast_vqa"].pool(torch.zeros(1, 50, 2))
    assert rated == 4 * [(*range(0, 50, 2), *range(0, 14, 2))]
    rated.clear()
    metrics["dover"].pool(torch.zeros(1, 250, 2))  # parts of 83 frames, 19 more than a clip spans; and of 7
    assert rated[:3] == [tuple(range(start, start + 64, 2)) for start in (9, 92, 175)]
    assert rated[3:] == [tuple(range(2, 32 * 7, 7))]
    rated.clear()
    metrics["dover"].pool(torch.zeros(1, 20, 2))
    assert rated[1] == (*range(6, 20, 2), *range(0, 20, 2), *range(0, 20, 2), *range(0, 10, 2))
    assert rated[3] == 32 * (0,)


@pytest.mark.parametrize("length", [1, 2, 31, 32, 63, 64, 65, 200, 1000])
def test_clips_of_any_video_hold_only_its_frames(length: int) -> None:
    chosen = {*spread_clip(length), *(i for start in middles(length, 3, 64) for i in clip_from(start, length))}
    assert chosen <= set(range(length))
    assert len(spread_clip(length)) == len(clip_from(0, length)) == 32


@pytest.mark.usefixtures("short")
def test_a_score_is_the_mean_over_clips_and_every_rated_frame_has_a_gradient(metrics: dict[str, VideoMetric]) -> None:
    """70 frames: a clip spans only 7 of them here, but starts as if it spanned 64."""
    metric = metrics["fast_vqa"]
    video = 0.5 + 0.1 * torch.randn(1, 70, 3 * 224**2, generator=torch.Generator().manual_seed(0))
    video.requires_grad_()
    score = metric.pool(video)
    (gradient,) = torch.autograd.grad(score.sum(), video)
    assert gradient.isfinite().all()
    clips = [clip_from(start, 70) for start in (0, 2, 4, 6)]
    moved = gradient[0].abs().amax(dim=1).nonzero().flatten().tolist()
    assert moved == sorted({i for frames in clips for i in frames})
    with torch.no_grad():
        alone = [metric.branch(video[0, list(frames)].view(-1, 3, 224, 224)) for frames in clips]
        torch.testing.assert_close(score, torch.stack(alone).mean()[None], rtol=1e-5, atol=1e-6)


@pytest.mark.usefixtures("short")
def test_dover_fuses_its_branches(metrics: dict[str, VideoMetric]) -> None:
    metric = metrics["dover"]
    video = clip(5, 240, 250).requires_grad_()
    score = metric(video)
    (gradient,) = torch.autograd.grad(score.sum(), video)
    assert gradient.isfinite().all()
    moved = gradient[0].abs().amax(dim=(1, 3))  # of each frame's rows
    assert (moved.amax(dim=1) > 0).all()  # in all frames by their fragments
    assert (moved[:4, 0] > 0).all()  # where no patch is, by the small frames
    assert moved[4, 0] == 0  # and the aesthetic branch sees four frames
    patches, small = fragments(video[0]), shrunk(video[0])
    with torch.no_grad():
        technical = [metric.technical(patches[[(start + 2 * i) % 5 for i in range(4)]]).item() for start in (0, 1, 2)]
        aesthetic = metric.aesthetic(small[[0, 1, 2, 3]]).item()
    total = 0.6104 * (np.mean(technical) - 0.1107) / 0.07355 + 0.3896 * (aesthetic + 0.08285) / 0.03774
    assert score.item() == pytest.approx(1 / (1 + math.exp(-total)), rel=1e-4)


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("name", WEIGHTS)
@pytest.mark.parametrize(("frames", "height", "width"), [(1, 32, 33), (3, 241, 225)])
def test_short_clips_of_odd_sizes_alone_and_in_a_batch(
    metrics: dict[str, VideoMetric], name: str, frames: int, height: int, width: int
) -> None:
    videos, metric = clip(frames, height, width, count=2), metrics[name]
    with torch.no_grad():
        together = metric(videos)
        alone = metric(videos[1:])
    assert together.isfinite().all()
    assert together[0] != together[1]
    torch.testing.assert_close(together[1:], alone, rtol=0, atol=1e-6)


@pytest.mark.usefixtures("short")
def test_a_flat_clip_has_a_finite_gradient(metrics: dict[str, VideoMetric]) -> None:
    for metric in metrics.values():
        flat = torch.full((1, 1, 3, 64, 64), 0.5).requires_grad_()
        (gradient,) = torch.autograd.grad(metric(flat).sum(), flat)
        assert gradient.isfinite().all()


@pytest.mark.parametrize("name", WEIGHTS)
@pytest.mark.parametrize("damage", ["empty", "half", "lacks", "more"])
def test_a_damaged_file_is_named(
    name: str, damage: str, torch_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / WEIGHTS[name]
    path.parent.mkdir(parents=True)
    if damage in {"empty", "half"}:
        whole = (torch_home / WEIGHTS[name]).read_bytes()
        path.write_bytes(whole[: len(whole) // 2 if damage == "half" else 0])
    else:
        shapes = dict(LAYOUTS[name])
        first = next(iter(shapes))
        if damage == "lacks":
            del shapes[first]
        else:
            shapes[f"{first}_more"] = (1,)
        torch.save({key: torch.zeros(1).expand(shape) for key, shape in shapes.items()}, path)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(ValueError, match=Path(WEIGHTS[name]).name) as error:
        load(name)
    assert "\n" not in str(error.value)
