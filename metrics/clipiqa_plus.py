"""CLIP-IQA+: similarity to learned prompts for good and bad, with CLIP's ResNet-50.

Wang, Chan, Loy: Exploring CLIP for assessing the look and feel of images, AAAI 2023.
https://arxiv.org/abs/2207.12396
"""

import torch

from metrics.pyiqa_adapter import Constant, PyiqaNoReference


class ClipiqaPlus(PyiqaNoReference):
    model = "clipiqa+"
    higher_is_better = True
    score_range = (0.021, 0.983)
    smallest = 32
    weights = (
        "hub/clip/RN50.pt",
        "hub/pyiqa/CLIP-IQA+_learned_prompts-603f3273.pth",
    )

    def __init__(self) -> None:
        super().__init__()
        learner = self.net.get_submodule("prompt_learner")
        with torch.no_grad():  # pyiqa reads the same two prompts anew for every batch
            self.net.prompt_learner = Constant(learner(self.beside[0]))
