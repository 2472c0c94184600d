"""Shared base of the metrics that compare an image with prompts learned in CLIP's space."""

import torch

from metric_robustness.metrics.pyiqa_adapter import Constant, PyiqaNoReference


class LearnedPrompts(PyiqaNoReference):
    """A pyiqa metric with a prompt learner; encodes the prompts once, where pyiqa encodes them for every batch."""

    def __init__(self) -> None:
        super().__init__()
        learner = self.net.get_submodule("prompt_learner")
        with torch.no_grad():
            self.net.prompt_learner = Constant(learner(self.hidden_networks[0]))
