"""Attacks of the wide suite, compared with their definitions."""

from __future__ import annotations

import pytest
import torch
from analytic_metrics import Linear, Quadratic, Wavy, rounded
from torch.nn.functional import smooth_l1_loss

from metric_robustness.attacks.adam_adapter import Ascent
from metric_robustness.attacks.advcf import AdvCF, curved
from metric_robustness.attacks.ssah import SSAH, low_band, low_gradient
from metric_robustness.attacks.zhang_ssim import ZhangSSIM
from metric_robustness.metrics.base import FullReference, Metric
from metric_robustness.pipeline.catalogue.lookup import find
from metric_robustness.pipeline.contract.attack import Sameness
from metric_robustness.pipeline.data.dataset import open_dataset
from metric_robustness.pipeline.data.images import decode, to_tensor
from metric_robustness.pipeline.engine.metric.objective import ImageNoise, MetricObjective


def photographs(*size: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(20, 235, size, generator=torch.Generator().manual_seed(seed)) / 255


def noise(images: torch.Tensor) -> ImageNoise:
    return ImageNoise("attack", [str(i) for i in range(len(images))])


@pytest.fixture(scope="module")
def sample() -> tuple[Metric, torch.Tensor]:
    """Returns our smallest trained network and four photographs."""
    dataset = open_dataset("sample", 4)
    images = to_tensor([decode(photo.path, dataset.crop) for photo in dataset.photos])
    return find("metrics", "small_cnn").load()().eval().requires_grad_(False), images


def test_ascent_is_adam():
    start, target = torch.rand(2, 3, 5, 7), torch.rand(2, 3, 5, 7)
    theirs = start.clone().requires_grad_()
    optimizer = torch.optim.Adam([theirs], lr=0.01)
    ours, ascent = start.clone(), Ascent()
    for _ in range(6):
        optimizer.zero_grad()
        (theirs - target).square().sum().backward()
        optimizer.step()
        ours = ours + 0.01 * ascent.update(-2 * (ours - target))
    assert torch.allclose(ours, theirs.detach(), atol=1e-6)


@pytest.mark.parametrize("scale", [1e-6, 1, 1e6])
def test_ascent_does_not_depend_on_the_metric_s_scale(scale):
    gradient = torch.randn(2, 3, 5, 7)
    assert torch.allclose(Ascent().update(gradient * scale), Ascent().update(gradient), atol=1e-5)


def by_the_formula(x: torch.Tensor, slopes: torch.Tensor) -> torch.Tensor:
    """K / sum(P) * sum_i clip(x - i/K, 0, 1/K) P_i, as the paper writes it."""
    pieces = slopes.shape[2]
    parts = [(x - i / pieces).clamp(0, 1 / pieces) * slopes[:, :, i, None, None] for i in range(pieces)]
    return pieces / slopes.sum(2)[:, :, None, None] * sum(parts)


def test_colour_curve_is_the_paper_s():
    images, slopes = photographs(2, 3, 9, 11).double(), torch.rand(2, 3, 64, dtype=torch.float64)
    assert torch.allclose(curved(images, slopes), by_the_formula(images, slopes), atol=1e-12)


def test_colour_curve_keeps_black_and_white_and_order():
    ramp = torch.linspace(0, 1, 256, dtype=torch.float64).expand(1, 3, 1, 256)
    slopes = torch.rand(1, 3, 64, dtype=torch.float64)
    filtered = curved(ramp, slopes)
    assert torch.allclose(filtered[..., [0, -1]], ramp[..., [0, -1]])
    assert (filtered.diff(dim=3) >= 0).all()
    assert torch.allclose(curved(ramp, torch.full_like(slopes, 0.3)), ramp)


def test_colour_curve_changes_a_colour_alike_everywhere():
    images = photographs(1, 3, 16, 16)
    images[..., 8:, :] = images[..., :8, :]
    adversarial = AdvCF()(images, MetricObjective(Wavy()), noise(images))
    assert not torch.equal(adversarial, images)
    assert torch.equal(adversarial[..., 8:, :], adversarial[..., :8, :])


def test_colour_curve_brightens_for_a_metric_that_likes_light():
    images = photographs(2, 3, 16, 16)
    brighter = AdvCF()(images, MetricObjective(Linear(torch.full((3, 16, 16), 1 / 768))), noise(images))
    darker = AdvCF(goal="worse")(images, MetricObjective(Linear(torch.full((3, 16, 16), 1 / 768))), noise(images))
    assert (brighter.mean((1, 2, 3)) > images.mean((1, 2, 3)) + 0.01).all()
    assert (darker.mean((1, 2, 3)) < images.mean((1, 2, 3)) - 0.01).all()


def test_colour_curve_is_pulled_to_the_identity():
    images, like = photographs(1, 3, 16, 16), MetricObjective(Linear(torch.full((3, 16, 16), 1 / 768)))
    free, pulled = (AdvCF(pull=pull)(images, like, noise(images)) for pull in (0, 1e4))
    assert (pulled - images).abs().mean() < (free - images).abs().mean() / 2


def test_colour_curve_keeps_the_best_of_all_it_tried_as_rounded_to_8_bits():
    class Told(Wavy):
        """Says which images were asked about without a gradient, and what they scored."""

        def score(self, images):
            values = super().score(images)
            if not images.requires_grad:
                tried.append((images.clone(), values))
            return values

    tried = []
    images = photographs(4, 3, 16, 16)
    found = rounded(AdvCF(lr=3.0)(images, MetricObjective(Told()), noise(images)))
    assert torch.equal(tried[0][0], images)
    assert len(tried) == 11
    assert all(torch.equal(rounded(asked), asked) for asked, _ in tried)
    values = torch.stack([scored for _, scored in tried])
    assert torch.equal(Wavy()(found), values.amax(dim=0))
    assert (values.argmax(dim=0) < 10).any()  # the last one is not always the best


@pytest.mark.parametrize("goal", ["better", "worse"])
@pytest.mark.parametrize("lr", [0.1, 3.0])
def test_colour_curve_never_ends_below_the_clear_image(lr, goal):
    images = photographs(4, 3, 16, 16)
    gain = Wavy()(rounded(AdvCF(lr=lr, goal=goal)(images, MetricObjective(Wavy()), noise(images)))) - Wavy()(images)
    assert ((gain if goal == "better" else -gain) >= 0).all()


def test_colour_curve_moves_a_network_s_score_of_photographs(sample):
    metric, images = sample
    gains = {}
    for lr in (AdvCF.lr, 0.01):
        attack = AdvCF(lr=lr)
        attacked = attack.rounded(attack(images, MetricObjective(metric), noise(images)), images)
        gains[lr] = MetricObjective(metric)(attacked) - MetricObjective(metric)(images)
    assert (gains[0.1] >= gains[0.01]).all()
    assert gains[0.1].mean() > 2 * gains[0.01].mean()


def test_low_band_is_that_of_orthonormal_haar_wavelets():
    images = photographs(1, 3, 6, 8)
    expected = (images[..., ::2, ::2] + images[..., 1::2, ::2] + images[..., ::2, 1::2] + images[..., 1::2, 1::2]) / 2
    assert torch.allclose(low_band(images), expected, atol=1e-6)


@pytest.mark.parametrize("size", [(6, 8), (7, 9)])
def test_low_gradient_is_the_derivative(size):
    clear, adversarial = photographs(2, 3, *size).double(), photographs(2, 3, *size, seed=1).double()
    low, step = low_band(clear), 1e-6
    gradient = low_gradient(adversarial, low)
    moved = adversarial.clone()
    moved[1, 2, 3, 4] += step
    values = [smooth_l1_loss(low_band(x), low, reduction="none").sum((1, 2, 3))[1].item() for x in (adversarial, moved)]
    assert gradient[1, 2, 3, 4].item() == pytest.approx((values[1] - values[0]) / step, rel=1e-4)


def test_ssah_moves_the_high_band_for_a_metric_that_likes_brightness_too():
    """With a weight on the low band, less of the change lies there than with Adam alone."""
    images, weights = (
        photographs(1, 3, 16, 16),
        torch.randn(3, 16, 16, generator=torch.Generator().manual_seed(0)) / 768,
    )
    shares = []
    for weight in (0.0, 10.0):
        change = SSAH(weight=weight)(images, MetricObjective(Linear(weights + 1 / 768)), noise(images)) - images
        shares.append((low_band(change).square().sum() / change.square().sum()).item())
    assert shares[1] < shares[0]


def test_ssah_s_own_weight_keeps_a_network_s_gain_and_halves_the_low_band(sample):
    metric, images = sample
    objective, gains, energies = MetricObjective(metric), [], []
    for weight in (0.0, SSAH.weight):
        attack = SSAH(weight=weight)
        attacked = attack.rounded(attack(images, objective, noise(images)), images)
        gains.append((objective(attacked) - objective(images)).mean().item())
        energies.append(low_band(attacked - images).square().sum().item())
    assert gains[1] > 0.95 * gains[0]
    assert energies[1] < 0.6 * energies[0]


def test_perceptual_attack_stops_where_closeness_outweighs_the_gain():
    """f = <w, x>, closeness 1 - mean (x - c)^2: the sum has its top at c + n w / (2 weight), n values an image."""
    images, n = photographs(1, 3, 8, 8), 192
    weights = 0.02 * torch.randn(3, 8, 8, generator=torch.Generator().manual_seed(1)) / n
    objective = MetricObjective(Linear(weights), surrogates={"ssim": MetricObjective(Sameness(), images)})
    found = ZhangSSIM(steps=400, lr=0.0005, weight=1.0)(images, objective, noise(images))
    assert torch.allclose(found, (images + n * weights / 2).clamp(0, 1), atol=1e-3)


class Distance(FullReference):
    """A distance, as LPIPS is: lower is closer."""

    higher_is_better = False
    score_range = (0.0, 1.0)

    def score(self, images, references):
        return (images - references).square().mean((1, 2, 3))


@pytest.mark.parametrize("goal", ["better", "worse"])
def test_a_distance_keeps_close_whichever_way_the_opinion_is_moved(goal):
    images = photographs(1, 3, 8, 8)
    quadratic = Quadratic(images.clone(), 0.001)  # its gradient is so small that closeness decides
    near = MetricObjective(quadratic, surrogates={"ssim": MetricObjective(Distance(), images)})
    start = (images + 0.02).clamp(0, 1)
    found = ZhangSSIM(goal=goal, weight=10.0, steps=60, lr=0.001)(start, near, noise(images))
    assert (found - images).abs().mean() < (start - images).abs().mean() / 4


def test_asking_for_closeness_without_naming_it_is_an_error():
    images = photographs(1, 3, 8, 8)
    with pytest.raises(KeyError, match="name it in `needs`"):
        ZhangSSIM()(images, MetricObjective(Wavy()), noise(images))


def test_closeness_costs_no_queries():
    images = photographs(1, 3, 8, 8)
    objective = MetricObjective(Wavy(), surrogates={"ssim": MetricObjective(Sameness(), images)})
    ZhangSSIM()(images, objective, noise(images))
    assert (objective.queries, objective.gradients) == (10, 10)
