"""CW-SSIM: structural similarity of complex wavelet coefficients.

Sampat, Wang, Gupta, Bovik, Markey: Complex wavelet structural similarity: a new image similarity index,
IEEE Transactions on Image Processing 18(11), 2009. https://doi.org/10.1109/TIP.2009.2025923
"""

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from metric_robustness.metrics.base import FullReference, Images, Scores
from metric_robustness.metrics.gradient_adapter import finite_gradient
from metric_robustness.metrics.pixels_adapter import luma, rounded
from metric_robustness.metrics.steerable_adapter import band_filters, gaussian_weights

LEVEL, ORIENTATIONS = 4, 8  # of the pyramid's bands
WINDOW = 7  # side, in coefficients
STABILITY = 0.001  # pyiqa's 0 gives two flat images a score of a million; others change by 5e-8
LEAST = 1e-12  # of squared sizes, whose root has no gradient at 0


class CwSsim(FullReference):
    """Computes what pyiqa does, but only the coarsest bands of the pyramid, which alone are compared."""

    higher_is_better = True
    score_range = (0.0, 1.0)
    smallest = 64
    trained_on = "nothing"
    licence = "PolyForm Noncommercial 1.0.0"
    verified = "the authors' scores of 5 images"

    def score(self, images: Images, references: Images) -> Scores:
        x, y = bands(images), bands(references)
        products = x * y.conj()
        sizes = x.abs().square() + y.abs().square() + 2 * LEAST
        maps = torch.stack([products.real, products.imag, sizes], dim=1).flatten(1, 2)
        real, imaginary, energy = avg_pool2d(maps, WINDOW, stride=1).chunk(3, dim=1)
        size = (real.square() + imaginary.square() + LEAST).sqrt()
        similarity = (2 * size + STABILITY) / (energy + STABILITY)
        weights = gaussian_weights(similarity.shape[2], similarity.shape[3], x.shape[2] / 4).to(similarity)
        return (similarity * weights).sum((2, 3)).mean(1).clamp(max=1.0)


def bands(images: Images) -> Tensor:
    """Returns the (N, 8, H / 8, W / 8) complex coefficients of the coarsest level."""
    levels = rounded(luma(finite_gradient(images).double())).squeeze(1)
    (top, left), filters = band_filters(levels.shape[1], levels.shape[2], LEVEL, ORIENTATIONS)
    spectrum = torch.fft.fftshift(torch.fft.fft2(levels), dim=(1, 2))
    height, width = filters.shape[1:]
    low = spectrum[:, None, top : top + height, left : left + width] * filters.to(levels)
    coefficients: Tensor = torch.fft.ifft2(torch.fft.ifftshift(low, dim=(2, 3)))
    return coefficients
