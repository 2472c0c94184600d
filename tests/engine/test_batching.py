"""Batches: their size, and what happens when one is too large or one of its images breaks the metric."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from metric_robustness.pipeline.catalogue.entry import Entry
from metric_robustness.pipeline.data.dataset import Photo
from metric_robustness.pipeline.data.images import Batch
from metric_robustness.pipeline.engine.batching import BatchRule, Parts, one_line, out_of_memory, reason_of
from metric_robustness.pipeline.errors import Exit, TransientError

CPU = torch.device("cpu")


def batch(names: str, references: bool = False) -> Batch:
    images = torch.stack([torch.full((3, 4, 4), float(index)) for index in range(len(names))])
    photos = [Photo(name, Path(name), 4, 4) for name in names]
    return Batch(photos, images, images + 100 if references else None, {})


class Worker:
    """Works on batches, and fails where one is too large or holds a broken image."""

    def __init__(self, broken="", largest=99, error=None):
        self.broken, self.largest, self.error, self.sizes = broken, largest, error, []

    def __call__(self, part: Batch) -> list[str]:
        self.sizes.append(len(part.photos))
        assert len(part.photos) == len(part.images)
        assert part.references is None or torch.equal(part.references, part.images + 100)
        if len(part.photos) > self.largest:
            raise self.error or torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB")
        for photo in part.photos:
            if photo.name in self.broken:
                raise ValueError(f"{photo.name} is strange\nsecond line")
        return [photo.name for photo in part.photos]


def isolate(work, whole: Batch) -> tuple[list[str], dict[str, str]]:
    """Works on a batch in parts."""
    done: list[str] = []
    parts = Parts(whole)
    for part in parts:
        with parts.costs_only(part):
            done += work(part)
    return done, parts.failed


def test_a_batch_that_works_is_worked_on_once():
    worker = Worker()
    assert isolate(worker, batch("abcd", references=True)) == (list("abcd"), {})
    assert worker.sizes == [4]


def test_an_empty_batch_is_not_worked_on():
    worker = Worker()
    assert isolate(worker, Batch([], torch.empty(0, 3, 4, 4), None, {"x": "broken"})) == ([], {})
    assert worker.sizes == []


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory"), MemoryError(), "allocate"])
def test_out_of_memory_halves_the_batch_and_loses_nothing(error):
    error = RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried") if error == "allocate" else error
    worker = Worker(largest=2, error=error)
    assert isolate(worker, batch("abcdefg", references=True)) == (list("abcdefg"), {})
    assert worker.sizes == [7, 4, 2, 2, 3, 2, 1]


def test_a_single_image_that_needs_too_much_memory_is_named():
    done, failed = isolate(Worker(largest=0), batch("ab"))
    assert done == []
    assert failed == dict.fromkeys("ab", "out of memory with a single image")


def test_an_image_that_breaks_the_metric_costs_only_itself():
    done, failed = isolate(Worker(broken="bd"), batch("abcde", references=True))
    assert done == list("ace")
    assert failed == {"b": "ValueError: b is strange", "d": "ValueError: d is strange"}


@pytest.mark.parametrize(
    ("fails", "slow"), [(lambda part: len(part) > 1, "ValueError: one at a time"), (lambda part: "b" in part, "")]
)
def test_why_images_were_given_one_by_one_is_kept_where_none_of_them_is_broken(fails, slow):
    parts = Parts(batch("abc"))
    for part in parts:
        with parts.costs_only(part):
            if fails([photo.name for photo in part.photos]):
                raise ValueError("one at a time")
    assert parts.slow == slow


@pytest.mark.parametrize("names", ["a", "abc"])
def test_a_lost_gpu_ends_the_run_and_can_be_tried_again(names):
    for error in (RuntimeError("CUDA error: device-side assert triggered"), TransientError("the disk is full")):
        with pytest.raises(TransientError) as told:
            isolate(Worker(largest=0, error=error), batch(names))
        assert told.value.exit_code == Exit.TRANSIENT


def test_a_user_who_stops_is_obeyed():
    with pytest.raises(KeyboardInterrupt):
        isolate(Worker(largest=0, error=KeyboardInterrupt()), batch("abc"))


def test_an_error_is_told_in_one_line():
    assert one_line(ValueError("first\nsecond")) == "ValueError: first"
    assert one_line(ValueError()) == "ValueError"
    assert not out_of_memory(ValueError("no"))


@pytest.mark.parametrize(
    ("alone", "chosen", "size"), [(False, None, 16), (False, 5, 5), (True, None, 1), (True, 5, 1), (False, 1, 1)]
)
def test_the_user_s_batch_is_taken_unless_the_metric_wants_single_images(alone, chosen, size):
    entry = Entry("m", "metrics", fields={"batch_dependent": alone})
    assert BatchRule.of(entry, CPU, chosen)(8, 8) == size


def test_larger_images_make_smaller_batches_but_never_none():
    rule = BatchRule(pixels=1000, most=8)
    assert [rule(side, side) for side in (10, 15, 20, 31, 32, 5000)] == [8, 4, 2, 1, 1, 1]


@pytest.mark.parametrize(
    ("wrong", "remedy"),
    [
        (lambda images: torch.autograd.grad(images.detach().sum(), images), "write differentiable = False"),
        (lambda images: images.numpy(), "write differentiable = False"),
        (lambda images: np.ones(3).float(), "return a tensor of one score per image"),
        (lambda images: images.mean().item().shape, "return a tensor of one score per image"),
        (lambda images: images.nothing, ""),
    ],
)
def test_what_pytorch_says_of_a_wrong_score_is_followed_by_what_to_change(wrong, remedy):
    with pytest.raises((RuntimeError, AttributeError)) as error:
        wrong(torch.rand(1, 3, 8, 8, requires_grad=True))
    reason = reason_of(error.value)
    assert reason.startswith(one_line(error.value).removesuffix("."))
    assert reason.removeprefix(one_line(error.value).removesuffix(".")).removeprefix(": ").startswith(remedy)
    assert (": write" in reason or ": return" in reason) == bool(remedy)
