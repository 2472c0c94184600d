"""IL-NIQE: NIQE with colour, gradient and log-Gabor statistics, rated patch by patch.

Zhang, Zhang, Bovik: A feature-enriched completely blind image quality evaluator,
IEEE Transactions on Image Processing 24(8), 2015. https://doi.org/10.1109/TIP.2015.2426416
"""

import torch

from metrics.base import Images, Scores
from metrics.pyiqa_adapter import PyiqaNoReference

FLAT = 220.6  # what an image without any statistics is rated: the worst of score_range


class Ilniqe(PyiqaNoReference):
    model = "ilniqe"
    higher_is_better = False
    score_range = (13.2, 220.6)
    batch_dependent = True  # a fit goes on until the last patch of the batch has converged
    cost = "heavy"
    trained_on = "pristine photographs"
    licence = "PolyForm Noncommercial 1.0.0; weights Apache-2.0"
    verified = "the authors' score of 1 image"
    weights = ("hub/pyiqa/ILNIQE_templateModel.mat",)

    def score(self, images: Images) -> Scores:
        flat = (images.amax(dim=(2, 3)) == images.amin(dim=(2, 3))).all(dim=1)
        pixels = torch.arange(images[0, 0].numel(), device=images.device).reshape(images.shape[2:])
        texture = 0.5 + 0.5 * torch.sin((0.7 * pixels) ** 2)  # for pyiqa, which fails on a flat image
        scores = super().score(torch.where(flat[:, None, None, None], texture, images))
        return torch.where(flat, FLAT, scores)
