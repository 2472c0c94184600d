"""Stimuli like TID2013's, made from Kodak photographs, with the opinions on the originals of those stimuli.

They are an approximation: coders and noise seeds differ from the authors'. There are four of the 24 distortions, at the
peak signal-to-noise ratios that the authors aimed at.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from metric_robustness.pipeline.data.images import Pixels


def stimuli(data: Path) -> tuple[list[Pixels], list[float]]:
    """Returns 120 distorted images and their mean opinion scores, higher is better.

    Args:
        data: The folder of shared data.
    """
    facts = json.loads((data / "mos" / "tid2013_kodak_crops.json").read_text())
    with (data / "mos" / "meta_info_TID2013.csv").open(newline="") as file:
        opinions = {row["dist_name"].lower(): float(row["mos"]) for row in csv.DictReader(file)}
    (height, width), images, scores = facts["size_hw"], [], []
    for name, place in facts["crops_top_left"].items():
        with Image.open(data / "images" / "kodak24" / f"kodim{place['kodim']}.png") as image:
            whole = np.asarray(image.convert("RGB"))
        clear = whole[place["top"] : place["top"] + height, place["left"] : place["left"] + width]
        for kind in facts["regenerable_types"]:
            for level, psnr in enumerate(facts["levels_psnr_db"], start=1):
                made = jpeg2000(clear, psnr, RATES[name][level - 1]) if kind == "11" else MAKERS[kind](clear, psnr)
                images.append(made)
                scores.append(opinions[f"{name}_{int(kind):02d}_{level}.bmp".lower()])
    return images, scores


def noisy(clear: Pixels, psnr: float) -> Pixels:
    noise = np.random.default_rng(0).normal(0, 255 / 10 ** (psnr / 20), clear.shape)
    return (clear + noise).round().clip(0, 255).astype(np.uint8)


def blurred(clear: Pixels, psnr: float) -> Pixels:
    return searched(lambda sigma: gaussian_filter(clear, (sigma, sigma, 0)), 0.2, 12, clear, psnr)


def jpeg(clear: Pixels, psnr: float) -> Pixels:
    return searched(lambda worse: coded(clear, "JPEG", quality=round(100 - worse)), 1, 99, clear, psnr)


def jpeg2000(clear: Pixels, psnr: float, rate: float) -> Pixels:
    image = coded(clear, "JPEG2000", quality_mode="rates", quality_layers=[rate])
    off = ratio(image, clear) - psnr
    assert abs(off) < 0.1 or (rate == HIGHEST and off > 0), f"{off:.2f} dB off: search the rate anew"
    return image


MAKERS: dict[str, Callable[[Pixels, float], Pixels]] = {"1": noisy, "8": blurred, "10": jpeg}

# Compression rates of JPEG2000 for the five levels of each photograph. `searched` found them between 2 and 600; they
# are written down because the coder is slow. Where even 600 leaves too high a ratio, 600 is taken.
HIGHEST = 600
RATES = {
    "I01": (5.699, 8.703, 16.422, 44.758, 307.513),
    "I03": (41.864, 107.914, 325.128, 600, 600),
    "I04": (47.321, 152.427, 415.425, 600, 600),
    "I06": (7.446, 11.37, 20.294, 55.309, 454.149),
    "I08": (6.3, 9.201, 14.528, 26.514, 66.1),
    "I19": (11.12, 18.563, 33.878, 71.461, 194.76),
}


def searched(make: Callable[[float], Pixels], weak: float, strong: float, clear: Pixels, psnr: float) -> Pixels:
    """Returns the image whose PSNR is `psnr`, by bisection of the strength on a logarithmic scale."""
    for _ in range(9):
        middle = (weak * strong) ** 0.5
        if ratio(make(middle), clear) > psnr:
            weak = middle
        else:
            strong = middle
    return make(strong)


def ratio(image: Pixels, clear: Pixels) -> float:
    """Returns the peak signal-to-noise ratio in dB."""
    error = np.square(image.astype(np.float64) - clear).mean()
    return float(10 * np.log10(255**2 / error)) if error else np.inf


def coded(pixels: Pixels, form: str, **options: object) -> Pixels:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form, **options)
    return np.asarray(Image.open(buffer).convert("RGB"))
