"""Images as a notebook has them, as a data set of the engine or as tensors.

The engine reads files, so that rows are those of the command line: what is no file yet becomes an 8-bit PNG.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset as TorchDataset

from metric_robustness.metrics.base import Images
from metric_robustness.pipeline.data.dataset import Dataset, dataset_of, open_dataset
from metric_robustness.pipeline.data.images import decode, write_png
from metric_robustness.pipeline.data.units import Members, members_of, units_below
from metric_robustness.pipeline.errors import BenchError

# A data set's name, a folder or a file; (N, 3, H, W) or (3, H, W) in [0, 1], or 8-bit (N, H, W, 3) or (H, W, 3), each
# in the other's order, too; (H, W), grey; paths, tensors, arrays, PIL images, or tuples that begin with one, one after
# the other, as a list, a generator, a torch Dataset or a DataLoader gives them.
GivenImages: TypeAlias = str | Path | Tensor | np.ndarray[Any, Any] | Image.Image | Iterable[Any] | TorchDataset[Any]
MUST = "images must be a path, tensors or arrays of 3 channels or grey, PIL images, or several of these in order"
IN_PNG = {"1", "L", "LA", "P", "RGB", "RGBA", "I;16"}  # PIL's modes that PNG holds as they are


def dataset_from(
    images: GivenImages,
    folder: Path,
    references: GivenImages | None = None,
    limit: int | None = None,
) -> Dataset:
    """Returns the data set of some images.

    Args:
        images: The images.
        folder: Where images that are no files are written to.
        references: Their originals, in the same order, or in a folder under the same names.
        limit: So many of them, always the same; None takes all.

    Raises:
        BenchError: If they are something else than images, or not as many originals as images.
        DataError: If no image can be used.
    """
    if references is None and isinstance(images, str | Path):
        return open_dataset(str(images), limit)
    given = _members(images, folder / "images")
    title = Path(images).expanduser().resolve().name if isinstance(images, str | Path) else "images"
    originals = None if references is None else _originals(given, references, folder / "references")
    return dataset_of(title, given, originals, limit)


def tensors_from(images: GivenImages) -> Images:
    """Returns images of equal size as (N, 3, H, W) float32 on the 256 levels; tensors stay on their device.

    Raises:
        BenchError: If they are something else than images, or of several sizes.
    """
    found = [_tensor(each) for each in _each(images)]
    if len(sizes := {tuple(each.shape) for each in found}) != 1:
        raise BenchError(
            f"images must be of one size, and at least one; got {len(sizes)} sizes: attack them one by one"
        )
    return torch.stack(found)


def _members(images: GivenImages, folder: Path) -> Members:
    """Returns the files of images, in order; writes those that are no files yet."""
    if isinstance(images, str | Path):
        path = Path(images).expanduser()
        if not path.exists():
            raise BenchError(f"{path} must be a folder or a file; nothing is there: correct the path")
        return units_below(path) if path.is_dir() else members_of({path.name: path})
    found: dict[str, Path] = {}
    for index, each in enumerate(_each(images)):
        if isinstance(each, str | Path):
            path = Path(each).expanduser()
            name = path.name if path.name not in found else f"{index:04}-{path.name}"
        else:
            path = folder / f"{index:04}.png"
            if isinstance(each, Image.Image):
                path = _saved(each, path)
            else:
                write_png(_tensor(each), path)
            name = path.name
        found[name] = path
    return members_of(found)


def _originals(members: Members, references: GivenImages, folder: Path) -> dict[str, Path]:
    """Returns the original of each image by the image's name."""
    names = [unit.name for unit in members.units]
    found = {unit.name: unit.files[unit.name] for unit in _members(references, folder).units}
    if isinstance(references, str | Path) and Path(references).expanduser().is_dir():
        if absent := [name for name in names if name not in found]:
            raise BenchError(f"references must hold an original of each image; {absent[0]} has none: add {absent[0]}")
        return {name: found[name] for name in names}
    if len(found) != len(names):
        raise BenchError(f"references must be as many as images, {len(names)}; got {len(found)}: give each its own")
    return dict(zip(names, found.values(), strict=True))


