"""Attacks of the wide suite that warp, enhance, estimate or hide: beside known optima and noise of their size."""

from __future__ import annotations

import pytest
import torch
from analytic_metrics import Linear, Quadratic, Wavy, random_images, rounded
from kornia.enhance import equalize_clahe
from scipy.ndimage import gaussian_filter, generic_filter

from metric_robustness.attacks.diversity_adapter import placed, pulled, shrunk
from metric_robustness.attacks.enhance import Enhance
from metric_robustness.attacks.ioi import IOI, contrast, high_band
from metric_robustness.attacks.nes import NES
from metric_robustness.attacks.score_boundary import ScoreBoundary
from metric_robustness.attacks.score_boundary_adapter import turned, unit
from metric_robustness.attacks.stadv import StAdv, roughness, warped
from metric_robustness.attacks.transfer import Transfer
from metric_robustness.pipeline.engine.metric.objective import ImageNoise, MetricObjective

SEARCHES = {
    "enhance": Enhance(),
    "ioi": IOI(),
    "nes": NES(),
    "score_boundary": ScoreBoundary(side=4),
    "stadv": StAdv(),
    "transfer": Transfer(),
}


def smooth(count: int = 2, height: int = 41, width: int = 53) -> torch.Tensor:
    """Returns 8-bit images without hard edges, by formula: shading and waves of some 10 pixels, unlike by image."""
    y, x, channel = torch.arange(height).view(-1, 1), torch.arange(width), torch.arange(3.0).view(-1, 1, 1)
    waves = [(0.5 * x + 0.2 * y + channel + 2 * i).sin() * (0.6 * y - 0.3 * x + i).cos() for i in range(count)]
    return rounded(0.5 + 0.15 * torch.stack(waves) + 0.2 * (x / width - 0.5))


def found(attack, metric, images: torch.Tensor) -> torch.Tensor:
    """Returns the attacked images, as they are scored."""
    noise = ImageNoise("attack", [str(i) for i in range(len(images))])
    return attack.rounded(attack(images, MetricObjective(metric, access=attack.access), noise), images)


@pytest.mark.parametrize("name", SEARCHES)
def test_gains_more_than_noise_of_its_size(name):
    images, metric = smooth(), Wavy()
    attacked = found(SEARCHES[name], metric, images)
    size = (attacked - images).square().mean((1, 2, 3), keepdim=True).sqrt()
    noise = torch.randn(20, *images.shape, generator=torch.Generator().manual_seed(0))
    noisy = [metric(rounded((images + size * each).clamp(0, 1))) - metric(images) for each in noise]
    assert (size > 0.5 / 255).all()
    assert (metric(attacked) - metric(images) > 1.5 * torch.stack(noisy).amax(dim=0)).all()


def sharpened(image: torch.Tensor) -> torch.Tensor:
    """Returns an image with unsharp masking of sigma 1 and amount .8, by scipy."""
    blurred = gaussian_filter(image.numpy(), (0, 1, 1), mode="nearest", truncate=3)
    return image + 0.8 * (image - torch.from_numpy(blurred))


@pytest.mark.parametrize(
    "target",
    [
        pytest.param(lambda image: image**0.8, id="gamma"),
        pytest.param(lambda image: equalize_clahe(image, 3.0, (8, 8)), id="clahe"),
        pytest.param(sharpened, id="unsharp"),
    ],
)
def test_enhance_finds_the_tool_that_a_metric_likes_best(target):
    images = smooth()
    best = torch.stack([target(image) for image in images]).clamp(0, 1)
    left = (found(Enhance(), Quadratic(best[1]), images)[1] - best[1]).abs().max()
    assert left <= 0.51 / 255 < 5 / 255 < (images[1] - best[1]).abs().max()


def test_enhance_stays_within_300_queries():
    assert Enhance().budget() == (298, 0)


@pytest.mark.parametrize(
    ("attack", "share"), [(NES(side=4), 0.85), (ScoreBoundary(side=4), 0.7)], ids=["nes", "boundary"]
)
def test_a_query_attack_reaches_most_of_what_gradients_would_where_few_blocks_matter(attack, share):
    """f = <w, x> with w equal in blocks: the best change within eps is eps·sign(w), and gains eps·sum |w|.

    Score boundary's directions are weaker where an image has less detail, so it comes less near.
    """
    images = random_images(2, (24, 32))
    blocks = torch.randn(3, 4, 4, generator=torch.Generator().manual_seed(0)) / 2304
    weights = blocks.repeat_interleave(6, dim=1).repeat_interleave(8, dim=2)
    gain = Linear(weights)(found(attack, Linear(weights), images)) - Linear(weights)(images)
    assert (gain > share * attack.eps * weights.abs().sum()).all()


def test_a_turn_along_a_boundary_makes_a_change_smaller_and_loses_no_score():
    images, attack = smooth(), ScoreBoundary()
    objective = MetricObjective(Wavy(), access="black")
    noise = ImageNoise("turns", ["0", "1"])
    change, angle = attack.eps / 3 * unit(noise.normal(images)), torch.full((2, 1, 1, 1), attack.angle)

    def score(change):
        return objective(attack.project(images + change, images))

    boundary, sizes = score(change), [change.square().mean((1, 2, 3))]
    for _ in range(40):
        change, angle = turned(score, boundary, change, noise.normal(images), angle)
        sizes.append(change.square().mean((1, 2, 3)))
    assert (torch.stack(sizes).diff(dim=0) <= 0).all()
    assert (sizes[-1] < 0.8 * sizes[0]).all()
    assert (score(change) >= boundary).all()


