"""LipSim: distance of embeddings by a network that stretches no difference, so that a small change moves it little.

Ghazanfari, Araujo, Krishnamurthy, Khorrami, Garg: LipSim: a provably robust perceptual similarity metric, ICLR 2024.
https://arxiv.org/abs/2310.18274

The network learned DreamSim's embeddings, and was then trained on the judgements of NIGHT. Written from the paper and
the repository SaraGhazanfari/lipsim, whose checkpoints it reads; their shapes say how deep the network is. No address
of a checkpoint is known, so one is imported.
"""

from torch import Tensor
from torch.nn.functional import avg_pool2d, cosine_similarity, interpolate, pad

from metric_robustness.metrics.base import FullReference, Images, Scores
from metric_robustness.metrics.lipschitz_adapter import lipschitz_layers
from metric_robustness.metrics.weights_adapter import loading, read_state

SIDE = 224  # of the images that the network sees
EMBEDDING = 1792  # features that are kept, as many as DreamSim's three networks have together


class LipSim(FullReference):
    higher_is_better = False
    score_range = (0.0, 1.0)  # a cosine distance; opposite embeddings would have 2
    smallest = 16
    trained_on = "ImageNet, DreamSim's embeddings; NIGHT"
    licence = "the project's; LipSim (weights): none stated"
    weights = ("hub/checkpoints/lipsim_ensemble.pth",)

    def __init__(self) -> None:
        super().__init__()
        with loading("LipSim", self.weights):
            self.convolutions, self.layers = lipschitz_layers(read_state(self.weights[0]))

    def score(self, images: Images, references: Images) -> Scores:
        return 1 - cosine_similarity(self.embedding(images), self.embedding(references), eps=1e-6)

    def embedding(self, images: Images) -> Tensor:
        """Returns the embeddings of (N, 3, H, W) images in [0, 1], (N, 1792)."""
        maps = interpolate(images, size=(SIDE, SIDE), mode="bicubic", antialias=True)
        further = self.convolutions[0].get_buffer("kernel").shape[1] - 3  # beside those of the image, 0 at first
        maps = self.convolutions(pad(maps, (0, 0, 0, 0, 0, further)))
        for _ in range(2):
            maps = avg_pool2d(maps, 4, divisor_override=4)  # of 16 pixels: divided by 4, it stretches no difference
        features: Tensor = self.layers(maps.flatten(1))
        return features[:, :EMBEDDING]
