"""MS-SWD: sliced Wasserstein distance of learned colour features.

He et al.: Multiscale sliced Wasserstein distances as perceptual color difference measures, ECCV 2024.
https://arxiv.org/abs/2407.10181
"""

from typing import Any, ClassVar

from torch import Tensor, nn
from torch.nn.functional import pad
from torchvision.transforms.functional import resize

from metric_robustness.metrics.base import FullReference, Images, Scores
from metric_robustness.metrics.gradient_adapter import finite_gradient
from metric_robustness.metrics.msswd_adapter import distance, features, lab
from metric_robustness.metrics.pyiqa_adapter import build

LARGEST = 256  # of the shorter side, in pixels; larger images are resized
RADIUS = 5  # of the filters


class Msswd(FullReference):
    """Computes what pyiqa does with its weights."""

    model: ClassVar[str] = "msswd"  # its name in pyiqa
    higher_is_better = False
    score_range = (0.0, 10.0)
    trained_on = "SPCD"
    licence = "PolyForm Noncommercial 1.0.0"
    weights = ("hub/pyiqa/msswd_weights.pth",)

    def __init__(self) -> None:
        super().__init__()
        theirs: Any = build(self.model, {}, self.weights)
        self.filters = nn.Parameter(theirs.conv11x11.weight.detach())  # (128, 3, 11, 11)
        self.mixture = nn.Parameter(theirs.conv_m1.weight.detach().flatten(1))  # (64, 128)

    def score(self, images: Images, references: Images) -> Scores:
        return distance(self.seen(images), self.seen(references)).mean(1)

    def seen(self, images: Images) -> Tensor:
        """Returns the (N, 64, pixels) features of images."""
        images = finite_gradient(images)
        if min(images.shape[2:]) > LARGEST:
            images = resize(images, [LARGEST])
        colours = pad(lab(images), (RADIUS,) * 4, mode="reflect")
        return features(colours, self.filters, self.mixture)
