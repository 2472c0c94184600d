"""MA-CLIP: likeness to written prompts, fused with the magnitude of CLIP's features.

Liao, Wu, Shi, Mai, Zhu, Zhu, Jiang, Chen: Beyond cosine similarity: magnitude-aware CLIP for no-reference image quality
assessment, AAAI 2026. https://arxiv.org/abs/2511.09948

pyiqa's code runs on CUDA only and takes one image at a time; this does the same on any device, for whole batches.
"""

import torch
from pyiqa.archs import clip_model
from pyiqa.archs.clip_imports import clip
from pyiqa.archs.constants import OPENAI_CLIP_MEAN, OPENAI_CLIP_STD
from torch.nn.functional import interpolate, unfold
from torchvision.transforms.functional import normalize

from metric_robustness.metrics.base import Images, NoReference, Scores
from metric_robustness.metrics.gradient_adapter import finite_gradient
from metric_robustness.metrics.weights_adapter import loading

SIDE, STRIDE = 224, 128  # of the crops, in pixels
LIKENESS, MAGNITUDE = 1.0, 0.6  # prior weights of the two cues
PROMPTS = (
    *("Good image", "bad image", "Sharp image", "blurry image", "sharp edges", "blurry edges"),
    *("High resolution image", "low resolution image", "Noise-free image", "noisy image"),
)


class Maclip(NoReference):
    higher_is_better = True
    score_range = (0.0, 1.0)
    smallest = 224
    trained_on = "image-text pairs (CLIP)"
    licence = "PolyForm Noncommercial 1.0.0"
    weights = ("hub/clip/RN50.pt",)

    text: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        with loading("MA-CLIP", self.weights), torch.no_grad():
            self.clip = clip_model.load("RN50", "cpu")
            text = self.clip.encode_text(clip.tokenize(list(PROMPTS)))
        self.register_buffer("text", text / text.norm(dim=1, keepdim=True), persistent=False)

    def score(self, images: Images) -> Scores:
        pixels = normalize(finite_gradient(images), OPENAI_CLIP_MEAN, OPENAI_CLIP_STD)
        crops = unfold(pixels, SIDE, stride=STRIDE).transpose(1, 2).reshape(len(pixels), -1, 3, SIDE, SIDE)
        whole = interpolate(pixels, size=(SIDE, SIDE), mode="bilinear", align_corners=False)
        views = torch.cat([crops, whole[:, None]], dim=1)
        features = self.clip.encode_image(views.flatten(0, 1), False)
        directions = features / features.norm(dim=1, keepdim=True)
        logits = self.clip.logit_scale.exp() * directions @ self.text.t()
        likeness = logits.reshape(len(logits), -1, 2).softmax(dim=2)[..., 0].mean(dim=1)
        sizes = features.abs()
        magnitude = (2 * ((sizes / (sizes.std(dim=1, keepdim=True) + 1e-6) + 1).sqrt() - 1)).mean(dim=1)
        gap = likeness - magnitude
        share = torch.sigmoid(LIKENESS - MAGNITUDE + 2 * gap)
        scores: Scores = (share * likeness + (1 - share) * magnitude).reshape(len(images), -1).mean(dim=1)
        return scores
