"""DISCO: repaints every pixel from the features around it by a local implicit function.

Ho, Vasconcelos. DISCO: adversarial defense with local implicit functions. NeurIPS, 2022.
https://arxiv.org/abs/2212.05630
The authors trained the published model on attacks (PGD) on a classifier of ImageNet.
"""

from dataclasses import dataclass

from torch import nn

from metric_robustness.defences.base import DefenceNoise, Images
from metric_robustness.defences.network_adapter import NetworkDefence, State, read
from metric_robustness.defences.networks import disco


@dataclass(frozen=True)
class Disco(NetworkDefence):
    weights = ("hub/checkpoints/disco_pgd.pth",)
    cost = "heavy"
    gpu_memory = 8
    licence = "none stated (chihhuiho/disco)"

    @classmethod
    def untrained(cls) -> nn.Module:
        return disco.DiscoNetwork()

    @classmethod
    def state(cls) -> State:
        return disco.from_published(read(cls.weights[0])["model"]["sd"])

    def purify(self, images: Images, noise: DefenceNoise) -> Images:
        repainted: Images = self.network(images)(2 * images - 1)
        return ((repainted + 1) / 2).clamp(0, 1)
