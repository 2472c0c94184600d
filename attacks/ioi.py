"""IOI: one sign step, without the image's own strong frequencies, where local contrast hides it.

Shumitskaya, Antsiferova, Vatolin. IOI: invisible one-iteration adversarial attack on no-reference image- and
video-quality metrics. ICML, 2024. https://arxiv.org/abs/2403.05955
The step's Fourier coefficients at those frequencies of a channel that are strongest in the clear image, most of them
low, are dropped, so that smooth areas and large shapes stay as they are. What is left is weighed by the local contrast.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, pad

from metric_robustness.attacks.base import Attack, Budget, Images, Noise, Objective

WINDOW = 7  # pixels: the side of the squares in which contrast is measured


@dataclass(frozen=True)
class IOI(Attack):
    access = "white"
    family = "sign"
    variants = {"within": {"eps": 10 / 255}}
    formula = (
        "y = clip(x + M·H(step·sign ∇J(x))), H without the Fourier coefficients that are the channel's largest `share` "
        "in x, M the standard deviation of the luma in 7x7 pixels, divided by its maximum"
    )
    differs = (
        "not on the page. The paper's step is .1, which may change a pixel by more than others may; variant within is "
        "comparable. The window of the contrast is ours."
    )

    eps: float = 0.1
    step: float = 0.1
    share: float = 0.07  # of a channel's coefficients

    def perturb(self, images: Images, objective: Objective, noise: Noise) -> Images:
        change = self.step * objective.gradient(images).sign()
        return images + contrast(images) * high_band(change, images, self.share)

    def budget(self) -> Budget:
        return Budget(queries=1, gradients=1)


def high_band(change: Images, images: Images, share: float) -> Images:
    """Returns a change without the frequencies that are strongest in the images.

    Args:
        change: (N, 3, H, W).
        images: The clear images, (N, 3, H, W).
        share: Of the frequencies of each channel that is dropped, in [0, 1].
    """
    strength = torch.fft.fft2(images).abs().flatten(2)
    dropped = round(share * strength.shape[2])
    if dropped == 0:
        return change
    bound = strength.topk(dropped, dim=2).values[..., -1:]
    kept = torch.where((strength < bound).view_as(change), torch.fft.fft2(change), 0)
    left: Images = torch.fft.ifft2(kept).real
    return left


def contrast(images: Images) -> Tensor:
    """Returns the (N, 1, H, W) local contrast in [0, 1]: the luma's deviation around a pixel, 1 where it is largest.

    An image without contrast has 0 everywhere.
    """
    luma = 0.299 * images[:, :1] + 0.587 * images[:, 1:2] + 0.114 * images[:, 2:]
    luma = pad(luma - luma.mean(dim=(2, 3), keepdim=True), [WINDOW // 2] * 4, mode="replicate")
    mean, square = (avg_pool2d(values, WINDOW, stride=1) for values in (luma, luma.square()))
    deviation = (square - mean.square()).clamp_min(0).sqrt()
    return deviation / deviation.amax(dim=(2, 3), keepdim=True).clamp_min(torch.finfo().tiny)
