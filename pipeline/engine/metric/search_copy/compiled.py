"""Compiled passes: one pass of a metric forward and back, traced, and made one program for one size of batch.

What a metric's Python code does beside calling PyTorch, such as to build a filter, is done while tracing: its results
are constants of the program. Code that depends on the values of the images cannot be traced, which is an error.
"""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor
from torch.fx import GraphModule
from torch.fx.experimental.proxy_tensor import make_fx

from metric_robustness.metrics.base import Images, Metric, Scores
from metric_robustness.pipeline.engine.metric.search_copy.left_behind import nothing_left_behind

REMARKS = ("torch._dynamo", "torch._inductor", "torch.utils.cpp_extension")

Program: TypeAlias = Callable[..., Any]


class PassKind(NamedTuple):
    """What passes a program takes: any others need another one."""

    size: tuple[int, ...]  # (N, 3, H, W)
    gradient: bool  # whether they go back, too
    bfloat16: bool  # whether PyTorch casts to it where that is usual

    @classmethod
    def of(cls, images: Images, *, gradient: bool) -> PassKind:
        """Returns the kind of a pass that begins here and now."""
        return cls(tuple(images.shape), gradient, torch.is_autocast_enabled(images.device.type))

    def __str__(self) -> str:
        return "x".join(map(str, self.size))


@dataclass
class KnownPasses:
    """What is known of a metric's passes, for all its cells; a text is the reason why there is nothing."""

    traced: dict[PassKind, GraphModule | str] = field(default_factory=dict)
    programs: dict[PassKind, Program | str] = field(default_factory=dict)


class CompiledPasses:
    """The `unchecked` of a metric: takes a program where there is one for the images, the metric's own code elsewhere.

    A program for gradients computes them with the scores, before anybody asked: the gradient of a sum of scores, since
    an image's score depends on no other image.

    Args:
        metric: The metric.

    Attributes:
        programs: What is taken.
    """

    def __init__(self, metric: Metric) -> None:
        self.metric, self.plain = metric, metric.unchecked
        self.programs: dict[PassKind, Program] = {}

    def __call__(self, images: Images, references: Images | None = None) -> Scores:
        """Returns the (N,) scores of (N, 3, H, W) images."""
        kind = PassKind.of(images, gradient=torch.is_grad_enabled() and images.requires_grad)
        program = self.programs.get(kind)
        if program is None:
            return self.plain(images, references)
        # With the same strides, since PyTorch would silently compile once more for any others, and give up some time.
        given = tuple(each.reshape(-1).view(each.shape) for each in (images, references) if each is not None)
        with torch.autocast(images.device.type, enabled=False):  # the program casts by itself
            if kind.gradient:
                scores: Scores = _GradientProgram.apply(program, *given)
                return scores
            with torch.no_grad():
                (scores,) = program(*given)
                return scores

    def trace(self, images: Images, references: Images | None, *, gradient: bool) -> GraphModule:
        """Returns the passes over images of this size, step by step.

        They are taken once before: what the code keeps for later passes, such as a filter of this size, must hold
        numbers, and while it is traced there are none.

        Raises:
            Exception: If they cannot be traced, of any kind.
        """
        given = (images,) if references is None else (images, references)

        def passes(images: Images, *references: Images) -> tuple[Tensor, ...]:
            with torch.set_grad_enabled(gradient):
                images = images.detach().requires_grad_(gradient)
                scores = self.plain(images, *references or (None,))
                if gradient:
                    return scores.detach(), torch.autograd.grad(scores.sum(), images)[0]
                return (scores,)

        passes(*given)
        with nothing_left_behind(self.metric):
            graph = make_fx(passes, tracing_mode="fake", _allow_non_fake_inputs=True)(*given)
        graph.graph.eliminate_dead_code()
        graph.recompile()
        return graph


class _GradientProgram(torch.autograd.Function):
    """Gives a program's scores the gradient that it has computed already."""

    @staticmethod
    def forward(ctx: Any, program: Program, images: Images, *references: Images) -> Scores:
        """Returns the scores, and keeps the gradient."""
        scores: Scores
        scores, gradient = program(images, *references)
        ctx.save_for_backward(gradient)
        ctx.references = len(references)
        return scores

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        """Returns the gradient of each image, times what follows its score."""
        (gradient,) = ctx.saved_tensors
        return None, slopes[0].view(-1, 1, 1, 1).mul(gradient), *[None] * ctx.references


def compiled(graph: GraphModule, device: torch.device) -> Program:
    """Returns traced passes as a program, which is compiled when it is first run.

    On a GPU its kernels are queued as one CUDA graph, which writes its results where those of its last run lie. So what
    the program returns there are copies.
    """
    if device.type == "cpu":
        return torch.compile(graph, dynamic=False, fullgraph=True)
    repeated = torch.compile(graph, dynamic=False, fullgraph=True, mode="reduce-overhead")

    def copied(*given: Images) -> tuple[Tensor, ...]:
        torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]
        return tuple(each.clone() for each in repeated(*given))

    return copied


def with_programs(metric: Metric) -> tuple[Metric, CompiledPasses]:
    """Returns a metric that shares all but its `unchecked` with another one, and that `unchecked`."""
    twin, passes = copy.copy(metric), CompiledPasses(metric)
    twin.unchecked = passes  # type: ignore[method-assign]
    return twin, passes


@contextmanager
def quiet() -> Iterator[None]:
    """Keeps from the terminal what PyTorch remarks while it compiles: a comparison tells whether it went well."""
    loggers = [logging.getLogger(name) for name in REMARKS]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
