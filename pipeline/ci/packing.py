"""Distributes jobs: each over the kinds of GPU and over the child pipelines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from metric_robustness.pipeline.catalogue.entry import Entry
from metric_robustness.pipeline.cells.fit import Fit
from metric_robustness.pipeline.ci.estimates import RESERVE, Estimates
from metric_robustness.pipeline.ci.plan import Plan, Planned
from metric_robustness.pipeline.config import Runner

CPU = "cpu"  # the runner of a pipeline without GPUs: jobs without a tag
SHARDS = 16  # child pipelines that .gitlab-ci.yml triggers
MOST_JOBS = 190  # of a child: GitLab's memory limit allows a file of 200 jobs
ALL_JOBS = SHARDS * MOST_JOBS - SHARDS  # of a pipeline; one job of each child is spare for a metric that is split


@dataclass(frozen=True)
class RunnerJob:
    """A job of a child pipeline: a metric's clear scores, a fit, or a cell."""

    metric: str
    attack: str  # empty for the clear scores
    seconds: float
    memory: float  # GB
    runner: str = CPU
    key: str = ""
    train: str = ""  # of a fit, the training set

    @property
    def name(self) -> str:
        """Returns the job's name."""
        if self.train:
            return f"fit {self.metric} {self.attack} {self.train}"
        return f"{self.metric} {self.attack}" if self.attack else f"calibrate {self.metric}"


def jobs_of(plan: Plan, runners: Mapping[str, Runner], device: str) -> list[RunnerJob]:
    """Returns the jobs of a plan, each with the runner that it waits for."""
    jobs = [_calibration(metric, plan.estimates) for metric in plan.calibrations]
    jobs += [_fit(fit, plan.estimates) for planned in plan.to_run for fit in planned.fits]
    jobs += [_cell(planned) for planned in plan.to_run]
    return jobs if device == CPU else assign(jobs, runners)


def assign(jobs: Sequence[RunnerJob], runners: Mapping[str, Runner]) -> list[RunnerJob]:
    """Gives each job a kind of GPU: the longest job first, on the GPU that is free first (LPT, Graham 1969).

    Jobs that do not fit into every kind of GPU go before all others, since they have less choice.
    """
    free = {tag: [0.0] * runner.gpus for tag, runner in runners.items()}
    assigned = {}
    for job in sorted(jobs, key=lambda job: (-len(_too_small(job, runners)), -job.seconds, job.name)):
        tag = min(sorted(free.keys() - _too_small(job, runners)), key=lambda tag: min(free[tag]))
        gpu = free[tag].index(min(free[tag]))
        free[tag][gpu] += job.seconds
        assigned[job.name] = tag
    return [replace(job, runner=assigned[job.name]) for job in jobs]


def shard(jobs: Sequence[RunnerJob]) -> list[list[RunnerJob]]:
    """Distributes jobs over the child pipelines; a metric's jobs stay together, since its cells need its clear scores.

    Returns:
        One list per child, some of them empty.
    """
    children: list[list[RunnerJob]] = [[] for _ in range(SHARDS)]
    groups: dict[str, list[RunnerJob]] = {}
    for job in jobs:
        groups.setdefault(job.metric, []).append(job)
    parts = [group[start : start + MOST_JOBS] for group in groups.values() for start in range(0, len(group), MOST_JOBS)]
    for part in sorted(parts, key=len, reverse=True):
        room = part
        while room:
            child = min(children, key=len)
            taken = MOST_JOBS - len(child)
            child += room[:taken]
            room = room[taken:]
    return children


def _too_small(job: RunnerJob, runners: Mapping[str, Runner]) -> set[str]:
    return {tag for tag, runner in runners.items() if runner.memory - RESERVE < job.memory}


def _calibration(metric: Entry, estimates: Estimates) -> RunnerJob:
    return RunnerJob(metric.name, "", estimates.calibration(metric).seconds, float(metric.fields.get("gpu_memory", 8)))


def _fit(fit: Fit, estimates: Estimates) -> RunnerJob:
    memory = float(fit.metric.fields.get("gpu_memory", 8))
    seconds = estimates.fit(fit).seconds
    return RunnerJob(fit.metric.name, fit.attack.name, seconds, memory, key=fit.key, train=fit.train)


def _cell(planned: Planned) -> RunnerJob:
    cell = planned.cell
    return RunnerJob(cell.metric.name, cell.attack.name, planned.seconds, planned.memory, key=cell.key)
