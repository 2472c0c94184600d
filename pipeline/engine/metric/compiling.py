"""Has the passes of a search compiled where that saves time, or where the user says so."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import partial
from typing import NamedTuple

import torch

from metric_robustness.metrics.base import Images, Metric
from metric_robustness.pipeline.engine.batching import attempt, free_memory
from metric_robustness.pipeline.engine.device import finished_at
from metric_robustness.pipeline.engine.metric.runner import MetricRunner, Searched
from metric_robustness.pipeline.engine.metric.search_copy.agree import compiled_disagreement, passes
from metric_robustness.pipeline.engine.metric.search_copy.compiled import (
    KnownPasses,
    PassKind,
    Program,
    compiled,
    quiet,
    with_programs,
)

SECONDS = 0.07  # in which a step of a traced pass is compiled: the slowest of docs/speed.md
LEAST = 50  # steps; hardly a metric has fewer
WORTH = 20  # how many times longer than compiling all that is left must take
FASTER = 0.9  # of the seconds of the metric's own passes: the most that compiled ones may take
TURNS = 3


class Ahead(NamedTuple):
    """What a search has before it: passes over batches of one size."""

    gradient: bool  # whether most of its time goes to passes forward and back
    bfloat16: bool  # whether PyTorch casts to it where that is usual
    seconds: float  # that all of them would take; infinite if they shall be compiled in any case
    refused: str = ""  # why the run that is gone on with did not take compiled ones

    def pays(self, steps: int) -> bool:
        """Tells whether all that takes far longer than to compile passes of so many steps."""
        return self.seconds > WORTH * SECONDS * steps


class CompiledSearch:
    """What a search runs on, with compiled passes for some sizes of batch.

    Args:
        runner: The metric, which keeps the programs for other searches.
        plain: What the search runs on without.
    """

    def __init__(self, runner: MetricRunner, plain: Searched) -> None:
        self.plain = plain
        self.known = runner.compiled.setdefault(plain.metric, KnownPasses())
        self.metric, self.passes = with_programs(plain.metric)
        self.refused: dict[PassKind, str] = {}

    @property
    def searched(self) -> Searched:
        """Returns what the search runs on now."""
        taken = f"; compiled for {_sizes(self.passes.programs)}" if self.passes.programs else ""
        reasons = dict.fromkeys(self.refused.values())
        kinds = {reason: [kind for kind, found in self.refused.items() if found == reason] for reason in reasons}
        refused = "".join(f"; not compiled for {_sizes(kinds[reason])}: {reason}" for reason in reasons)
        return Searched(self.metric, f"{self.plain.told}{taken}{refused}")

    def compile(self, images: Images, references: Images | None, ahead: Ahead) -> str | None:
        """Takes compiled passes over images of this size, unless that would cost more than it saves.

        Returns:
            Why the search does not run on them, empty if it does; None if nobody tried, since that would cost more.

        Raises:
            TransientError: If the GPU is lost.
        """
        with torch.autocast(images.device.type, torch.bfloat16, enabled=ahead.bfloat16), quiet():
            kind = PassKind.of(images, gradient=ahead.gradient)
            if ahead.refused:
                found: Program | str = ahead.refused
            elif ahead.pays(LEAST) and ahead.pays(self._steps(kind, images, references)):
                found = self._program(kind, images, references, timed=not math.isinf(ahead.seconds))
            else:
                return None
        if isinstance(found, str):
            self.refused[kind] = found
            return found
        self.passes.programs[kind] = found
        return ""

    def _steps(self, kind: PassKind, images: Images, references: Images | None) -> int:
        """Returns how many steps the passes have; 0 if they cannot be traced."""
        if kind not in self.known.traced:
            tracing = partial(self.passes.trace, images, references, gradient=kind.gradient)
            self.known.traced[kind] = attempt(tracing)
        graph = self.known.traced[kind]
        return 0 if isinstance(graph, str) else len(graph.graph.nodes)

    def _program(self, kind: PassKind, images: Images, references: Images | None, *, timed: bool) -> Program | str:
        """Returns the compiled passes, or why they must not be taken."""
        graph = self.known.traced[kind]
        if isinstance(graph, str):
            return graph
        if kind not in self.known.programs:
            self.known.programs[kind] = program = compiled(graph, images.device)
            self.passes.programs[kind] = program
            reason = attempt(partial(self._fault, kind, images, references, timed=timed))
            del self.passes.programs[kind]
            free_memory()
            if reason:
                self.known.programs[kind] = reason
        return self.known.programs[kind]

    def _fault(self, kind: PassKind, images: Images, references: Images | None, *, timed: bool) -> str:
        """Compiles passes by taking them; returns what is wrong with them, nothing if they agree and are faster."""
        ways = self.plain.metric, self.metric
        if reason := compiled_disagreement(*ways, images, references, gradient=kind.gradient):
            return reason
        if not timed:
            return ""
        spent: dict[Metric, float] = dict.fromkeys(ways, math.inf)
        for way in ways * TURNS:
            start = finished_at(images.device)
            passes(way, images, references, gradient=kind.gradient)
            spent[way] = min(spent[way], finished_at(images.device) - start)
        part = spent[self.metric] / spent[self.plain.metric]
        return f"that takes {part:.2f} of the time" if part > FASTER else ""


def _sizes(kinds: Iterable[PassKind]) -> str:
    return ", ".join(dict.fromkeys(map(str, kinds)))
