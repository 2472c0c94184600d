"""Planning of universal attacks: their patterns are jobs of their own."""

from __future__ import annotations

from dataclasses import replace

import pytest
from planning import (
    ARGUMENTS,
    HOSTILE,
    PRESET,
    RUNNERS,
    TRAINED,
    attack,
    decisions,
    loaded,
    metric,
    planned,
    validate,
)

from metric_robustness.pipeline.catalogue.entry import Entry
from metric_robustness.pipeline.cells.cell import Cell
from metric_robustness.pipeline.cells.fit import Fit, FitStamp, fits_of
from metric_robustness.pipeline.cells.settings import settings_of
from metric_robustness.pipeline.cells.stamp import DatasetFacts
from metric_robustness.pipeline.ci import packing
from metric_robustness.pipeline.ci.children import child
from metric_robustness.pipeline.ci.estimates import CONTAINER, JOB, LIGHT
from metric_robustness.pipeline.ci.inventory import Held, Inventory
from metric_robustness.pipeline.ci.packing import RunnerJob
from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.store.store import FolderStore, Place


def uap(name: str, **fields: object) -> Entry:
    return attack(name, family="universal", **fields)


def keep_pattern(store: FolderStore, fit: Fit) -> None:
    """Puts a pattern's stamp into the store as a fit's job would; planning looks at nothing else."""
    stamp = FitStamp(
        metric=fit.metric.name,
        metric_fingerprint=fit.metric.fingerprint,
        attack=fit.attack.name,
        attack_fingerprint=fit.attack.fingerprint,
        variant=fit.variant,
        settings={},
        train=DatasetFacts(name=fit.train, digest=fit.digest, images=9),
        enlarged=[],
        loss=[1.0],
        seconds=1,
        machine={},
        commit="",
        finished="",
        key=fit.key,
        sha256="",
    )
    store.write(Place("fits", fit.key, "stamp.json"), stamp.to_json().encode())


def test_a_fit_is_a_job_of_its_own_that_its_cell_needs(store, tmp_path):
    plan = planned(store, [metric("a"), metric("b")], [attack("x"), uap("u"), uap("v")], inventory=TRAINED)
    jobs = packing.jobs_of(plan, RUNNERS, "cuda")
    fits = {f"fit {one} {other} {train}" for one in "ab" for other in "uv" for train in ("coco", "voc2012")}
    assert {job.name for job in jobs if job.train} == fits
    assert all(job.runner in RUNNERS for job in jobs)
    (part,) = [part for part in packing.shard(jobs) if any(job.metric == "a" for job in part)]
    text = child(part, **ARGUMENTS)
    document = loaded(text)
    assert set(document["a u"]["needs"]) == {"calibrate a", "fit a u coco", "fit a u voc2012"}
    assert document["a x"]["needs"] == ["calibrate a"]
    (coco,) = [job for job in part if job.name == "fit a u coco"]
    variables = {"METRIC": "a", "ATTACK": "u", "TRAIN": "coco", "KEY": coco.key}
    assert document["fit a u coco"]["extends"] == ".fit"
    assert document["fit a u coco"]["variables"] == variables
    assert "needs" not in document["fit a u coco"]
    file = tmp_path / "child.yml"
    file.write_text(text)
    validate(file)


def test_a_pattern_in_the_store_is_not_fitted_again_unless_something_changed(store):
    a, u = metric("a"), uap("u", variants={"published": {"rule": "gradient"}})
    preset = PRESET.model_copy(update={"variants": True})
    fits = fits_of(Cell(a, u, TRAINED.digests, settings_of(preset), TRAINED.trained_on))
    assert [(fit.train, fit.variant) for fit in fits] == [
        ("coco", ""), ("coco", "published"), ("voc2012", ""), ("voc2012", "published")
    ]  # fmt: skip
    assert len({fit.key for fit in fits}) == 4
    for fit in fits[:3]:
        keep_pattern(store, fit)

    def missing(one: Entry, inventory: Inventory) -> list[str]:
        (cell,) = planned(store, [one], [u], preset=preset, inventory=inventory).cells
        return [fit.train for fit in cell.fits]

    assert missing(a, TRAINED) == ["voc2012"]  # one of its variants is not there
    assert missing(replace(a, fingerprint="f" * 16), TRAINED) == ["coco", "voc2012"]
    other = TRAINED.model_copy(update={"train": {**TRAINED.train, "coco": Held(digest="e" * 16, images=9)}})
    assert missing(a, other) == ["coco", "voc2012"]
    keep_pattern(store, fits[3])
    assert missing(a, TRAINED) == []


def test_fits_count_for_the_hours_and_the_jobs_of_a_pipeline(store):
    plan = planned(store, [metric("a")], [uap("u")], inventory=TRAINED)
    start, crops = CONTAINER + JOB + LIGHT.start, 9 * 50  # 100 steps of batches of 8 and 1
    fits = 2 * (start + crops * LIGHT.at(256**2).gradient)
    cell = start + 4 * 2 * 3 * LIGHT.trial  # images, training sets, amplitudes
    (clear,) = (plan.estimates.calibration(metric).seconds for metric in plan.calibrations)
    assert plan.hours == pytest.approx((fits + cell + clear) / 3600)
    held = planned(store, [metric("a")], [uap("u")], inventory=TRAINED, most=3)
    assert decisions(held) == {"a u": ("waiting", "over the 3 jobs of a pipeline")}
    held = planned(
        store, [metric("a")], [uap("u")], inventory=TRAINED, preset=PRESET.model_copy(update={"gpu_hours": 0.04})
    )
    assert decisions(held) == {"a u": ("waiting", "over the 0.04 GPU hours of a pipeline")}


def test_without_its_training_data_a_universal_attack_is_skipped_and_nothing_else(store):
    absent = TRAINED.model_copy(update={"absent": {"coco": "data set coco must lie in /data/coco: put it there"}})
    told = decisions(planned(store, [metric("a")], [attack("x"), uap("u")], inventory=absent))
    assert told == {
        "a x": ("run", "never run"),
        "a u": ("skipped", "data set coco must lie in /data/coco: put it there"),
    }


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_training_set_never_becomes_yaml(name):
    job = RunnerJob("good", "fine", 1, 1, "rtx3090", "0" * 32, train=name or "x y")
    with pytest.raises(BenchError, match="must match"):
        child([job], **ARGUMENTS)
