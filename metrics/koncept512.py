"""KonCept512: InceptionResNetV2 with four dense layers, trained on KonIQ-10k at 512x384 pixels.

Hosu, Lin, Sziranyi, Saupe: KonIQ-10k: an ecologically valid database for deep learning of blind image quality
assessment, IEEE Transactions on Image Processing 29, 2020. https://arxiv.org/abs/1910.06180

Written from the paper and the PyTorch version in the repository ZhengyuZhao/koniq-PyTorch, which also names the
weights.
"""

import timm
from pyiqa.archs.constants import IMAGENET_INCEPTION_MEAN, IMAGENET_INCEPTION_STD
from torch import Tensor, nn
from torchvision.transforms.functional import normalize, resize

from metric_robustness.metrics.base import Images, NoReference, Scores
from metric_robustness.metrics.weights_adapter import loading, read_state

SIZE = [384, 512]  # height and width in pixels
WIDTHS, DROPOUTS = (1536, 2048, 1024, 256), (0.25, 0.25, 0.5)


class Koncept512(NoReference):
    higher_is_better = True
    score_range = (26.4, 66.9)
    cost = "heavy"
    trained_on = "KonIQ-10k"
    licence = "none stated (weights)"
    weights = ("hub/checkpoints/KonCept512.pth",)

    def __init__(self) -> None:
        super().__init__()
        backbone = timm.create_model("inception_resnet_v2", pretrained=False)
        kept = [part for name, part in backbone.named_children() if name not in {"global_pool", "head_drop", "classif"}]
        self.base = nn.Sequential(*kept)
        layers: list[nn.Module] = []
        for narrow, wide, dropout in zip(WIDTHS, WIDTHS[1:], DROPOUTS, strict=False):
            layers += [nn.Linear(narrow, wide), nn.ReLU(), nn.BatchNorm1d(wide), nn.Dropout(dropout)]
        self.fc = nn.Sequential(*layers, nn.Linear(WIDTHS[-1], 1))
        with loading("KonCept512", self.weights):
            self.load_state_dict(read_state(self.weights[0]))

    def score(self, images: Images) -> Scores:
        pixels = normalize(resize(images, SIZE, antialias=True), IMAGENET_INCEPTION_MEAN, IMAGENET_INCEPTION_STD)
        rated: Tensor = self.fc(self.base(pixels).mean(dim=(2, 3)))
        return rated[:, 0]
