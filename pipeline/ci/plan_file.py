"""plan.json: the plan as a file, for the job that gathers the results."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from metric_robustness.pipeline import config
from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.cells.cell import Cell
from metric_robustness.pipeline.cells.settings import settings_of
from metric_robustness.pipeline.ci.inventory import Inventory
from metric_robustness.pipeline.ci.plan import Plan
from metric_robustness.pipeline.errors import DataError, invalid


class _PlanModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PlannedCell(_PlanModel):
    """The decision about a cell."""

    metric: str
    attack: str
    key: str  # empty where the entry cannot be read
    action: Literal["run", "done", "skipped", "failed", "waiting"]
    reason: str
    seconds: float  # estimated


class PlanFile(_PlanModel):
    """A plan as the file holds it."""

    preset: str
    inventory: Inventory
    cells: list[PlannedCell]
    jobs: list[str]  # the names of all jobs, in all child pipelines


def to_json(plan: Plan, jobs: list[str]) -> str:
    """Returns a plan as JSON.

    Args:
        plan: The plan.
        jobs: The names of its jobs.
    """
    cells = [
        PlannedCell(
            metric=planned.cell.metric.name,
            attack=planned.cell.attack.name,
            key=planned.cell.key,
            action=planned.action,
            reason=planned.reason,
            seconds=round(planned.seconds, 1),
        )
        for planned in plan.cells
    ]
    file = PlanFile(preset=plan.preset, inventory=plan.inventory, cells=cells, jobs=jobs)
    return file.model_dump_json(indent=1) + "\n"


def read_plan(path: Path) -> PlanFile:
    """Returns the plan of a file.

    Raises:
        DataError: If the file holds no plan.
    """
    try:
        return PlanFile.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise DataError(f"{path} must be what `plan --out` wrote; got {invalid(error)}: plan again") from error


def cell_of(planned: PlannedCell, plan: PlanFile) -> Cell:
    """Returns a planned cell, with the key that it was planned with.

    Raises:
        DataError: If the checkout is not the one that the plan was made from.
    """
    metric, attack = lookup.find("metrics", planned.metric), lookup.find("attacks", planned.attack)
    settings = settings_of(config.load().preset(plan.preset))
    cell = Cell(metric, attack, plan.inventory.digests, settings, plan.inventory.trained_on)
    if cell.key != planned.key:
        raise DataError(
            f"the plan must be of this checkout; {planned.metric} {planned.attack} was planned from another: plan again"
        )
    return cell
