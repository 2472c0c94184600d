"""Shared base of Q-Align's precisions: passes tensors to the language model, so that pixels have a gradient.

pyiqa converts the image to PIL and scores it in inference mode; neither passes a gradient. Here the image is padded to
a square, resized and normalised as a tensor, which differs from PIL's resizing by rounding only.
"""

from __future__ import annotations

import torch
from pyiqa.archs.q_align.modeling_mplug_owl2 import IMAGE_TOKEN_INDEX, tokenizer_image_token
from torch.nn.functional import interpolate
from torchvision.transforms.functional import normalize

from metric_robustness.metrics.base import Images, Scores
from metric_robustness.metrics.gradient_adapter import finite_gradient
from metric_robustness.metrics.pyiqa_adapter import PyiqaNoReference

QUESTION = "USER: How would you rate the quality of this image?\n<|image|>\nASSISTANT: The quality of the image is"
RATINGS = (5.0, 4.0, 3.0, 2.0, 1.0)  # excellent, good, fair, poor, bad


class Qalign(PyiqaNoReference):
    """The mean rating of the five words that may follow the question, weighted by their probabilities."""

    higher_is_better = True
    score_range = (1.0, 5.0)
    smallest = 32
    cost = "heavy"
    trained_on = "KonIQ-10k, SPAQ, KADID-10k, AVA, LSVQ"
    licence = "PolyForm Noncommercial 1.0.0; Q-Align: S-Lab 1.0; weights MIT"
    weights = ("huggingface/q-future/one-align/config.json",)  # it loads the shards in the same folder too

    def score(self, images: Images) -> Scores:
        model = self.net.model
        ids = tokenizer_image_token(QUESTION, model.tokenizer, IMAGE_TOKEN_INDEX, return_tensors="pt")
        asked = ids.to(images.device).repeat(len(images), 1)
        logits = model(asked, images=self.prepared(images))["logits"][:, -1, model.preferential_ids_]
        scores: Scores = logits.float().softmax(dim=1) @ torch.tensor(RATINGS, device=images.device)
        return scores

    def prepared(self, images: Images) -> Images:
        """Returns the images on a square of CLIP's mean colour, resized and normalised for the visual encoder.

        (N, 3, H, W) in [0, 1] become (N, 3, S, S) in the model's own type.
        """
        processor = self.net.image_processor
        colour = torch.tensor([int(255 * mean) / 255 for mean in processor.image_mean], device=images.device)
        height, width = images.shape[2:]
        longer = max(height, width)
        square = colour[:, None, None].expand(len(images), 3, longer, longer).clone()
        top, left = (longer - height) // 2, (longer - width) // 2
        square[..., top : top + height, left : left + width] = finite_gradient(images)
        side = processor.crop_size["height"]
        resized = interpolate(square, size=(side, side), mode="bicubic", antialias=True, align_corners=False).clamp(
            0, 1
        )
        prepared: Images = normalize(resized, processor.image_mean, processor.image_std).to(self.net.model_dtype)
        return prepared
