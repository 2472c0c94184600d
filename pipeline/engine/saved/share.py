"""Saved attacked images as a folder that programs for data sets load: Hugging Face's `imagefolder` layout.

https://huggingface.co/docs/datasets/image_dataset describes it: images beside a `metadata.csv` that names them.
"""

from __future__ import annotations

import csv
import io
import os
import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from metric_robustness.pipeline.engine.saved.manifest import SavedImage, read_manifests
from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.files import plain_errors, write_atomically

SPLIT = "test"
IMAGES = {"file": "file_name", "clear": "clear_file_name", "reference": "reference_file_name"}  # ours -> theirs
TOLD = {  # theirs -> ours: `image` is the picture itself there
    "name": "image",
    **{
        name: name
        for name in ("dataset", "clip", "mos", "rung", "metric", "defence", "attack", "variant", "train_dataset")
    },
    **{name: name for name in ("amplitude", "settings", "clear_score", "attacked_score", "psnr", "ssim", "linf")},
}
CARD = """\
---
configs:
- config_name: default
  data_dir: {split}
---
# Attacked images

{count} images that {attacks} changed to move the scores of {metrics}. `image` is the attacked one, `clear` what was
attacked, and where there is one, `reference` the original of that. `clear_score` and `attacked_score` are the metric's.

```python
from datasets import load_dataset

images = load_dataset("imagefolder", data_dir="{name}", split="{split}")
```
"""


def share(folder: Path, out: Path) -> int:
    """Copies saved images to a folder of their own with a table of what they are; returns how many there are.

    Files are named by their content: an image that many attacks began with is there once.

    Args:
        folder: What `run --save-images` wrote.
        out: The folder; must not exist, or be empty.

    Raises:
        BenchError: If `folder` holds no saved images, or `out` holds something.
        DataError: If an image is missing, foreign, damaged or changed.
        TransientError: If `out` cannot be written to.
    """
    manifests = read_manifests(folder)
    with plain_errors(out):
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise BenchError(f"--out must be a new or an empty folder; {out} holds something: choose another")
    images = [(own, image) for own, listed in manifests.items() for image in listed]
    text = io.StringIO()
    writer = csv.DictWriter(text, (*IMAGES.values(), *TOLD), lineterminator="\n")
    writer.writeheader()
    for own, image in images:
        told = {theirs: getattr(image, ours) for theirs, ours in TOLD.items()}
        writer.writerow({**_files(own, image, out / SPLIT), **told})
    attacks, metrics = (Counter(names) for names in zip(*((i.attack, i.source) for _, i in images), strict=True))
    card = CARD.format(
        split=SPLIT,
        count=len(images),
        name=out.name,
        attacks=", ".join(sorted(attacks)),
        metrics=", ".join(sorted(filter(None, metrics))) or "a metric that is not told",
    )
    write_atomically(out / "README.md", card)
    write_atomically(out / SPLIT / "metadata.csv", text.getvalue())  # last: without it the images are none
    return len(images)


def _files(own: Path, image: SavedImage, out: Path) -> Mapping[str, str]:
    """Copies the files of an image unless they are there; returns their names by column."""
    names = {}
    for ours, theirs in IMAGES.items():
        source, sha256 = getattr(image, ours), getattr(image, "sha256" if ours == "file" else f"{ours}_sha256")
        names[theirs] = f"images/{sha256.lower()}.png" if source else ""
        target = out / names[theirs]
        if source and not target.exists():
            with plain_errors(target):
                target.parent.mkdir(parents=True, exist_ok=True)
                part = target.with_suffix(".part")
                shutil.copyfile(own / source, part)
                os.replace(part, target)  # noqa: PTH105  # a copy that was cut short has no image's name
    return names
