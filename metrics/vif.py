"""VIF: visual information fidelity, in the wavelet domain.

Sheikh, Bovik: Image information and visual quality, IEEE Transactions on Image Processing 15(2), 2006.
https://doi.org/10.1109/TIP.2005.859378
"""

import torch
from pyiqa.archs.vif_arch import sp5_filters
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d, pad

from metric_robustness.metrics.base import FullReference, Images, Scores
from metric_robustness.metrics.filters_adapter import FixedFilters
from metric_robustness.metrics.pixels_adapter import luma, rounded
from metric_robustness.metrics.pyiqa_adapter import finite_gradient

HEIGHT, BANDS = 4, (0, 3)  # levels of the pyramid, and the orientations that VIF looks at, of six
BLOCK = 3  # side of a vector of neighbouring coefficients
NOISE = 0.4  # variance of what the eye adds
LEAST = 1e-12  # least variance


class Vif(FullReference):
    """Computes the statistics of the reference in float64, and scores a flat reference.

    A flat reference holds no information, and pyiqa's 0 / 0 is 0. Here an image as flat has kept all that there was and
    scores 1, as every other image against itself; any other keeps pyiqa's 0. VIF does not see the level of either.

    The statistics invert nearly singular covariances of neighbouring coefficients. In float32, the rounding of sums
    depends on the batch size and changes the score by 4e-5.
    """

    higher_is_better = True
    score_range = (0.0, 1.0)
    smallest = 33
    trained_on = "nothing"
    licence = "PolyForm Noncommercial 1.0.0"
    verified = "the authors' scores of 5 images; a flat image against itself is 1, and 0 in pyiqa"

    first: Tensor  # (1, 1, 5, 5), before the finest level
    lower: Tensor  # (1, 1, 9, 9), between two levels
    oriented: Tensor  # (2, 1, 7, 7)

    def __init__(self) -> None:
        super().__init__()
        filters = {name: torch.from_numpy(value).float() for name, value in sp5_filters().items()}
        bands = filters["bfilts"][:, BANDS].T.reshape(-1, 1, 7, 7).transpose(2, 3)
        found = {"first": filters["lo0filt"][None, None], "lower": filters["lofilt"][None, None], "oriented": bands}
        for name, value in found.items():
            self.register_buffer(name, value.contiguous(), persistent=False)

    def score(self, images: Images, references: Images) -> Scores:
        pairs = zip(self.bands(images), self.bands(references), strict=True)
        parts = [information(*pair, 2 ** (HEIGHT - level) + 1) for level, pair in enumerate(pairs)]
        kept, there = torch.stack(parts).sum(0).unbind()
        return torch.where(_flat(references), _flat(images).to(kept), kept / (there + LEAST))

    def bands(self, images: Images) -> list[Tensor]:
        """Returns the (N, 2, h, w) bands of a steerable pyramid, finest level first, in whole blocks."""
        low, bands = filtered(rounded(luma(finite_gradient(images))), self.first), []
        for _ in range(HEIGHT):
            band = filtered(low, self.oriented)
            height, width = (side // BLOCK * BLOCK for side in band.shape[2:])
            bands.append(band[..., :height, :width])
            low = filtered(low, self.lower, stride=2)
        return bands


def filtered(maps: Tensor, filters: Tensor, stride: int = 1) -> Tensor:
    """Returns correlations with filters of one channel; images are mirrored at their edges."""
    with FixedFilters():
        return conv2d(pad(maps, (filters.shape[-1] // 2,) * 4, mode="reflect"), filters, stride=stride)


def information(band: Tensor, reference: Tensor, window: int) -> Tensor:
    """Returns how much of a reference's information is kept in an image, and how much there was, (2, N)."""
    gain, noise = distortion(band, reference, window)
    energy, eigenvalues = statistics(reference.double())
    edge = -(-(window // 2) // BLOCK)  # windows that reach over the edge do not count
    gain, noise, energy = (
        part[..., edge : part.shape[2] - edge, edge : part.shape[3] - edge].unsqueeze(2)
        for part in (gain, noise, energy)
    )
    signal = energy * eigenvalues
    kept = (1 + gain.square() * signal / (noise + NOISE)).log2()
    return torch.stack([kept.sum((1, 2, 3, 4)), (1 + signal / NOISE).log2().sum((1, 2, 3, 4))])


def distortion(band: Tensor, reference: Tensor, window: int) -> tuple[Tensor, Tensor]:
    """Returns gain and noise variance of the distortion in each block, (N, 2, h / 3, w / 3) each."""
    maps = torch.stack([reference, band, reference * band, reference.square(), band.square()])
    padded = pad(maps.flatten(0, 1), (window // 2,) * 4, mode="reflect")[..., BLOCK // 2 :, BLOCK // 2 :]
    means = avg_pool2d(padded, window, stride=BLOCK)
    x, y, product, square_x, square_y = means.reshape(*maps.shape[:3], *means.shape[2:])
    covariance = (product - x * y) * window**2
    variance_x, variance_y = ((square_x - x.square()).relu() * window**2, (square_y - y.square()).relu() * window**2)
    gain = covariance / (variance_x + LEAST)
    noise = (variance_y - gain * covariance) / window**2
    flat_x, flat_y = variance_x < LEAST, variance_y < LEAST
    gain = gain.masked_fill(flat_x | flat_y, 0)
    noise = torch.where(flat_x | (gain < 0), variance_y, noise).masked_fill(flat_y, 0)
    return gain.relu(), noise.masked_fill(noise < LEAST, LEAST)


def statistics(band: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the energy of each block, (N, 2, h / 3, w / 3), and the eigenvalues of their covariance, (N, 2, 9, 1, 1).

    Energy is measured in units of the covariance of all 3x3 neighbourhoods of a band.
    """
    height, width = band.shape[2:]
    places = [(down, right) for down in range(BLOCK) for right in range(BLOCK)]
    less = BLOCK - 1
    near = torch.stack([band[..., y : height - less + y, x : width - less + x].flatten(2) for y, x in places], dim=2)
    mean = near.mean(3, keepdim=True)
    covariance = near @ near.transpose(2, 3) / near.shape[3] - mean @ mean.transpose(2, 3)
    blocks = torch.stack([band[..., y::BLOCK, x::BLOCK] for y, x in places], dim=2)
    energy = torch.linalg.pinv(covariance) @ blocks.flatten(3)
    energy = (energy * blocks.flatten(3)).mean(2).reshape(*blocks.shape[:2], *blocks.shape[3:])
    return energy, torch.linalg.eigvalsh(covariance)[..., None, None]


def _flat(images: Images) -> Tensor:
    """Tells which images have one colour, (N,)."""
    return images.amax(dim=(2, 3)).eq(images.amin(dim=(2, 3))).all(dim=1)
