"""A metric at work: built once, frozen, its clear scores computed once and shared by all attacks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import torch
from pydantic import TypeAdapter

from metric_robustness.defences.base import Defence
from metric_robustness.metrics.base import Images, Metric, Scores
from metric_robustness.pipeline.catalogue.entry import Entry
from metric_robustness.pipeline.cells.cell import clear_key
from metric_robustness.pipeline.cells.distortion import NONE, Distortion
from metric_robustness.pipeline.data.dataset import Dataset, Photo
from metric_robustness.pipeline.data.images import Batch, ahead, load_recent
from metric_robustness.pipeline.data.videos.codecs import parse, recompressed
from metric_robustness.pipeline.engine.batching import BatchRule, Parts
from metric_robustness.pipeline.engine.checkpoint import Checkpoint
from metric_robustness.pipeline.engine.device import ON_CPU, Compute, open_device
from metric_robustness.pipeline.engine.metric.build import build_defences, build_metric
from metric_robustness.pipeline.engine.metric.defended import DefendedMetric
from metric_robustness.pipeline.engine.metric.few_images import few_images
from metric_robustness.pipeline.engine.metric.first_gradients import FirstGradients
from metric_robustness.pipeline.engine.metric.search_copy.compiled import KnownPasses
from metric_robustness.pipeline.engine.progress import OnProgress, silent
from metric_robustness.pipeline.files import digest, exclusive
from metric_robustness.pipeline.store.store import Place
from metric_robustness.pipeline.store.sync import Sync

CLEAR: TypeAdapter[float | str] = TypeAdapter(float | str)  # a score, or the reason why there is none


class ClearScores(NamedTuple):
    """A metric's scores of the clear images, or clips, of a data set."""

    scores: Scores  # in file order; NaN where there is none
    excluded: dict[str, str]  # image -> why it has none


class Searched(NamedTuple):
    """What a search runs on."""

    metric: Metric  # a copy of the metric, or the metric itself
    told: str  # which, and why, as a stamp says it


