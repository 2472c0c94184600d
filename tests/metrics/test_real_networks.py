"""Published networks with their authors' weights: how their scores follow distortions and attacks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
import pytest
import torch
from PIL import Image
from published import IMPORTED, load, torch_home
from scipy.stats import spearmanr
from torch import Tensor
from torch.nn.functional import avg_pool3d, conv2d, pad

from metric_robustness.metrics.base import FullReference, Metric, VideoMetric
from metric_robustness.metrics.vmaf_adapter import rated_features
from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.cells.settings import Settings
from metric_robustness.pipeline.contract import check_entry
from metric_robustness.pipeline.contract.base import photographs
from metric_robustness.pipeline.contract.distortions import distort
from metric_robustness.pipeline.data.dataset import open_dataset
from metric_robustness.pipeline.data.images import load_batch, to_tensor
from metric_robustness.pipeline.engine.attack.settings import attack_variants
from metric_robustness.pipeline.engine.metric.objective import ImageNoise, MetricObjective

__all__ = ["torch_home"]  # a fixture of this module

Loaded: TypeAlias = Callable[[str], Metric]

LEVELS = {
    "JPEG": (90, 60, 40, 25, 15, 10, 5),
    "blur": (1, 1.5, 2, 3, 4, 5),
    "noise": (4, 8, 14, 20, 30, 45, 60),
}
LARGE = {"eonss", "ilniqe", "niqe", "niqe_official"}  # they score crops or patches of a fixed size
NAMES = ["first.png", "second.png", "third.png"]
# Attacks that with default settings gain more than noise of the same root mean square. Not here: FGSM, whose one step
# of 10 levels goes too far; NIQE, whose gradient is valid for a fraction of a level; pairs that gain on some
# photographs only.
GAIN = {
    "eonss": ("amifgsm", "korhonen", "mifgsm"),
    "cnniqa_live": ("amifgsm", "ifgsm", "korhonen", "madc", "mifgsm"),
    "brisque": ("ifgsm", "korhonen", "madc", "mifgsm"),
    "lpips_squeeze": ("ifgsm", "korhonen", "madc", "mifgsm"),
}
# With changes of one or two levels, all attacks gain; on NIQE, those that take small steps. FGSM and MADC gain on NIQE
# only before rounding, with changes of at most a fifth of a level: of 25 settings of MADC, one gained at 8 bits.
SMALL = {
    "fgsm": {"eps": "2/255"},
    "ifgsm": {"eps": "2/255", "step": "0.25/255"},
    "mifgsm": {"eps": "1/255"},
    "amifgsm": {"k": "0.02"},
    "korhonen": {},
    "madc": {"rmse": "1/255", "step": "0.25/255"},
}
SLOW = {
    "ifgsm": {"eps": "2/255", "step": "0.2/255"},
    "mifgsm": {"eps": "2/255", "step": "0.2/255"},
    "amifgsm": {"k": "0.03"},
    "korhonen": {},
}
TINY = {
    "fgsm": {"eps": "0.05/255"},
    "ifgsm": {"eps": "0.2/255", "step": "0.02/255"},
    "mifgsm": {"eps": "0.1/255", "step": "0.02/255"},
    "amifgsm": {"k": "0.002"},
    "korhonen": {"lr": "0.0002"},
    "madc": {"rmse": "0.1/255", "step": "0.025/255"},
}

# IL-NIQE takes a second for a gradient, so it gets one photograph, two attacks and fewer steps. On three photographs
# with all steps, attacks of several steps gain .023 to .048, and noise gains nothing. The second photograph is hard:
# there FGSM loses .04 even with one level, the least that rounding keeps, and with so few steps MADC loses too. On the
# first, MADC needs four steps for .018.
FEWER = {
    "fgsm": {},
    "madc": {"step": "0.5/255", "steps": "4"},
}


@pytest.fixture(scope="module")
def loaded(torch_home: Path) -> Loaded:
    """Returns the function that gives each network, loaded once: no test changes one."""
    return cache(load)


@pytest.mark.parametrize("name", IMPORTED)
def test_keeps_the_contract(name: str) -> None:
    checks = check_entry(lookup.find("metrics", name))
    assert [check for check in checks if check.status != "passed"] == []


@pytest.mark.parametrize("kind", LEVELS)
@pytest.mark.parametrize("name", ["eonss", "cnniqa_live", "vmaf"])
def test_follows_the_level_of_a_distortion(name: str, kind: str, loaded: Loaded, shared_data: Path) -> None:
    metric, scores = loaded(name), []
    for number in (1, 5, 20):
        with Image.open(shared_data / "images" / "kodak24" / f"kodim{number:02d}.png") as image:
            clear = np.asarray(image.convert("RGB"))[128:-128, 256:-256]  # a sixth of it is enough
        ladder = [clear, *(distort(clear, kind, level) for level in LEVELS[kind])]
        scores.append([metric(to_tensor([pixels]), to_tensor([clear])).item() for pixels in ladder])
    levels = np.tile(np.arange(len(LEVELS[kind]) + 1), (len(scores), 1))
    correlation = spearmanr(np.ravel(scores), levels.ravel()).statistic
    assert (-correlation if metric.higher_is_better else correlation) >= 0.85


@pytest.mark.parametrize(("name", "attack"), [(name, attack) for name, attacks in GAIN.items() for attack in attacks])
def test_an_attack_gains_more_than_noise_of_the_same_size(name: str, attack: str, loaded: Loaded) -> None:
    attacked, noisy = gains(loaded, name, attack)
    assert attacked > max(noisy, 0) + 0.01


@pytest.mark.parametrize("name", ["eonss", "cnniqa_live", "brisque", "niqe", "niqe_official"])
def test_one_step_of_ten_levels_overshoots_without_a_reference(name: str, loaded: Loaded) -> None:
    attacked, noisy = gains(loaded, name, "fgsm")
    assert attacked < noisy < 0.01


@pytest.mark.parametrize("attack", SMALL)
@pytest.mark.parametrize("name", ["eonss", "cnniqa_live", "brisque", "lpips_squeeze", "vmaf"])
def test_every_attack_of_a_level_or_two_gains_more_than_noise(name: str, attack: str, loaded: Loaded) -> None:
    attacked, noisy = gains(loaded, name, attack, SMALL[attack])
    assert attacked > max(noisy, 0) + 0.01


@pytest.mark.parametrize("attack", SLOW)
@pytest.mark.parametrize("name", ["niqe", "niqe_official"])
def test_attacks_of_small_steps_gain_more_than_noise_on_niqe(name: str, attack: str, loaded: Loaded) -> None:
    attacked, noisy = gains(loaded, name, attack, SLOW[attack])
    assert attacked > max(noisy, 0) + 0.01


@pytest.mark.parametrize("attack", TINY)
@pytest.mark.parametrize("name", ["niqe", "niqe_official"])
def test_every_attack_moves_niqe_as_far_as_its_gradient_holds(name: str, attack: str, loaded: Loaded) -> None:
    attacked, noisy = gains(loaded, name, attack, TINY[attack], rounded=False)
    assert attacked > max(noisy, 0) + 0.004


@pytest.mark.parametrize("attack", FEWER)
def test_an_attack_moves_il_niqe_more_than_noise(attack: str, loaded: Loaded) -> None:
    attacked, noisy = gains(loaded, "ilniqe", attack, SMALL[attack] | FEWER[attack], count=1)
    assert attacked > max(noisy, 0) + 0.01


def gains(
    loaded: Loaded,
    name: str,
    attack_name: str,
    overrides: Mapping[str, str] = MappingProxyType({}),
    *,
    rounded: bool = True,
    count: int = 3,
) -> tuple[float, float]:
    """Returns the mean gain of an attack on three photographs, and that of noise of the same root mean square."""
    metric = loaded(name)
    clear = photographs(*((240, 248) if name in LARGE else (120, 124)))[:count]
    reference = isinstance(metric, FullReference)
    images = compressed(clear) if reference else clear
    references = clear if reference else None
    attack = attack_variants(lookup.find("attacks", attack_name), Settings(overrides=overrides))[""]
    known = {needed: torch.full((len(images),), 4.0) for needed in attack.needs}
    objective = MetricObjective(metric, references, access=attack.access, surrogate_scores=known)
    attacked = attack(images, objective, ImageNoise(attack_name, NAMES[:count]))
    noise = ImageNoise("same size", NAMES[:count]).uniform(images)
    if rounded:
        attacked = attack.rounded(attacked, images)
    noisy = (images + noise * size(attacked - images) / size(noise)).clamp(0, 1)
    if rounded:
        noisy = (255 * noisy).round() / 255
    with torch.no_grad():
        before, *after = (objective(batch).mean().item() for batch in (images, attacked, noisy))
    return after[0] - before, after[1] - before


def size(change: Tensor) -> Tensor:
    return change.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()


def compressed(images: Tensor) -> Tensor:
    pixels = [np.asarray((255 * image).round().byte().permute(1, 2, 0)) for image in images]
    return to_tensor([distort(image, "JPEG", 50) for image in pixels])


def test_vmaf_of_a_clip_is_what_its_authors_program_says(shared_data: Path) -> None:
    vmaf = load("vmaf_video")
    assert isinstance(vmaf, VideoMetric)
    clips = [lumas(shared_data / "video" / f"carphone_{kind}_30f.y4m") for kind in ("distorted", "pristine")]
    moved = motion(clips[1])
    for distorted, official in zip(clips, (37.12, 100.12), strict=True):
        assert vmaf.machine(rated_features(distorted, clips[1], moved)).mean() == pytest.approx(official, abs=0.01)
    still = rated_features(clips[1], clips[1], torch.zeros_like(moved))
    assert load("vmaf").machine(still).mean() == pytest.approx(97.43, abs=0.01)


def test_vmaf_of_a_clip_read_as_rgb_is_close_to_that(shared_data: Path) -> None:
    # 0.044 is what conversion to RGB and rounding to 8 bits cost.
    vmaf, neg = load("vmaf_video"), load("vmaf_neg_video")
    clips = [frames(shared_data / "video" / f"carphone_{kind}_30f.y4m") for kind in ("distorted", "pristine")]
    assert vmaf(*clips).item() == pytest.approx(37.12, abs=0.06)
    assert vmaf(clips[1], clips[1]).item() == pytest.approx(100.12, abs=0.01)
    assert neg(clips[1], clips[1]).item() == pytest.approx(100.12, abs=0.01)
    sharpened = (clips[1] + 0.7 * (clips[1] - avg_pool3d(clips[1], (1, 3, 3), 1, (0, 1, 1)))).clamp(0, 1)
    assert vmaf(sharpened, clips[1]).item() > 101
    assert neg(sharpened, clips[1]).item() < 100.12


def frames(path: Path) -> Tensor:
    """Returns a clip as the engine reads it."""
    return load_batch(open_dataset(str(path)).photos, None).images[None]


def lumas(path: Path) -> Tensor:
    """Returns the (frames, 1, height, width) lumas of an 8-bit 4:2:0 Y4M file."""
    head, _, rest = path.read_bytes().partition(b"\n")
    width, height = (int(next(part[1:] for part in head.split() if part[:1] == letter)) for letter in (b"W", b"H"))
    frames = np.frombuffer(rest, np.uint8).reshape(-1, len(b"FRAME\n") + width * height * 3 // 2)
    return torch.from_numpy(frames[:, 6 : 6 + width * height].copy()).double().reshape(-1, 1, height, width)


def motion(clip: Tensor) -> Tensor:
    """Returns how far each frame is from the nearer of its neighbours, both blurred: VMAF's sixth feature."""
    window = torch.softmax(-(torch.arange(-2, 3, dtype=torch.double) ** 2) / 2, dim=0)
    padded = pad(clip, (2, 2, 2, 2), mode="reflect")
    blurred = conv2d(conv2d(padded, window[None, None, :, None]), window[None, None, None, :])
    steps = blurred.diff(dim=0).abs().mean(dim=(1, 2, 3))
    return torch.cat([steps.new_zeros(1), torch.minimum(steps[:-1], steps[1:]), steps[-1:]])


@pytest.mark.parametrize("share", [0.0, 0.5])
@pytest.mark.parametrize("name", IMPORTED)
def test_a_damaged_file_is_named(
    name: str, share: float, torch_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weight, *others = lookup.find("metrics", name).fields["weights"]
    whole = (torch_home / weight).read_bytes()
    (tmp_path / weight).parent.mkdir(parents=True)
    for other in others:
        (tmp_path / other).symlink_to(torch_home / other)
    (tmp_path / weight).write_bytes(whole[: int(share * len(whole))])
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(ValueError, match=Path(weight).name) as error:
        load(name)
    assert "\n" not in str(error.value)


def test_weights_of_another_architecture_are_refused(
    torch_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (weight,), (other,) = (lookup.find("metrics", name).fields["weights"] for name in ("eonss", "cnniqa_live"))
    (tmp_path / weight).parent.mkdir(parents=True)
    (tmp_path / weight).symlink_to(torch_home / other)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(ValueError, match="EONSS must be built from"):
        load("eonss")
