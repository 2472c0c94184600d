"""A whole pipeline: its plan, the jobs that carry it out, and the child pipelines that hold these jobs."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import NamedTuple

from metric_robustness.pipeline import config
from metric_robustness.pipeline.ci import packing
from metric_robustness.pipeline.ci.children import child
from metric_robustness.pipeline.ci.estimates import LAST, MEASURED, Estimates, Experience
from metric_robustness.pipeline.ci.inventory import Inventory
from metric_robustness.pipeline.ci.packing import RunnerJob
from metric_robustness.pipeline.ci.plan import Capacity, Plan, Scope, make_plan
from metric_robustness.pipeline.ci.plan_file import to_json
from metric_robustness.pipeline.files import write_atomically
from metric_robustness.pipeline.store.open import open_store
from metric_robustness.pipeline.terminal import counted


class Pipeline(NamedTuple):
    """A plan with its jobs."""

    plan: Plan
    jobs: list[RunnerJob]
    children: list[str]  # the child pipelines' files, as YAML

    @property
    def summary(self) -> str:
        """Returns the numbers of cells, jobs and hours in words."""
        kinds = Counter(job.runner for job in self.jobs)
        spread = ", ".join(f"{count} on {runner}" for runner, count in sorted(kinds.items()))
        jobs = counted(len(self.jobs), "job") + (f" ({spread})" if self.jobs else "")
        return f"{counted(len(self.plan.cells), 'cell')}; {jobs}, about {self.plan.hours:.1f} hours"

    @property
    def seconds_from(self) -> str:
        """Returns of how many cells and fits the seconds are known from where; empty where nothing is run."""
        bases = self.plan.bases
        known = [f"{bases.pop(basis)} {basis}" for basis in (MEASURED, LAST) if basis in bases]
        guesses = [f"{count} {basis}" for basis, count in bases.most_common()]
        guessed = [f"{bases.total()} guessed ({', '.join(guesses)})"] if guesses else []
        return f"seconds of cells and fits: {', '.join([*known, *guessed])}" if known or guessed else ""

    def write(self, folder: Path) -> None:
        """Writes the child pipelines and plan.json."""
        for index, text in enumerate(self.children):
            write_atomically(folder / f"child-{index:02}.yml", text)
        write_atomically(folder / "plan.json", to_json(self.plan, [job.name for job in self.jobs]))


def make_pipeline(scope: Scope, inventory: Inventory, *, image: str, device: str, store: str) -> Pipeline:
    """Plans a pipeline for the runners of benchmark.yml, with estimates by what results/ holds.

    Args:
        scope: The cells to decide about.
        inventory: The data sets on the runners.
        image: The container image that the jobs run in.
        device: cpu or cuda.
        store: The result store's address.

    Raises:
        BenchError: If an argument cannot be written into a child pipeline.
        DataError: If one of these files cannot be read.
        TransientError: If the store cannot be reached.
    """
    runners = config.load().runners
    devices = [packing.CPU] if device == packing.CPU else [runner.title or tag for tag, runner in runners.items()]
    estimates = Estimates(Experience.read(), inventory, devices)
    plan = make_plan(scope, inventory, open_store(store), estimates, Capacity(runners, packing.ALL_JOBS))
    jobs = packing.jobs_of(plan, runners, device)
    children = [child(part, image=image, preset=scope.name, device=device, store=store) for part in packing.shard(jobs)]
    return Pipeline(plan, jobs, children)
