"""What the checks of metrics, attacks and defences share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, partial
from inspect import isfunction
from typing import Literal, NamedTuple, TypeVar

import torch

from metric_robustness.metrics.base import Images
from metric_robustness.pipeline.contract.advice import advice, raised
from metric_robustness.pipeline.contract.state import RANDOM, SETTINGS, Watch, draw
from metric_robustness.pipeline.data.dataset import open_dataset
from metric_robustness.pipeline.data.images import decode, to_tensor
from metric_robustness.pipeline.data.videos.video import Pixels


class Check(NamedTuple):
    """One promise of the contract, and whether an entry keeps it."""

    promise: str  # completes "a metric must ..."
    status: Literal["passed", "failed", "skipped"]
    seen: str  # what the check observed; of a failure also what to change, after the last colon

    @property
    def change(self) -> str:
        """Returns what a failure says to change."""
        return self.seen.rpartition(": ")[2]


Look = Callable[..., str]  # a method that returns what it saw; raises BrokenPromiseError where the promise is broken
Method = TypeVar("Method", bound=Look)
Result = TypeVar("Result")


class Promise(NamedTuple):
    """A promise that a method looks at."""

    words: str  # completes "a metric must ..."
    after: frozenset[Look]  # looks at promises without which this one would only fail for the same reason


PROMISES: dict[Look, Promise] = {}


def promises(words: str, *after: Look) -> Callable[[Method], Method]:
    """Makes a method of `Checks` the look at a promise.

    Args:
        words: Complete "a metric must ...".
        after: The methods above it that look at promises without which it would only fail for the same reason.
    """

    def register(look: Method) -> Method:
        PROMISES[look] = Promise(words, frozenset(after))
        return look

    return register


def failed(promise: str, seen: str) -> Check:
    """Returns a broken promise."""
    return Check(promise, "failed", seen)


def skipped(promise: str, why: str) -> Check:
    """Returns a promise that could not be checked."""
    return Check(promise, "skipped", why)


class BrokenPromiseError(Exception):
    """An entry breaks a promise; the message says what the check saw and what to change."""


def checked(promise: str, look: Callable[[], str]) -> Iterator[Check]:
    """Yields the result of one check of an entry. What the entry's code raises becomes a failure, with its message."""
    try:
        yield Check(promise, "passed", look())
    except BrokenPromiseError as broken:
        yield failed(promise, str(broken))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a contributor's code may raise anything, or call sys.exit  # noqa: BLE001
        yield failed(promise, f"{raised(error)}: {advice(error)}")


class Checks:
    """The checks of one entry, of which each look at a promise is a method, in the order of the class.

    Attributes:
        watch: Began before the entry's code was called.
    """

    def __init__(self) -> None:
        self.watch = Watch(SETTINGS)

    def results(self, of: str = "") -> Iterator[Check]:
        """Yields the result of each promise; where one is broken, those that it would break with it are only counted.

        Args:
            of: The words that end every promise and name the settings.
        """
        broken: set[Look] = set()
        waiting = 0
        methods = [name for part in reversed(type(self).__mro__) for name in vars(part)]
        for look in (getattr(type(self), name) for name in dict.fromkeys(methods)):
            if not isfunction(look) or look not in PROMISES:
                continue
            promise = PROMISES[look]
            if broken & promise.after:
                waiting += 1
                continue
            for check in checked(f"{promise.words}{of}", partial(look, self)):
                yield check
                if check.status == "failed":
                    broken.add(look)
        if waiting:
            yield skipped(f"keep {waiting} further promise{'s' * (waiting > 1)}", "once the above is mended")


QUIET = "leave the process as it found it"
NAMES = ["first.png", "second.png", "third.png"]  # of the photographs
CLOSE = 1e-5  # the most that other images of a batch may change a pixel in [0, 1]


def require_quiet(watch: Watch, when: str, again: Callable[[], object] | None = None) -> str:
    """Raises BrokenPromiseError if an entry changed what all entries share; puts it back.

    Args:
        watch: Began before the entry's code was called.
        when: Is part of the message.
        again: Calls the code once more: what libraries change as they are imported, they change at the first call only.
    """
    changed = watch.changed()
    if again and not changed:
        watch = Watch(SETTINGS)
        again()
        changed = watch.changed()
    require(
        not changed,
        f"{when} it changes {', '.join(changed)} for all that runs after it: remove that, or undo it before it ends",
    )
    return "nothing changed"


def draws(work: Callable[[], Result]) -> tuple[Result, list[str]]:
    """Returns what a call returns, and the random states of all entries that it changes; sets these back."""
    draw()
    watch = Watch(RANDOM)
    result = work()
    return result, watch.changed()


def require_no_draws(drawn: list[str]) -> None:
    """Raises BrokenPromiseError if an entry drew from, or seeded, random states that all entries share."""
    require(not drawn, f"it seeds or draws from {', '.join(drawn)}: draw from a torch.Generator of its own")


def require(holds: bool, otherwise: str) -> None:
    """Raises BrokenPromiseError with a message unless a condition holds."""
    if not holds:
        raise BrokenPromiseError(otherwise)


@cache
def decoded() -> list[Pixels]:
    """Returns the sample photographs, (H, W, 3) of 8 bits."""
    return [decode(photo.path) for photo in open_dataset("sample").photos]


@cache
def photographs(height: int, width: int, count: int = 3) -> Images:
    """Returns central crops of the sample photographs, float32 RGB in [0, 1], (count, 3, height, width).

    A photograph that is smaller than the crop is repeated in both directions.
    """
    return to_tensor([_crop(pixels, height, width) for pixels in decoded()[:count]])


def _crop(pixels: Pixels, height: int, width: int) -> Pixels:
    rows, columns = -(-height // pixels.shape[0]), -(-width // pixels.shape[1])
    tiled = torch.from_numpy(pixels.copy()).repeat(rows, columns, 1).numpy()
    top, left = (tiled.shape[0] - height) // 2, (tiled.shape[1] - width) // 2
    cropped: Pixels = tiled[top : top + height, left : left + width]
    return cropped
