"""plan.json: the plan as a file, for the job that gathers the results."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

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