def test_nes_moves_blocks_of_pixels():
    images = random_images(1, (19, 23))
    change = found(NES(side=5), Wavy(), images) - images
    assert torch.equal(change[..., 0, 0], change[..., 3, 4])  # blocks of 4x5
    assert len(change.unique()) > 2


def test_stadv_finds_the_shift_of_an_image():
    """-sum (y - t)^2 with t the image one pixel further to the right: the best flow is -1 across, 0 down."""
    wide = smooth(1, 41, 60)
    images, target = wide[..., 4:-4], wide[0, :, :, 3:-5]
    attacked = found(StAdv(tau=0.0, steps=60), Quadratic(target), images)
    before, after = ((each - target).square().mean() for each in (images, attacked))
    assert after < 0.05 * before


def test_stadv_s_own_weight_smooths_the_flow():
    images = smooth(1)
    rough = [roughness(list(StAdv(tau=tau).flows(images, MetricObjective(Wavy())))[-1]) for tau in (StAdv.tau, 0.0)]
    assert rough[0] < 0.9 * rough[1]


def test_a_flow_of_whole_pixels_is_a_shift_and_the_border_repeats():
    images = random_images(1)
    flow = torch.zeros(1, 2, *images.shape[2:])
    assert torch.allclose(warped(images, flow), images, atol=1e-5)
    flow[:, 0], flow[:, 1] = 2, -1  # reads 2 pixels to the right, 1 above
    moved = warped(images, flow)
    assert torch.allclose(moved[..., 1:, :-2], images[..., :-1, 2:], atol=1e-5)
    assert torch.allclose(moved[..., 0, :-2], images[..., 0, 2:], atol=1e-5)


def test_a_flow_that_is_the_same_everywhere_is_smooth():
    flow = torch.zeros(1, 2, 9, 11)
    assert roughness(flow + 1.5).item() == pytest.approx(0, abs=1e-3)
    flow[..., 5:] = 3  # one edge of length 9 between 10 columns of differences, 3·sqrt 2 each
    assert roughness(flow).item() == pytest.approx(3 * 2**0.5 / 10, abs=1e-3)


def test_ioi_drops_the_frequencies_that_are_strongest_in_the_image():
    images, change = random_images(2), torch.rand(2, 3, 19, 23, generator=torch.Generator().manual_seed(2)) - 0.5
    kept = torch.fft.fft2(high_band(change, images, 0.07))
    strength = torch.fft.fft2(images).abs()
    dropped = kept.abs() < 1e-4
    assert ((dropped.sum((2, 3)) - 0.07 * 19 * 23).abs() <= 2).all()  # a frequency and its conjugate are as strong
    assert (strength.where(dropped, torch.inf).amin((2, 3)) >= strength.where(~dropped, 0).amax((2, 3)) - 1e-4).all()
    assert torch.allclose(kept[~dropped], torch.fft.fft2(change)[~dropped], atol=1e-4)


def test_ioi_s_mask_is_the_deviation_around_each_pixel():
    image = random_images(1, (13, 15)).double()
    luma = (0.299 * image[:, 0] + 0.587 * image[:, 1] + 0.114 * image[:, 2])[0].numpy()
    expected = torch.from_numpy(generic_filter(luma, lambda window: window.std(), 7, mode="nearest"))
    assert torch.allclose(contrast(image)[0, 0], expected / expected.max(), atol=1e-6)
    assert torch.equal(contrast(torch.full((1, 3, 9, 9), 0.5)), torch.zeros(1, 1, 9, 9))


def test_ioi_leaves_flat_areas_alone_and_reaches_what_its_mask_allows():
    """f = <w, x> with w a chequerboard, which is no frequency of the image: its gain is step·sum M |w|."""
    images = smooth(1, 40, 52)
    images[..., 26:] = 128 / 255
    y, x = torch.arange(40).view(-1, 1), torch.arange(52)
    weights = ((-1.0) ** (x + y)).expand(3, 40, 52) / 6240
    attacked = found(IOI(), Linear(weights), images)
    gain = (Linear(weights)(attacked) - Linear(weights)(images)).item()
    assert gain == pytest.approx((IOI.step * contrast(images) * weights.abs()).sum().item(), rel=0.05)
    assert torch.equal(rounded(attacked)[..., 32:], rounded(images)[..., 32:])


def test_gradients_of_shrunk_images_come_back_to_the_pixels_they_are_from():
    """<placed(x), g> = <x, pulled(g)> for all x and g: the one is the other's adjoint."""
    images, gradients = random_images(2), torch.randn(2, 3, 19, 23, generator=torch.Generator().manual_seed(0))
    placements = [shrunk(images, 0.9, (1.0, 0.3)), None]
    small = placed(images, placements)
    assert (small * gradients).sum().item() == pytest.approx((images * pulled(gradients, placements)).sum().item())
    assert torch.equal(small[1], images[1])
    assert torch.equal(small[0, :, :2], torch.zeros(3, 2, 23))  # 17 of 19 rows, at the lower edge
    assert set(small[0].flatten().tolist()) <= {0.0, *images[0].flatten().tolist()}


def test_input_diversity_moves_a_metric_that_reads_every_other_pixel_more():
    """A surrogate that skips pixels has a gradient on the others alone; another that reads those falls for it, too."""

    class Skipping(Linear):
        def __init__(self, first: int) -> None:
            super().__init__(torch.zeros(3, 24, 32))
            self.weights[:, first::2, first::2] = 1 / 576

    images, gains = random_images(3, (24, 32)), []
    for share in (0.0, Transfer.share):
        attacked = found(Transfer(share=share), Skipping(0), images)
        gains.append((Skipping(1)(attacked) - Skipping(1)(images)).mean().item())
    assert gains[0] == pytest.approx(0, abs=1e-6)
    assert gains[1] > 0.3 * Transfer.eps
