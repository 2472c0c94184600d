"""What chaos disturbs: calls of the command line, the files that they leave, and what of these is a result."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import skimage
from PIL import Image
from scratch import BRIGHTNESS, DISTANCE

MOVING = '''
"""Moving: how bright the brightest moments of a clip are."""

import torch
from torch import Tensor

from metric_robustness.metrics.base import Images, Scores, VideoMetric


class Moving(VideoMetric):
    higher_is_better = True
    score_range = (0.0, 1.0)

    def features(self, frames: Images, references: Images | None = None) -> Tensor:
        return (frames.square() * (1 + frames.flip(3))).mean(dim=(1, 2, 3))[:, None]

    def pool(self, features: Tensor) -> Scores:
        return features[..., 0].logsumexp(dim=1) / 5
'''
VOLATILE = {"seconds", "purifying", "gpu_memory", "machine", "commit", "finished", "seal"}  # differ between equal runs
RESULTS = (
    "out/[a-z]*/*.csv",
    "out/*.csv",
    "out/*.md",
    "out/images/**/*.*",
    "out/fits/**/*.safetensors",
    "net*.safetensors",
)
STAMPS = ("out/[a-z]*/*.json", "out/fits/*/*.json")


@dataclass(frozen=True)
class Scenario:
    """Calls that are disturbed.

    Attributes:
        calls: The calls, made of the folder that they work in.
        kinds: Patterns of the files of each kind that is damaged, below that folder.
        without: A folder that is removed before the damage, so that the calls have only the damaged copy.
        before: The calls that make what is damaged where that is the user's own, so that a call may refuse it.
    """

    calls: Callable[[Path], list[list[str]]]
    kinds: Mapping[str, str]
    without: str = ""
    before: Callable[[Path], list[list[str]]] | None = None


def scenarios(folder: Path) -> dict[str, Scenario]:
    """Returns all scenarios, with metrics and images in a folder, which is the project of the calls."""
    for name, text in {"brightness": BRIGHTNESS, "distance": DISTANCE, "moving": MOVING}.items():
        file = folder / "metrics" / f"{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.lstrip(), encoding="utf-8")
    photos, films = write_photos(folder / "photos"), write_clips(folder / "films")

    def images(where: Path) -> list[list[str]]:
        chosen = ["--metrics", "brightness,distance", "--attacks", "fgsm,noise", "--dataset", str(photos)]
        return [["run", *chosen, "--save-images", "--batch", "1", *places(where)]]

    def plain(where: Path) -> list[list[str]]:
        return [[word for word in words if word != "--save-images"] for words in images(where)]

    def clips(where: Path) -> list[list[str]]:
        chosen = ["--metrics", "moving", "--attacks", "fgsm,ifgsm", "--dataset", str(films)]
        return [["run", *chosen, "--batch", "2", *places(where)]]

    def universal(where: Path) -> list[list[str]]:
        few = [word for each in ("crop=16", "batch=2", "epochs=40", "least_steps=1") for word in ("--set", each)]
        fit = ["fit", "optimized_uap", "brightness", "--train", str(photos), *few, "--checkpoint-every", "0"]
        chosen = ["--metrics", "brightness", "--attacks", "optimized_uap", "--dataset", str(photos)]
        run = ["run", *chosen, "--train", str(photos), *few, *places(where)]
        return [[*fit, "--out", str(where / "out"), "--store", str(where / "store")], run]

    def sent(where: Path) -> list[list[str]]:
        chosen = ["--metrics", "brightness", "--attacks", "fgsm,noise", "--dataset", str(photos)]
        return [["run", *chosen, "--save-images", "--out", str(where / "sent")]]

    def saved(where: Path) -> list[list[str]]:
        made = ["--from-images", str(where / "sent" / "images"), "--metrics", "brightness"]
        return [["run", *made, "--out", str(where / "out")]]

    def training(where: Path) -> list[list[str]]:
        sources = [
            Path(skimage.__file__).parent / "data" / f"{name}.png" for name in ("astronaut", "chelsea", "coffee")
        ]
        shown = [word for source in sources for word in ("--images", str(source))]
        size = ["--samples", "6", "--epochs", "4", "--crop", "64"]
        return [["train", "small_cnn", *shown, *size, "--out", str(where / "net.safetensors"), "--work", str(where)]]

    own, shared = "out/.work/*", "store"
    return {
        "images": Scenario(
            images,
            {
                "checkpoint": f"{own}/[!c]*.jsonl",
                "clear scores": f"{own}/clear-*.jsonl",
                "probe": f"{own}/clear-*.probe",
                "stamp": "out/[a-h]*/*.json",
                "CSV": "out/[a-h]*/*.csv",
                "record cache": f"{own}/scored.records",
                "saved image": "out/images/**/*.png",
                "manifest of images": "out/images/**/manifest.csv",
            },
        ),
        "clips": Scenario(
            clips,
            {
                "checkpoint of clips": f"{own}/[!c]*.jsonl",
                "attacked window": f"{own}/*/*/0*.array",
                "feature cache": f"{own}/features-*/*.array",
            },
        ),
        "universal": Scenario(
            universal,
            {
                "fit checkpoint": f"{own}/fit-*.checkpoint",
                "pattern": "out/fits/*/*.safetensors",
                "fit stamp": "out/fits/*/*.json",
            },
        ),
        "store": Scenario(plain, {"store object": f"{shared}/*/*/*/*"}, without="out"),
        "store of patterns": Scenario(universal, {"stored pattern": f"{shared}/fits/*/*/*"}, without="out"),
        "saved": Scenario(
            saved,
            {
                "image that was sent in": "sent/images/**/*.png",
                "manifest that was sent in": "sent/images/**/manifest.csv",
            },
            without="out",
            before=sent,
        ),
        "training": Scenario(
            training,
            {"training checkpoint": "small_cnn/checkpoint.pt", "cached samples": "samples-*/*"},
        ),
    }


def places(where: Path) -> list[str]:
    """Returns the options that say where a run writes."""
    return ["--out", str(where / "out"), "--store", str(where / "store"), "--keep-every", "0"]


def result(folder: Path) -> dict[str, object]:
    """Returns what an undisturbed call would have left, too: file -> its content, without what no two runs share."""
    found: dict[str, object] = {}
    for pattern in RESULTS:
        found |= {str(file.relative_to(folder)): file.read_bytes() for file in folder.glob(pattern) if file.is_file()}
    if "out/scores.csv" in found:
        with (folder / "out" / "scores.csv").open(encoding="utf-8", newline="") as file:
            found["out/scores.csv"] = [
                {name: text for name, text in line.items() if name not in VOLATILE} for line in csv.DictReader(file)
            ]
    for pattern in STAMPS:
        for file in folder.glob(pattern):
            about = json.loads(file.read_bytes())
            found[str(file.relative_to(folder))] = {key: about[key] for key in about if key not in VOLATILE}
    return found


def write_photos(folder: Path) -> Path:
    """Writes four tiny photographs in two sizes."""
    folder.mkdir(parents=True)
    for name, size in {"astronaut": (20, 16), "chelsea": (17, 24), "coffee": (20, 16), "ihc": (17, 24)}.items():
        with Image.open(Path(skimage.__file__).parent / "data" / f"{name}.png") as image:
            image.convert("RGB").resize(size).save(folder / f"{name}.png")
    return folder


def write_clips(folder: Path) -> Path:
    """Writes two clips in which a camera pans over a photograph."""
    folder.mkdir(parents=True)
    with Image.open(Path(skimage.__file__).parent / "data" / "astronaut.png") as image:
        pixels = np.asarray(image.convert("RGB").resize((64, 64)))
    for start in (4, 24):
        with av.open(str(folder / f"pan{start}.mkv"), "w") as container:
            stream = container.add_stream("ffv1", rate=25)
            stream.width, stream.height, stream.pix_fmt = 32, 24, "yuv444p"
            for number in range(6):
                part = np.ascontiguousarray(pixels[start : start + 24, 2 * number : 2 * number + 32])
                container.mux(stream.encode(av.VideoFrame.from_ndarray(part, "rgb24")))
            container.mux(stream.encode(None))
    return folder
