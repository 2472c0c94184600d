"""What a plan and the published tables need of the store: `store prune` removes none of it."""

from __future__ import annotations

import pytest
from planning import TRAINED, past

from metric_robustness.pipeline import config
from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.cells.cell import Cell, clear_key, probe_key
from metric_robustness.pipeline.cells.fit import fits_of
from metric_robustness.pipeline.cells.settings import settings_of
from metric_robustness.pipeline.ci.plan_file import PlanFile, PlannedCell
from metric_robustness.pipeline.ci.wanted import wanted_by
from metric_robustness.pipeline.errors import DataError

PRESET = "nightly"


def cell(metric: str = "psnr", attack: str = "generative_uap") -> Cell:
    entries = lookup.find("metrics", metric), lookup.find("attacks", attack)
    return Cell(*entries, TRAINED.digests, settings_of(config.load().preset(PRESET)), TRAINED.trained_on)


def plan(action: str, key: str = "") -> PlanFile:
    wanted = cell()
    line = PlannedCell(
        metric=wanted.metric.name,
        attack=wanted.attack.name,
        key=key or wanted.key,
        action=action,
        reason="",
        seconds=0,
    )
    return PlanFile(preset=PRESET, inventory=TRAINED, cells=[line], jobs=[])


@pytest.mark.parametrize(("action", "continued"), [("run", True), ("waiting", True), ("done", False)])
def test_a_plan_needs_its_cells_their_patterns_and_the_work_that_it_continues(action, continued):
    found = wanted_by(plan(action), {})
    fits = fits_of(cell())
    assert len(fits) >= 2
    assert found >= {("cells", cell().key), *(("fits", fit.key) for fit in fits)}
    assert (found >= {("unfinished", cell().key), *(("unfinished", fit.key) for fit in fits)}) == continued


def test_a_plan_needs_the_clear_scores_of_all_metrics_on_its_images():
    found = wanted_by(plan("done"), {})
    settings = cell().settings
    asked = [cell().metric, *cell().defended(), lookup.find("metrics", "ssim")]
    for metric in asked:
        for distortion in settings.distortions:
            for data in TRAINED.digests.values():
                assert ("clear", clear_key(metric, data, distortion)) in found
                assert ("clear", probe_key(metric, data, distortion)) in found


def test_the_published_tables_need_the_cells_that_they_show():
    old = "0123456789abcdef" * 2
    history = past(lookup.find("metrics", "ssim"), lookup.find("attacks", "fgsm"), old)
    assert ("cells", old) in wanted_by(plan("done"), history)


def test_a_plan_of_another_checkout_says_nothing_of_this_one():
    with pytest.raises(DataError, match="the plan must be of this checkout"):
        wanted_by(plan("done", "f" * 32), {})
