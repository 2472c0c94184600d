"""PIQE: share and strength of visibly distorted blocks.

Venkatanath, Praneeth, Chandrasekhar, Channappayya, Medasani: Blind image quality evaluation using perception based
features, National Conference on Communications 2015. https://doi.org/10.1109/NCC.2015.7084843

Thresholds decide which blocks count, so there is no gradient.
"""

import torch

from metric_robustness.metrics.base import Images, NoReference, Scores
from metric_robustness.metrics.blocks_adapter import columns, deviation, even_edge, mirrored, structure_of
from metric_robustness.metrics.pixels_adapter import luma

SIDE = 16  # of a block, in pixels
ACTIVE = 0.1  # variance of a block above which the eye sees it
EVEN, SEGMENT = 0.1, 6  # deviation below which a segment of an edge is an artefact, and its pixels
CENTRE = (7, 8)  # columns of a block
SURROUND = (*range(7), 8, *range(10, SIDE))  # all but 7 and 9: MATLAB's program counts anew once it has left one out


class Piqe(NoReference):
    """Computes what pyiqa does, down to the rounding that decides for blocks next to a threshold."""

    higher_is_better = False
    score_range = (0.0, 100.0)
    differentiable = False
    smallest = 16
    trained_on = "nothing"
    licence = "PolyForm Noncommercial 1.0.0"
    verified = "the authors' scores of 5 images"

    def score(self, images: Images) -> Scores:
        shades = luma(images)
        levels = (255 * (shades / shades.amax(dim=(2, 3), keepdim=True))).round()
        structure = structure_of(mirrored(levels, SIDE))[:, 0]
        blocks = columns(structure, SIDE)
        variance = deviation(blocks).square()
        active = variance > ACTIVE
        weights = active * (even_edge(structure, SIDE, SEGMENT, EVEN) * (1 - variance) + noisy(blocks) * variance)
        scores = 100 * (weights.sum((1, 2)) + 1) / (active.sum((1, 2)) + 1)
        return scores.nan_to_num(nan=100.0)  # NaN is a black image; other flat images have 100


def noisy(blocks: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    """Returns which (N, rows, columns) blocks are noisy: as a whole, rather than about their centre."""
    spread = deviation(blocks)
    ratio = (deviation(blocks, CENTRE) / deviation(blocks, SURROUND)).nan_to_num()
    return spread > 2 * (spread - ratio).abs() / torch.maximum(spread, ratio)
