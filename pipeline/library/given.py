"""A metric that a user hands over as an object, as an entry that no file holds; and what is known of it."""

from __future__ import annotations

import inspect
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from metric_robustness.metrics.base import FullReference, Images, Metric, NoReference, Scores, VideoMetric
from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.catalogue.entry import Entry
from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.library.copied import copied, is_of_pyiqa
from metric_robustness.pipeline.library.defended import DefendedModule

Given: TypeAlias = str | nn.Module | Callable[..., Tensor]  # a name of the catalogue, or what scores images
UNNAMED = re.compile(r"[^a-z0-9]+")
DECLARED = (
    "higher_is_better",
    "score_range",
    "full_reference",
    "differentiable",
    "batch_dependent",
    "random",
    "smallest",
)


@dataclass(frozen=True)
class GivenEntry(Entry):
    """A metric of the user, as a metric of the catalogue.

    Nobody can tell what an object depends on: each has a fingerprint of its own, so that nothing is taken for done.
    """

    build: Callable[[], Metric] | None = None

    def load(self) -> Any:
        """Returns what builds the metric."""
        return self.build


class GivenNoReference(NoReference):
    """A user's module or function of (N, 3, H, W) images."""

    def __init__(self, given: Callable[..., Tensor]) -> None:
        super().__init__()
        self.given = given

    def score(self, images: Images) -> Scores:
        """Returns the (N,) scores."""
        return _one_each(self.given(images), images, differentiable=self.differentiable)


class GivenFullReference(FullReference):
    """A user's module or function of images and their originals, (N, 3, H, W) each."""

    def __init__(self, given: Callable[..., Tensor]) -> None:
        super().__init__()
        self.given = given

    def score(self, images: Images, references: Images) -> Scores:
        """Returns the (N,) scores."""
        return _one_each(self.given(images, references), images, differentiable=self.differentiable)


@dataclass(frozen=True)
class Facts:
    """What a user says of a metric; None where nothing is said, so that the metric's own word counts.

    Attributes:
        higher_is_better: Whether a higher score is a better one.
        score_range: Of ordinary images, lowest and highest.
        name: Under which rows name the metric; empty: that of its class.
        differentiable: False where white-box attacks shall skip it.
    """

    higher_is_better: bool | None = None
    score_range: tuple[float, float] | None = None
    name: str = ""
    differentiable: bool | None = None

    @property
    def told(self) -> dict[str, Any]:
        """Returns what is said, by the names of a metric's class attributes."""
        known = {name: getattr(self, name) for name in ("higher_is_better", "score_range", "differentiable")}
        return {name: value for name, value in known.items() if value is not None}


NOTHING = Facts()


def entry_of(given: Given, facts: Facts = NOTHING, *, paired: bool = False) -> Entry:
    """Returns the entry of a metric: of the catalogue, or of an object, whose copy is frozen and run.

    Args:
        given: The metric.
        facts: What is said of it. An entry of the catalogue has its own facts.
        paired: Whether there are originals to compare with.

    Raises:
        BenchError: If no metric has that name, or what is said cannot be.
    """
    if isinstance(given, str):
        if extra := sorted({*facts.told, *(["name"] if facts.name else [])}):
            raise BenchError(f"{given} of the catalogue declares {', '.join(extra)} itself: leave them out")
        return lookup.find("metrics", given)
    if isinstance(given, DefendedModule):
        return lookup.behind(entry_of(given.given, facts, paired=paired), given.defended_by)
    if not callable(given):
        raise BenchError(
            f"the metric must be a name of the catalogue, a module or a function; got {type(given).__name__}: pass one"
        )
    if isinstance(given, type) and issubclass(given, nn.Module):
        raise BenchError(f"the metric must be an object; got the class {given.__name__}: pass {given.__name__}()")
    kind = _kind(given, paired=paired)
    owner = given if isinstance(given, Metric) else Metric
    fields = {name: getattr(owner, name) for name in DECLARED if hasattr(owner, name)}
    if is_of_pyiqa(given):
        fields["higher_is_better"] = not vars(given)["lower_better"]
    fields |= {"full_reference": kind == "FR" or bool(fields.get("full_reference")), **facts.told}
    if not isinstance(fields.get("higher_is_better"), bool):
        raise BenchError("higher_is_better must be given: True where a higher score is a better image, else False")
    fields |= {"cost": "light", "gpu_memory": 8, "weights": ()}
    if (found := fields.get("score_range")) is not None:
        fields["score_range"] = _range(found)
    return GivenEntry(
        _name(given, facts.name),
        "metrics",
        title=f"{type(given).__name__ if isinstance(given, nn.Module) else 'A function'} of the user",
        kind=kind,
        fields=fields,
        fingerprint=uuid.uuid4().hex[:16],
        build=lambda: _built(given, kind, fields),
    )


def called_entry(given: Given, facts: Facts = NOTHING, *, paired: bool = False) -> Entry:
    """Returns the entry of a metric that is only called or attacked once, so that little must be known of it.

    Where neither the metric nor the user says more, higher is better, and ordinary scores reach from 0 to 1.

    Args:
        given: The metric.
        facts: What is said of it.
        paired: Whether there are originals to compare with.

    Raises:
        BenchError: If no metric has that name, or what is said cannot be.
    """
    declared = hasattr(given, "higher_is_better") or is_of_pyiqa(given)
    if not isinstance(given, str) and facts.higher_is_better is None and not declared:
        facts = replace(facts, higher_is_better=True)
    entry = entry_of(given, facts, paired=paired)
    return entry if entry.problem or "score_range" in entry.fields else with_range(entry, (0.0, 1.0))


