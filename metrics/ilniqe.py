"""IL-NIQE: NIQE with colour, gradient and log-Gabor statistics, rated patch by patch.

Zhang, Zhang, Bovik: A feature-enriched completely blind image quality evaluator,
IEEE Transactions on Image Processing 24(8), 2015. https://doi.org/10.1109/TIP.2015.2426416
"""

import torch
from torch import nn

from metric_robustness.metrics.base import Images, Scores
from metric_robustness.metrics.gradient_adapter import finite_gradient
from metric_robustness.metrics.ilniqe_adapter import LARGEST, ScaleFeatures, halve, prepare
from metric_robustness.metrics.natural_scenes_adapter import moments
from metric_robustness.metrics.pyiqa_adapter import PyiqaNoReference

FLAT = 220.6  # score of an image without statistics: the worst of score_range


class Ilniqe(PyiqaNoReference):
    model = "ilniqe"
    higher_is_better = False
    score_range = (13.2, 220.6)
    cost = "heavy"
    trained_on = "pristine photographs"
    licence = "PolyForm Noncommercial 1.0.0; weights Apache-2.0"
    verified = "the authors' scores of 5 images, to 4 %"
    weights = ("hub/pyiqa/ILNIQE_templateModel.mat",)

    def __init__(self) -> None:
        super().__init__()
        self.scales = nn.ModuleList([ScaleFeatures(1), ScaleFeatures(2)])

    def score(self, images: Images) -> Scores:
        flat = (images.amax(dim=(2, 3)) == images.amin(dim=(2, 3))).all(dim=1)  # tested first: resizing adds texture
        whole = prepare(finite_gradient(images))
        both = [scale(image) for scale, image in zip(self.scales, (whole, halve(whole)), strict=True)]
        features = torch.cat(both, dim=2).clamp(max=LARGEST)
        patches = (features - self.net.meanOfSampleData) @ self.net.principleVectors
        mean, covariance = moments(patches)
        known = ~patches.isnan()
        offsets = torch.where(known, patches, mean[:, None]) - self.net.mu_pris_param
        pooled = (self.net.cov_pris_param + covariance) / 2
        squared = (offsets * torch.linalg.solve(pooled, offsets.transpose(1, 2)).transpose(1, 2)).sum(2)
        return torch.where(flat | ~known.any(2).any(1), FLAT, squared.sqrt().mean(1))