def _each(images: GivenImages) -> Iterable[Any]:
    """Yields one image after the other; of a tuple, as a torch Dataset holds, the first part; of a batch, its images.

    Raises:
        BenchError: If they are something else than images, or have no order.
    """
    if isinstance(images, str | Path | Image.Image):
        return [images]
    if isinstance(images, Tensor) or (isinstance(images, np.ndarray) and images.dtype.kind not in "OSU"):
        return list(images) if images.ndim == 4 else [images]
    if isinstance(images, Mapping | Set):
        raise BenchError(f"{MUST}; got {type(images).__name__}: give a list, whose order names images and originals")
    held: Any = images
    if isinstance(images, TorchDataset) and hasattr(images, "__getitem__") and hasattr(images, "__len__"):
        held = (images[index] for index in range(len(images)))  # PyTorch's have no end of their own
    elif not isinstance(images, Iterable):
        raise BenchError(f"{MUST}; got {type(images).__name__}")
    firsts = (each[0] if isinstance(each, tuple | list) and each else each for each in held)
    return chain.from_iterable(each if _is_batch(each) else [each] for each in firsts)


def _is_batch(image: Any) -> bool:
    return isinstance(image, Tensor | np.ndarray) and image.ndim == 4


def _tensor(image: Any) -> Tensor:
    """Returns one image as (3, H, W) float32 on the 256 levels, without a gradient."""
    if isinstance(image, Image.Image):
        with TemporaryDirectory() as folder:
            return _tensor(_saved(image, Path(folder) / "image"))
    if isinstance(image, str | Path):
        image = decode(Path(image).expanduser())
    given = image
    if isinstance(image, np.ndarray) and image.dtype.kind in "biuf":
        image = torch.from_numpy(image.copy())  # PyTorch warns of arrays that must not be written to
    found = image.detach() if isinstance(image, Tensor) else torch.empty(0)
    if found.ndim == 2:
        found = found.expand(3, *found.shape)
    if found.ndim == 3 and found.shape[0] != 3 and found.shape[-1] == 3:
        found = found.permute(2, 0, 1)
    whole = found.dtype == torch.uint8
    if found.ndim != 3 or found.shape[0] != 3 or not (whole or found.is_floating_point()):
        raise BenchError(f"{MUST}; got {_described(given)}")
    if whole:
        return found.float() / 255
    if not (found.min() >= 0 and found.max() <= 1):  # NaN fails as well
        raise BenchError(
            f"images of real numbers must lie in [0, 1]; got {float(found.min()):.4g} to {float(found.max()):.4g}: "
            "divide by 255, or undo the normalisation"
        )
    return found.float().mul(255).round().div(255)


def _described(image: Any) -> str:
    """Returns what an image that cannot be used is, and how to make it one."""
    kind, shape = type(image).__name__, tuple(getattr(image, "shape", ()))
    dtype = str(getattr(image, "dtype", "")).removeprefix("torch.")
    told = f"{kind} of {dtype} and shape {shape}" if dtype else kind
    channels = {shape[0], shape[-1]} if len(shape) == 3 else set()
    if 3 in channels or len(shape) == 2:
        return f"{told}: make it uint8, or floats in [0, 1]"
    return f"{told}: drop or flatten its alpha" if 4 in channels else told


def _saved(image: Image.Image, stem: Path) -> Path:
    """Writes a PIL image as a file without loss and returns its path, so that what counts for files counts for it.

    Its colour profile, its turn and its transparency go with it; what a file of its kind is refused for, it is, too.
    """
    kept: dict[str, Any] = {"icc_profile": image.info.get("icc_profile"), "exif": image.getexif()}
    path = stem.with_suffix(".png" if image.mode in IN_PNG else ".tif")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        image.save(path, **{name: held for name, held in kept.items() if held})
    except (OSError, KeyError, ValueError) as error:
        raise BenchError(f"{MUST}; got a PIL image that cannot be used: {str(error).partition(chr(10))[0]}") from error
    return path
