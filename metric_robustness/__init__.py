"""Everything that is installed: metrics, attacks, defences, and the pipeline that runs them.

In a checkout the four are links to the folders at its top, so that each file has one place, and one name to Python.
A notebook calls the functions below; they are imported when they are first used, since PyTorch takes seconds.
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from metric_robustness.pipeline.library.attack import attack
    from metric_robustness.pipeline.library.catalogue import catalogue
    from metric_robustness.pipeline.library.evaluate import evaluate
    from metric_robustness.pipeline.library.modules import defend, metric
    from metric_robustness.pipeline.library.robustness_report import Comparison, RobustnessReport

__all__ = ["Comparison", "RobustnessReport", "attack", "catalogue", "defend", "evaluate", "metric"]

for _name in ("metrics", "attacks", "defences", "pipeline"):
    if not (_found := Path(__file__).with_name(_name)).is_dir():  # Windows and some archives make links text files
        raise ImportError(
            f"{_found} must be a link to ../{_name}; it is {'a file' if _found.exists() else 'missing'}: clone "
            "with git clone -c core.symlinks=true, on Windows in developer mode, or make the four links yourself"
        )

_FILES = {  # where another file than that of its own name holds it
    "Comparison": "robustness_report",
    "RobustnessReport": "robustness_report",
    "defend": "modules",
    "metric": "modules",
}


def __getattr__(name: str) -> Any:
    """Imports what a notebook calls at first use."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f"{__name__}.pipeline.library.{_FILES.get(name, name)}")
    return globals().setdefault(name, getattr(module, name))


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
