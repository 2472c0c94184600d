"""Entropy of the histogram of the luma, in bits.

It computes what MATLAB's function of that name does. Counting pixels in bins has no gradient.
"""

import torch

from metric_robustness.metrics.base import Images, NoReference, Scores
from metric_robustness.metrics.pixels_adapter import luma, rounded

LEVELS = 256


class Entropy(NoReference):
    higher_is_better = True
    score_range = (0.0, 8.0)
    differentiable = False
    trained_on = "nothing"
    licence = "PolyForm Noncommercial 1.0.0"
    verified = "MATLAB's scores of 5 images"

    def score(self, images: Images) -> Scores:
        levels = rounded(luma(images)).long().flatten(1)
        bins = levels + LEVELS * torch.arange(len(images), device=images.device).unsqueeze(1)
        # One count over all images takes a hundredth of the time of pyiqa's, which makes 256 copies of each pixel.
        shares = torch.bincount(bins.flatten(), minlength=LEVELS * len(images)).view(-1, LEVELS) / levels.shape[1]
        return -torch.xlogy(shares, shares).sum(dim=1) / torch.tensor(2.0).log().item()
