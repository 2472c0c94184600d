"""Faults of a metric that are seen without a score: what it returns, and parts in train mode."""

from __future__ import annotations

from torch import Tensor, nn

from metric_robustness.pipeline.contract.base import BrokenPromiseError


def require_scores(scores: object, count: int) -> None:
    """Raises BrokenPromiseError unless scores are a tensor of one number per image."""
    if not isinstance(scores, Tensor):
        raise BrokenPromiseError(
            f"score returns {type(scores).__name__} instead of a tensor: write differentiable = False and return "
            "torch.as_tensor(scores), or compute in torch"
        )
    shape = tuple(scores.shape)
    if shape == (count,):
        return
    if scores.numel() == 1:
        remedy = (
            "average over channels and pixels only, as in .mean(dim=(1, 2, 3)), or score the images one by one and "
            "return torch.stack(scores)"
        )
    elif shape[:1] == (count,) and scores.numel() == count:
        remedy = "return scores.flatten()"
    elif shape[:1] == (count,):
        remedy = "return scores.flatten(1).mean(dim=1)"
    else:
        remedy = "reduce over channels and pixels, never over the batch"
    raise BrokenPromiseError(f"{count} images give scores of shape {shape} instead of ({count},): {remedy}")


def parts_in_training(metric: nn.Module) -> list[str]:
    """Returns the names of the parts of a metric that are in train mode, also of those that `eval()` does not reach."""
    found = [name or "the metric itself" for name, part in metric.named_modules() if part.training]
    for name, value in vars(metric).items():
        held = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
        if name != "_modules" and any(isinstance(part, nn.Module) and part.training for part in held):
            found.append(f"what the {type(value).__name__} self.{name} holds")
    return found