def with_range(entry: Entry, found: tuple[float, float]) -> Entry:
    """Returns the entry of a user's metric, bare or defended, with the range of its scores."""
    if entry.bare:
        return lookup.behind(with_range(entry.bare, found), entry.name.rpartition("+")[2])
    if not isinstance(entry, GivenEntry):
        raise TypeError(f"{entry.name} declares its range itself")
    build, fields = entry.build, {**entry.fields, "score_range": found}

    def ranged() -> Metric:
        assert build is not None
        metric = build()
        vars(metric)["score_range"] = found
        return metric

    return replace(entry, fields=fields, fingerprint=uuid.uuid4().hex[:16], build=ranged)


def device_of(given: Given) -> str:
    """Returns where a module's parameters and buffers lie; cpu where it has none, or is no module."""
    if not isinstance(given, nn.Module):
        return "cpu"
    first = next(chain(given.parameters(), given.buffers()), None)
    return "cpu" if first is None else str(first.device)


def _built(given: Any, kind: str, fields: dict[str, Any]) -> Metric:
    """Returns the metric; of a module a copy, since the engine freezes it and lays its weights out anew."""
    own = copied(given) if isinstance(given, nn.Module) else given
    wrapped = GivenFullReference if kind == "FR" else GivenNoReference
    metric = own if isinstance(own, Metric) else wrapped(own)
    vars(metric).update({name: fields[name] for name in DECLARED if name in fields})
    return metric


def _one_each(scores: object, images: Images, *, differentiable: bool) -> Scores:
    """Returns scores of shape (N,), (N, 1) or the like as (N,); arrays and lists, too, of a metric without a gradient.

    Raises:
        ValueError: If they are anything else, or have no gradient where there must be one.
    """
    count = len(images)
    if not differentiable and isinstance(scores, np.ndarray | list):
        scores = torch.as_tensor(np.asarray(scores, dtype=np.float32), device=images.device)
    if not isinstance(scores, Tensor):
        raise ValueError(
            f"the metric must return a tensor of one score per image; got {type(scores).__name__}: return a tensor, or "
            "an array and say differentiable=False"
        )
    if count == 1 and len(scores.shape) == 0:  # whoever squeezes an output squeezes a single image's, too
        scores = scores.reshape(1)
    if len(scores.shape) == 0 or len(scores) != count or scores.numel() != count:
        raise ValueError(
            f"the metric must return one score per image, shape ({count},) or ({count}, 1); got {tuple(scores.shape)}: "
            "reduce over channels and pixels, never over the batch"
        )
    if differentiable and images.requires_grad and torch.is_grad_enabled() and not scores.requires_grad:
        raise ValueError(
            "the metric's scores must have a gradient; they have none: take out no_grad, detach, numpy and rounding, "
            "or say differentiable=False"
        )
    return scores.reshape(count)


def _kind(given: Any, *, paired: bool) -> str:
    """Returns NR, FR or video: what a metric of ours is; another is FR with two arguments, or where originals are."""
    if isinstance(given, VideoMetric):
        return "video"
    if isinstance(given, NoReference | FullReference):
        return "FR" if isinstance(given, FullReference) else "NR"
    if is_of_pyiqa(given) and not paired:
        return "FR" if vars(given)["metric_mode"] == "FR" else "NR"
    try:
        signature = inspect.signature(given.forward if isinstance(given, nn.Module) else given)
    except (TypeError, ValueError):  # a function of C says nothing
        return "FR" if paired else "NR"
    if paired and not _takes(signature, 2):
        raise BenchError("references must be left out for a metric that takes images alone; got some: leave them out")
    return "FR" if paired or (_takes(signature, 2) and not _takes(signature, 1)) else "NR"


def _takes(signature: inspect.Signature, count: int) -> bool:
    try:
        signature.bind(*range(count))
    except TypeError:
        return False
    return True


def _name(given: Any, name: str) -> str:
    """Returns the metric's name, which no metric of the catalogue has.

    Raises:
        BenchError: If the user's name is taken, or no name of an entry.
    """
    known = lookup.entries("metrics")
    if name:
        if UNNAMED.sub("_", name).strip("_") != name or not name[0].isalpha():
            raise BenchError(f"name must match [a-z][a-z0-9_]*; got {name!r}: choose another")
        if name in known:
            raise BenchError(f"name must be new; {name} is a metric of the catalogue: choose another")
        return name
    called = vars(given)["metric_name"] if is_of_pyiqa(given) else getattr(given, "__name__", type(given).__name__)
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", called).lower()
    found = UNNAMED.sub("_", words).strip("_") or "metric"
    found = "metric" if found == "lambda" else found
    return f"my_{found}" if found in known or not found[0].isalpha() else found


def _range(given: Any) -> tuple[float, float]:
    try:
        low, high = map(float, given)
    except (TypeError, ValueError):
        low = high = torch.nan
    if not (-torch.inf < low < high < torch.inf):
        raise BenchError(f"score_range must be (low, high), the first below the second; got {given!r}: correct it")
    return low, high
