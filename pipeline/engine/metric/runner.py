"""One metric at work: built once, frozen, its clear scores computed once and shared by all attacks."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import torch

from defences.base import Defence
from metrics.base import Images, Metric, Scores
from pipeline.catalogue.entry import Entry
from pipeline.cells.cell import clear_key
from pipeline.config import Quality
from pipeline.data.codecs import parse, recompressed
from pipeline.data.dataset import Dataset
from pipeline.data.images import Batch, ahead, load_recent
from pipeline.engine.batching import BatchRule, isolate
from pipeline.engine.checkpoint import Checkpoint
from pipeline.engine.metric.build import build_defences, build_metric
from pipeline.engine.metric.defended import Guard
from pipeline.files import digest, exclusive
from pipeline.store.store import Place
from pipeline.store.sync import Sync

Report = Callable[[str, int], None]  # told what is worked on ("clear" or an attack), and passes over an image done


class Clear(NamedTuple):
    """A metric's scores of the clear images of a data set."""

    scores: Scores  # in file order; NaN where there is none
    excluded: dict[str, str]  # image -> why it has none


class MetricRunner:
    """One metric on one device.

    Args:
        entry: The metric.
        out: The output folder; unfinished work and clear scores are kept below `.work`.
        device: Where to compute.
        batch: Images per batch; None chooses.
        sync: Brings the clear scores that another machine computed, and keeps ours for others.
        codec: What images or clips are stored with before they are scored; empty: they are scored as they are.
        network: Returns the metric; None builds it.
    """

    def __init__(
        self,
        entry: Entry,
        out: Path,
        device: torch.device,
        batch: int | None = None,
        *,
        sync: Sync | None = None,
        codec: str = "",
        network: Callable[[], Metric] | None = None,
    ) -> None:
        self.entry, self.out, self.device, self.batch = entry, out, device, batch
        self.sync = sync or Sync(None)
        self.codec_text, self.codec = codec, parse(codec)
        self.network = network or (lambda: build_metric(entry, device))
        self.rule = BatchRule.of(entry, device, batch)
        self.warm = False  # whether what stands before the metric has purified an image in this process

    @cached_property
    def metric(self) -> Metric:
        """Returns the metric, built when it is first needed: the clear scores may all be known."""
        return self.network()

    @cached_property
    def defence(self) -> Defence | None:
        """Returns what stands before the metric, if anything does."""
        return build_defences(self.entry.defence)[self.entry.preset] if self.entry.defence else None

    def guard(self, images: Sequence[str]) -> Guard | None:
        """Returns what stands before the metric, for images of these names."""
        return Guard(self.entry.defence.name, self.defence, images) if self.entry.defence and self.defence else None

    def beside(self, entry: Entry) -> MetricRunner:
        """Returns another metric at work in the same place."""
        return MetricRunner(entry, self.out, self.device, self.batch, sync=self.sync)  # no attack needs one of clips

    def behind(self, entry: Entry) -> MetricRunner:
        """Returns this metric behind a defence, with the same weights in memory; after a training, with its own."""
        return MetricRunner(
            entry,
            self.out,
            self.device,
            self.batch,
            sync=self.sync,
            codec=self.codec_text,
            network=None if entry.trained else lambda: self.metric,
        )

    def work(self, name: str) -> Path:
        """Returns the path of one of this metric's files of unfinished or shared work."""
        return self.out / ".work" / self.entry.name / name

    def clear(self, dataset: Dataset, jpeg: Quality | None, report: Report | None = None) -> Clear:
        """Returns the scores of the clear images, from the output folder where an earlier run left them there."""
        quality = "original" if jpeg is None else f"jpeg{jpeg}"
        path = self.work(f"clear-{digest(dataset.name.encode())[:8]}-{quality}{self.stored}.jsonl")
        key = clear_key(self.entry, dataset.digest, jpeg, self.codec_text)
        with exclusive(path.with_suffix(".lock")):
            self.sync.bring(Place("clear", key, "scores"), path)
            checkpoint = Checkpoint(path, key)
            todo = [
                photos
                for photos in dataset.batches(self.rule)
                if any(photo.name not in checkpoint.done for photo in photos)
            ]
            for photos, batch in ahead(todo, lambda photos: load_recent(tuple(photos), dataset.crop, jpeg)):
                scores, excluded = self._score(batch)
                found = scores | excluded
                checkpoint.record_all({photo.name: found.get(photo.name) for photo in photos})
                if report:
                    report("clear", len(photos))
            if todo:
                self.sync.put(Place("clear", key, "scores"), path)
        known = {photo.name: checkpoint.done[photo.name] for photo in dataset.photos}
        return Clear(
            torch.tensor([math.nan if isinstance(value, str) else value for value in known.values()]),
            {image: value for image, value in known.items() if isinstance(value, str)},
        )

    @property
    def stored(self) -> str:
        """Returns what tells the files of scores of re-encoded images from the others."""
        return f"-{digest(self.codec_text.encode())[:8]}" if self.codec else ""

    def recoded(self, images: Images) -> Images:
        """Returns images on the 256 levels as they are after they were stored, if they are to be."""
        quality = self.codec.quality if self.codec else None
        return images if quality is None else recompressed(images, quality).to(images.device)

    def on_device(self, batch: Batch) -> tuple[Images, Images | None]:
        """Returns copies of a batch's images and references where the metric is: other attacks will read the batch."""
        references = None if batch.references is None else batch.references.to(self.device, copy=True)
        return batch.images.to(self.device, copy=True), references

    def _score(self, batch: Batch) -> tuple[dict[str, float], dict[str, str]]:
        """Returns the score of each image, and why some have none."""
        size, needed = batch.images.shape[-2:], self.entry.fields["smallest"]
        if min(size) < needed:
            reason = f"{size[1]}x{size[0]} is smaller than the {needed} pixels that {self.entry.name} needs"
            return {}, batch.excluded | {photo.name: reason for photo in batch.photos}

        def score(part: Batch) -> list[tuple[str, float]]:
            names = [photo.name for photo in part.photos]
            images, references = self.on_device(part)
            images = self.recoded(images)
            with torch.no_grad():
                guard = self.guard(names)
                scores = (
                    guard.seen(self.metric, images, references).scores if guard else self.metric(images, references)
                )
            return list(zip(names, scores.tolist(), strict=True))

        values, failed = isolate(score, batch)
        self.warm |= bool(values)
        bad = {image: f"its clear score is {value}" for image, value in values if not math.isfinite(value)}
        return dict(values), batch.excluded | failed | bad
