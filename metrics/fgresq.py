"""FGResQ: two CLIP encoders, one that knows the degradation, for fine differences between restored images.

Sheng, Pan, Yang, Chen, Li: Fine-grained image quality assessment for perceptual image restoration, AAAI 2026.
https://arxiv.org/abs/2508.14475

pyiqa's code uses an attribute of CLIP that newer versions of transformers lack; this code works with old and new ones.
For a pair of images, FGResQ gives each image's quality and a discrete rank. Only the quality can be attacked, so this
is the one entry.
"""

from copy import deepcopy
from typing import Any

import torch
from pyiqa.archs import fgresq_arch
from pyiqa.archs.constants import OPENAI_CLIP_MEAN, OPENAI_CLIP_STD
from torch import Tensor, nn
from torch.nn.functional import interpolate
from torchvision.transforms.functional import center_crop, normalize
from transformers import CLIPVisionModel

from metric_robustness.metrics.base import Images, NoReference, Scores
from metric_robustness.metrics.gradient_adapter import finite_gradient
from metric_robustness.metrics.weights_adapter import loading

RESIZED, CROPPED = 256, 224  # sides in pixels
SLOPE = 0.3  # of the logistic function at the end


class Fgresq(NoReference):
    higher_is_better = True
    score_range = (0.0, 1.0)
    cost = "heavy"
    trained_on = "FGRestore"
    licence = "PolyForm Noncommercial 1.0.0"
    weights = (
        "huggingface/openai/clip-vit-base-patch16/config.json",
        "huggingface/openai/clip-vit-base-patch16/pytorch_model.bin",
        "hub/pyiqa/FGResQ_Degradation.pth",
        "hub/pyiqa/FGResQ.pth",
    )

    def __init__(self) -> None:
        super().__init__()
        with loading("FGResQ", self.weights):
            model: Any = CLIPVisionModel.from_pretrained("openai/clip-vit-base-patch16")
            self.clip_model: Any = getattr(model, "vision_model", model)
            self.task_cls_clip = deepcopy(self.clip_model)
            width = model.config.hidden_size
            self.task_mlp = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
            self.prompt = nn.Parameter(torch.rand(1, width))
            self.prompt_mlp = nn.Linear(width, width)
            self.head = nn.Linear(3 * width, 1)
            _load(self.task_cls_clip, "degradation", "clip_model.")
            _load(self, "fgresq")

    def score(self, images: Images) -> Scores:
        resized = interpolate(finite_gradient(images), size=(RESIZED, RESIZED), mode="bilinear", align_corners=False)
        pixels = normalize(center_crop(resized, [CROPPED, CROPPED]), OPENAI_CLIP_MEAN, OPENAI_CLIP_STD)
        seen: Tensor = self.clip_model(pixel_values=pixels).pooler_output
        degradation: Tensor = self.task_cls_clip(pixel_values=pixels).pooler_output
        task = self.prompt_mlp(self.task_mlp(degradation).softmax(dim=1) * self.prompt)
        return torch.sigmoid(SLOPE * self.head(torch.cat([seen, task, seen + task], dim=1)))[:, 0]


def _load(module: nn.Module, file: str, prefix: str = "") -> None:
    """Loads pyiqa's file into a module, without what the module has no place for: the head for pairs.

    Raises:
        ValueError: If the file lacks a tensor of the module.
    """
    state = fgresq_arch.load_checkpoint(fgresq_arch.load_file_from_url(fgresq_arch.default_model_urls[file]))
    state = {name.removeprefix(prefix).replace("vision_model.", ""): value for name, value in state.items()}
    missing = module.load_state_dict(state, strict=False).missing_keys
    if missing:
        raise ValueError(f"{file} lacks {len(missing)} tensors, such as {missing[0]}")
