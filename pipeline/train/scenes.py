"""Scenes: shapes filled with parts of photographs, so that a few photographs make any number of contents.

Overlapping shapes of many sizes have the edges and the scales of photographs (Lee, Mumford, Huang, "Occlusion models
for natural images", IJCV 2001); their fillings have every contrast, from smooth to busy.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from metric_robustness.pipeline.data.videos.video import Pixels
from metric_robustness.pipeline.train.distortions import rounded

FINER = 2  # scenes are drawn so many times larger, for smooth edges
PARTS = (15, 90)  # shapes in a scene
RADII = ((8, 80), (100, 400))  # of the smallest and the largest shapes of a scene, in pixels of a side of 512
CONTRASTS = (0.03, 1.3)  # of the fillings: from nearly smooth to more than the photograph's
PART = 64  # smallest side of a filling in the photograph


def scene(photographs: Mapping[str, Pixels], side: int, random: np.random.Generator) -> Pixels:
    """Returns a scene of (side, side, 3), 8 bits; in half of the scenes shapes at the back are blurred.

    Args:
        photographs: At least 64 pixels high and wide, by name.
        side: In pixels.
        random: Draws everything; the same state gives the same scene.
    """
    whole, names = FINER * side, sorted(photographs)
    smallest, largest = (random.uniform(*radii) * whole / 512 for radii in RADII)
    contrast = math.exp(random.uniform(*np.log(CONTRASTS)))
    deep = random.random() < 0.5
    canvas = Image.new("RGB", (whole, whole))
    for number in range(int(random.integers(*PARTS))):
        photograph = photographs[str(random.choice(names))]
        if number == 0:  # behind all others
            canvas.paste(_filling(photograph, whole, contrast, random))
            continue
        # Radii r of a density of 1 / r^3, which looks alike at every scale.
        radius = (smallest**-2 + random.random() * (largest**-2 - smallest**-2)) ** -0.5
        width = max(min(int(2 * radius), whole), 2)
        filling, shape = _filling(photograph, width, contrast, random), _shape(width, random)
        left, top = (int(random.uniform(-width / 2, whole - width / 2)) for _ in range(2))
        if deep and random.random() < 0.3:
            canvas = canvas.filter(ImageFilter.GaussianBlur(random.uniform(0.5, 4)))
        canvas.paste(filling, (left, top), shape)
    seen = canvas.filter(ImageFilter.GaussianBlur(random.uniform(0.2, 0.9))).resize((side, side), Image.Resampling.BOX)
    grain = random.normal(0, random.uniform(0.2, 2.5), (side, side, 3))
    return rounded(np.asarray(seen) + grain)


def _filling(photograph: Pixels, width: int, contrast: float, random: np.random.Generator) -> Image.Image:
    """Returns a part of a photograph, scaled to a square, with another contrast and shading."""
    side = int(random.integers(PART, min(photograph.shape[:2]) + 1))
    top, left = (int(random.integers(length - side + 1)) for length in photograph.shape[:2])
    part = photograph[top : top + side, left : left + side]
    colour = part.reshape(-1, 3)[int(random.integers(side * side))]
    texture = np.asarray(Image.fromarray(part).resize((width, width), Image.Resampling.BICUBIC)).astype(np.float64)
    texture = (texture - texture.mean(axis=(0, 1))) * contrast * math.exp(random.normal(0, 0.7))
    slopes = random.normal(size=2) * random.uniform(0, 80) * width / 512
    rows, columns = np.mgrid[0:width, 0:width] / width - 0.5
    return Image.fromarray(rounded(colour + texture + (slopes[0] * rows + slopes[1] * columns)[..., None]))


def _shape(width: int, random: np.random.Generator) -> Image.Image:
    """Returns the mask of a disc, a polygon or a bar."""
    mask = Image.new("L", (width, width))
    draw, kind, half = ImageDraw.Draw(mask), random.integers(3), width / 2
    if kind == 0:
        draw.ellipse((0, 0, width - 1, width - 1), fill=255)
    elif kind == 1:
        angles = np.sort(random.uniform(0, 2 * math.pi, int(random.integers(3, 7))))
        draw.polygon([(half + half * math.cos(angle), half + half * math.sin(angle)) for angle in angles], fill=255)
    else:
        reach = width * random.uniform(0.05, 0.4)
        draw.rectangle((0, half - reach, width - 1, half + reach), fill=255)
        mask = mask.rotate(random.uniform(0, 180))
    return mask
