"""CNNIQA: one convolution over normalised patches, pooled to its extremes, trained on LIVE.

Kang, Ye, Li, Doermann: Convolutional neural networks for no-reference image quality assessment, CVPR 2014.
https://doi.org/10.1109/CVPR.2014.224

The weights come from the repository lidq92/CNNIQA. That code rounds the luma to 8 bits; this one does not, because
rounding has no gradient.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, pad

from metric_robustness.metrics.base import Images, NoReference, Scores
from metric_robustness.metrics.weights_adapter import loading, read_state

SIDE = 32  # of the patches, in pixels
LUMA = (0.299, 0.587, 0.114)
LEAST = 1e-12  # least variance: a root has no gradient at 0


class CnniqaLive(NoReference):
    higher_is_better = False
    score_range = (-4.0, 87.5)
    smallest = 33  # a patch that would end exactly at the border is left out
    trained_on = "LIVE"
    licence = "none stated"
    verified = "a re-implementation's weights, on a ladder of distortions"
    weights = ("hub/checkpoints/cnniqa_live-f18e0aa1.pth",)

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 50, 7)
        self.fc1, self.fc2, self.fc3 = nn.Linear(100, 800), nn.Linear(800, 800), nn.Linear(800, 1)
        with loading("CNNIQA", self.weights):
            self.load_state_dict(read_state(self.weights[0]))

    def score(self, images: Images) -> Scores:
        luma = (images * torch.tensor(LUMA, device=images.device)[:, None, None]).sum(dim=1, keepdim=True)
        rows, columns = (range(0, side - SIDE, SIDE) for side in images.shape[2:])
        patches = torch.stack([luma[..., y : y + SIDE, x : x + SIDE] for y in rows for x in columns], dim=1)
        responses = self.conv1(_normalised(patches.flatten(0, 1))).flatten(2)
        extremes = torch.cat([responses.amax(dim=2), responses.amin(dim=2)], dim=1)
        rated: Tensor = self.fc3(self.fc2(self.fc1(extremes).relu()).relu())
        return rated.reshape(patches.shape[:2]).mean(dim=1)


def _normalised(patches: Tensor) -> Tensor:
    """Returns (N, 1, 32, 32) patches less their local mean, divided by their local deviation plus 1."""
    mean, square = (avg_pool2d(pad(x, (1,) * 4, mode="replicate"), 3, 1) for x in (patches, patches.square()))
    return (patches - mean) / ((square - mean.square()).clamp(min=LEAST).sqrt() + 1)
