"""RankIQA: VGG-16 that first learned which of two distortions is stronger, then LIVE's opinions.

Liu, van de Weijer, Bagdanov: RankIQA: learning from rankings for no-reference image quality assessment, ICCV 2017.
https://arxiv.org/abs/1707.08347

Written from the paper and the authors' evaluation in the repository xialeiliu/RankIQA. As there, channels are blue,
green, red in 0...255, and no mean is subtracted. The authors average 30 random crops; here crops cover the image. The
Caffe weights are imported under the names of torchvision's VGG-16. LIVE's opinions rate impairment, so lower is better.
"""

import torchvision
from torch import Tensor

from metric_robustness.metrics.base import Images, NoReference, Scores
from metric_robustness.metrics.crops_adapter import covering_crops
from metric_robustness.metrics.weights_adapter import loading, read_state

SIDE = 224  # of a crop, in pixels


class Rankiqa(NoReference):
    higher_is_better = False
    score_range = (10.86, 34.86)
    smallest = 224
    cost = "heavy"
    trained_on = "LIVE, synthetic rankings"
    licence = "MIT (code)"
    weights = ("hub/checkpoints/rankiqa_ft_live.pth",)

    def __init__(self) -> None:
        super().__init__()
        self.vgg = torchvision.models.vgg16(weights=None, num_classes=1)
        with loading("RankIQA", self.weights):
            self.vgg.load_state_dict(read_state(self.weights[0]))

    def score(self, images: Images) -> Scores:
        crops = covering_crops(255 * images.flip(1), SIDE, SIDE // 2)
        rated: Tensor = self.vgg(crops.flatten(0, 1))
        return rated.reshape(crops.shape[:2]).mean(dim=1)
