"""R-LPIPS: LPIPS (AlexNet) after adversarial training of its features and their weights.

Ghazanfari, Garg, Krishnamurthy, Khorrami, Araujo: R-LPIPS: an adversarially robust perceptual similarity metric, 2023.
https://arxiv.org/abs/2307.15157

The authors' code trains it (github.com/SaraGhazanfari/R-LPIPS, train.py --train_trunk, latest_net_.pth); no address of
a trained file is known, so one is imported.
"""

from metric_robustness.metrics.pyiqa_adapter import PyiqaFullReference
from metric_robustness.metrics.weights_adapter import loading, read_state


class RLpips(PyiqaFullReference):
    model = "lpips"
    options = {"pretrained": False}  # the last weights below replace all others
    higher_is_better = False
    score_range = (0.0, 1.59)
    smallest = 33
    trained_on = "BAPPS, attacked within 8/255"
    licence = "PolyForm Noncommercial 1.0.0; LPIPS: BSD-2-Clause; R-LPIPS: none stated"
    weights = ("hub/checkpoints/alexnet-owt-7be5be79.pth", "hub/checkpoints/r_lpips_alex_linf.pth")

    def __init__(self) -> None:
        super().__init__()
        with loading("R-LPIPS", self.weights):
            self.net.load_state_dict(read_state(self.weights[-1]))