class MetricRunner:
    """One metric on one device.

    Args:
        entry: The metric.
        out: The output folder; unfinished work and clear scores lie below `.work`.
        compute: What passes are computed on, and how.
        sync: Brings the clear scores that another machine computed, and puts ours into the store for others.
        codec: Re-encodes images or clips before the metric scores them; empty: it scores them as they are.
        network: Returns the metric; None builds it.

    Attributes:
        warm: Whether the defence before the metric has purified an image in this process.
        slow: Why images had to be given to the metric one by one; empty if they had not to.
        copy: The faster copy of the metric, or the metric, if there is none; None: nobody asked yet.
        first_gradients: What searches found at the clear images.
        compiled: What is known of compiled passes, by what searches run on without; see `CompiledSearch`.
        searches: What searches run on, by the data set's digest and the distortion; see `search_of`.
    """

    def __init__(
        self,
        entry: Entry,
        out: Path,
        compute: Compute = ON_CPU,
        *,
        sync: Sync | None = None,
        codec: str = "",
        network: Callable[[], Metric] | None = None,
    ) -> None:
        self.entry, self.out, self.compute, self.device = entry, out, compute, open_device(compute.device)
        self.sync = sync or Sync(None)
        self.codec_text, self.codec = codec, parse(codec)
        self.network = network or (lambda: build_metric(entry, self.device))
        self.rule = BatchRule.of(entry, self.device, compute.batch)
        self.warm = False
        self.slow = ""
        self.copy: Searched | None = None
        self.first_gradients = FirstGradients()
        self.compiled: dict[Metric, KnownPasses] = {}
        self.searches: dict[tuple[str, Distortion], Searched] = {}

    @cached_property
    def metric(self) -> Metric:
        """Returns the metric, built at first use: a run whose clear scores are all known may not need it."""
        return self.network()

    @cached_property
    def defence(self) -> Defence | None:
        """Returns the defence before the metric, or None."""
        return build_defences(self.entry.defence)[self.entry.preset] if self.entry.defence else None

    def defended(self, images: Sequence[str], metric: Metric | None = None) -> DefendedMetric | None:
        """Returns the defended metric for images of these names; None for a bare metric.

        Args:
            images: Their names.
            metric: What stands behind the defence; None: the metric itself.
        """
        if self.entry.defence is None or self.defence is None:
            return None
        return DefendedMetric(metric or self.metric, self.entry.defence.name, self.defence, images)

    def surrogate(self, entry: Entry) -> MetricRunner:
        """Returns the runner of another metric, with the same folder and device."""
        return MetricRunner(entry, self.out, self.compute, sync=self.sync)

    def defended_as(self, entry: Entry) -> MetricRunner:
        """Returns this metric with a defence, on the same weights in memory; a robust training has its own."""
        return MetricRunner(
            entry,
            self.out,
            self.compute,
            sync=self.sync,
            codec=self.codec_text,
            network=None if entry.trained else lambda: self.metric,
        )

    def scratch(self, name: str) -> Path:
        """Returns the path of one of this metric's files of unfinished or shared work."""
        return self.out / ".work" / self.entry.name / name

    def clear(self, dataset: Dataset, distortion: Distortion = NONE, on_progress: OnProgress = silent) -> ClearScores:
        """Returns the scores of the clear images, from the output folder if an earlier run left them."""
        key = clear_key(self.entry, dataset.digest, distortion, self.codec_text)
        # The key is in the name, too: saved images of one data set, but of several metrics, are taken in turns.
        path = self.scratch(f"clear-{self.about(dataset, distortion)}{self.stored}-{key[:8]}.jsonl")
        place = Place("clear", key, "scores")
        names = self.scored(dataset)
        with exclusive(path.with_suffix(".lock")):
            self.sync.bring(place, path)
            checkpoint = Checkpoint(path, key, CLEAR)
            if not checkpoint.done.keys() >= set(names):
                for found in self.missing_scores(dataset, distortion, checkpoint.done, on_progress):
                    checkpoint.record_all(found)
                self.sync.put(place, path)
        known = {name: checkpoint.done[name] for name in names}
        return ClearScores(
            torch.tensor([math.nan if isinstance(value, str) else value for value in known.values()]),
            {image: value for image, value in known.items() if isinstance(value, str)},
        )

    def scored(self, dataset: Dataset) -> list[str]:
        """Returns the names of what has a score: images, or clips, in file order."""
        return [photo.name for photo in dataset.photos]

    def missing_scores(
        self, dataset: Dataset, distortion: Distortion, done: Mapping[str, Any], on_progress: OnProgress
    ) -> Iterator[dict[str, float | str]]:
        """Yields, batch by batch, the scores that are not done, each a number or the reason why there is none."""
        todo = [
            tuple(photos) for photos in dataset.batches(self.rule) if any(photo.name not in done for photo in photos)
        ]
        for photos, batch in ahead(todo, lambda photos: self.load(photos, dataset, distortion)):
            found = self._score(batch)
            yield {photo.name: found[photo.name] for photo in photos}
            on_progress(len(photos))

    def load(self, photos: Sequence[Photo], dataset: Dataset, distortion: Distortion) -> Batch:
        """Decodes images of equal size, with their originals for a full-reference metric."""
        return load_recent(tuple(photos), dataset.crop, distortion, paired=self.entry.full_reference)

    def about(self, dataset: Dataset, distortion: Distortion) -> str:
        """Returns the part of a file's name that stands for a data set and a distortion."""
        return f"{digest(dataset.name.encode())[:8]}-{distortion.folder}"

    @property
    def stored(self) -> str:
        """Returns the part of a file's name that stands for the codec of re-encoded images."""
        return f"-{digest(self.codec_text.encode())[:8]}" if self.codec else ""

    def recoded(self, images: Images) -> Images:
        """Returns images on the 256 levels, re-encoded if the codec is JPEG."""
        quality = self.codec.quality if self.codec else None
        return images if quality is None else recompressed(images, quality).to(images.device)

    def on_device(self, batch: Batch) -> tuple[Images, Images | None]:
        """Returns copies of a batch's images and references on the metric's device: other attacks read the batch."""
        references = None if batch.references is None else batch.references.to(self.device, copy=True)
        return batch.images.to(self.device, copy=True), references

    def few(self, dataset: Dataset, distortion: Distortion) -> Iterator[tuple[Images, Images | None]]:
        """Yields the images that the probe uses, one by one, as the metric takes them, with their references."""
        for batch in few_images(dataset, distortion, paired=self.entry.full_reference):
            if batch.photos:
                yield self.on_device(batch)

    def _score(self, batch: Batch) -> dict[str, float | str]:
        """Returns the score of each image, or why it has none."""
        size, needed = batch.images.shape[-2:], self.entry.fields["smallest"]
        if min(size) < needed:
            reason = f"{size[1]}x{size[0]} is smaller than the {needed} pixels that {self.entry.name} needs"
            return {**batch.excluded, **dict.fromkeys((photo.name for photo in batch.photos), reason)}
        found: dict[str, float | str] = {**batch.excluded}
        parts = Parts(batch)
        for part in parts:
            with parts.costs_only(part):
                names = [photo.name for photo in part.photos]
                scores = self._clear_scores(part, names)
                found |= {
                    name: score if math.isfinite(score) else f"its clear score is {score}"
                    for name, score in zip(names, scores.tolist(), strict=True)
                }
                self.warm = True
        self.slow = self.slow or parts.slow
        return found | parts.failed

    @torch.no_grad()
    def _clear_scores(self, batch: Batch, names: list[str]) -> Scores:
        images, references = self.on_device(batch)
        images = self.recoded(images)
        defended = self.defended(names)
        return defended.purified(images, references).scores if defended else self.metric(images, references)
