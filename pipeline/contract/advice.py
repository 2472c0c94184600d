"""What the code of an entry raised, in one line, and what to change."""

from __future__ import annotations

import re
import traceback
from pathlib import Path

from metric_robustness.pipeline.catalogue.entry import INSTALL
from metric_robustness.pipeline.catalogue.lookup import is_shared
from metric_robustness.pipeline.catalogue.syntax import FOLDERS
from metric_robustness.pipeline.engine.batching import NO_GRADIENT, one_line

# What an error's type and message hold, and what mends its cause: who follows it must not end in another error.
REMEDIES = (
    (r"^SystemExit|^GeneratorExit", "raise ValueError with a message instead of ending the process"),
    (r"Can't call numpy\(\) on Tensor that requires grad|__array__.*requires grad", NO_GRADIENT),
    (
        r"not compiled with CUDA|NVIDIA driver|No CUDA|no CUDA|on a CUDA device|CUDA error|on the same device|"
        r"same device|Input type .* and weight type",
        "remove .cuda() and device names, since the pipeline moves the metric; keep fixed tensors with "
        'self.register_buffer, make new ones with device=images.device, load files with map_location="cpu"',
    ),
    (
        r"FileNotFoundError|No such file",
        'put the file into metrics/weights, declare it in the class as weights = ("weights/FILE",), and load it from '
        'Path(__file__).parent / "weights/FILE"',
    ),
    (
        r"ModuleNotFoundError|No module named",
        INSTALL,
    ),
    (
        r"score\(\) missing 1 required positional argument",
        "inherit from FullReference instead of NoReference, and import it from metric_robustness.metrics.base",
    ),
    (
        r"score\(\) takes 2 positional arguments but 3 were given",
        "inherit from NoReference instead of FullReference, or write score(self, images, references)",
    ),
    (r"leaf Variable that requires grad.* in-place", "begin with images = images.clone()"),
    (r"Can't instantiate abstract class .*\bscore\b", "name the function score(self, images), and define no forward"),
    (r"Can't instantiate abstract class", "write the functions that it names"),
    (r"before Module.__init__\(\) call", "begin __init__ with super().__init__()"),
)


def raised(error: BaseException) -> str:
    """Returns what was raised, and on which line of the entry's file."""
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if (path := Path(frame.filename)).parent.name in FOLDERS and not is_shared(path)
    ]
    where = f"line {lines[-1]} " if lines else ""
    return f"{where}raised {one_line(error)}"


def advice(error: BaseException) -> str:
    """Returns what mends the cause of an error that an entry's code raised."""
    message = one_line(error)
    found = (remedy for pattern, remedy in REMEDIES if re.search(pattern, message))
    return next(found, "make it work on float32 images of (N, 3, H, W) in [0, 1]")
