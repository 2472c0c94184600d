"""FPR: rates patches by features in which their pristine ones are hallucinated, weighted by a recurrent network.

Chen, Zhu, Kong, Zhu, Wang, Li: No-reference image quality assessment by hallucinating pristine features,
IEEE Transactions on Image Processing 31, 2022. https://arxiv.org/abs/2108.04165

Written from the paper and the authors' model in the repository Baoliang93/FPR; only the rating branch, which needs no
reference. The authors shuffle the patches before the recurrent network; here they come row by row. The network learned
impairment, 0 to 100, so lower is better.
"""

from typing import Any

from torch import Tensor, nn
from torch.nn.functional import max_pool2d

from metric_robustness.metrics.base import Images, NoReference, Scores
from metric_robustness.metrics.weights_adapter import loading, read_state

SIDE = 64  # of the patches, in pixels
LEAST = 1e-8  # added to the weight of each patch
WIDTHS = {"sfl1": (3, 128), "sfl21": (128, 256), "sfl22": (256, 256), "sfl23": (256, 256), "sfl3": (256, 512)}
POOLED = {"sfl1", "sfl22", "sfl3"}


class Fpr(NoReference):
    higher_is_better = False
    score_range = (47.2, 77.0)
    smallest = 64
    cost = "heavy"
    trained_on = "TID2013"
    licence = "none stated"
    weights = ("hub/checkpoints/fpr_tid2013.pth",)

    def __init__(self) -> None:
        super().__init__()
        for name, (narrow, wide) in WIDTHS.items():
            self.add_module(
                name, nn.ModuleDict({"conv1": _convolution(narrow, wide), "conv2": _convolution(wide, wide)})
            )
        self.scl1, self.scl2 = nn.ModuleDict({"conv": _convolution(512, 128)}), nn.Conv2d(128, 64, 3)
        self.srl1, self.srl2 = nn.Linear(256, 32), nn.Linear(32, 1)
        self.swl1, self.swl2 = nn.GRU(256, 32, batch_first=True), nn.Linear(32, 1)
        with loading("FPR", self.weights):
            state = read_state(self.weights[0])
            # The file also holds layers that only training uses.
            state = {name: value for name, value in state.items() if name in self.state_dict()}
            self.load_state_dict(state)

    def score(self, images: Images) -> Scores:
        rows, columns = (side // SIDE for side in images.shape[2:])
        tiles = images[..., : rows * SIDE, : columns * SIDE].reshape(len(images), 3, rows, SIDE, columns, SIDE)
        features = tiles.permute(0, 2, 4, 1, 3, 5).reshape(-1, 3, SIDE, SIDE)
        for name in WIDTHS:
            layer: Any = self.get_submodule(name)
            features = layer["conv2"]["conv"](layer["conv1"]["conv"](features))
            features = max_pool2d(features, 2) if name in POOLED else features
        fused: Any = self.scl1["conv"]
        flat = self.scl2(max_pool2d(fused["conv"](features), 2)).flatten(1)
        rated: Tensor = self.srl2(self.srl1(flat)).reshape(len(images), -1)
        read, _ = self.swl1(flat.reshape(len(images), rows * columns, -1))
        weights: Tensor = self.swl2(read).relu()[..., 0] + LEAST
        return (rated * weights).sum(dim=1) / weights.sum(dim=1)


def _convolution(narrow: int, wide: int) -> nn.ModuleDict:
    return nn.ModuleDict({"conv": nn.Sequential(nn.Conv2d(narrow, wide, 3, padding=1), nn.LeakyReLU(0.2))})
