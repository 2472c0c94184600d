"""The stamp: what a cell's rows were made from, so that a number can be traced and a cell skipped or run again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict

from metric_robustness.pipeline.cells.sealed_model import SealedModel

if TYPE_CHECKING:
    from metric_robustness.pipeline.catalogue.entry import Entry
    from metric_robustness.pipeline.cells.cell import Cell

PROTOCOL = 4  # raise it when a number, or a name in rows or stamps, changes its meaning: every cell is run again

Status = Literal["done", "failed", "skipped"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


class MetricFacts(_Frozen):
    """What scoring needs to know about a metric."""

    name: str
    title: str
    kind: Literal["NR", "FR", "video"]
    higher_is_better: bool
    differentiable: bool = True
    score_range: tuple[float, float]
    fingerprint: str


class AttackFacts(_Frozen):
    """What scoring needs to know about an attack."""

    name: str
    title: str
    family: str
    access: Literal["white", "black"]
    fingerprint: str
    settings: dict[str, Any]  # the dataclass fields as run, e.g. eps
    variants: dict[str, dict[str, Any]] = {}


class DatasetFacts(_Frozen):
    """Which images were asked for, which of them gave no row and why, and what else is to be said of the files."""

    name: str
    digest: str
    images: int
    clips: int = 0  # how many clips they are frames of
    excluded: dict[str, str] = {}  # image -> reason
    remarks: dict[str, int] = {}  # what else happened to files, as a conversion of their colours -> to how many
    unread: dict[str, str] = {}  # files that are no images, by suffix, as *.heic -> how many they are, and their names

    @property
    def passed_over(self) -> dict[str, str]:
        """Returns everything in the data set's folder that gave no row, each with the reason."""
        return self.excluded | self.unread


class Probe(_Frozen):
    """A few measurements of a metric on a few images of a data set, from which scoring judges its gradients.

    Scores are in parts of the declared range, turned so that higher is better; null where there is no gradient.
    """

    images: int
    repeat_shift: float  # the largest difference between two scores of one image
    batch_shift: float = 0  # the largest difference between an image's score alone and in a batch with others
    problem: str = ""  # why there is no gradient, of a metric that should have one
    slope: float | None = None  # how fast the score rises along its gradient, as a multiple of what the gradient says
    unseen_share: float | None = None  # how far pixels without gradient move the score, as a part of what all pixels do
    gains: dict[int, float] = {}  # eps in 255ths -> mean gain of as many sign steps
    free_end: float | None = None  # mean score after the last of them
    free_best: float | None = None  # median over the images of the best score that a search without limit reached


class Stamp(SealedModel):
    """Stands beside every cell's CSV; alone where a cell failed or was skipped."""

    status: Status
    reason: str = ""
    metric: MetricFacts
    attack: AttackFacts
    datasets: list[DatasetFacts]
    train: list[DatasetFacts] = []  # of a universal attack
    settings: dict[str, Any]  # overrides, dtype, jpeg: what the rows depend on besides code and data
    preset: str
    key: str  # hash of everything the rows depend on: equal keys, equal rows
    protocol: int | None = None  # PROTOCOL when the cell was run; older stamps lack it
    rows: int = 0
    sha256: str = ""  # of the CSV
    seconds: dict[str, float] = {}  # per variant ("" is the default), attack and scoring together
    purifying: dict[str, float] = {}  # defence -> seconds per image of the defence alone, on this machine
    flaws: dict[str, dict[str, int]] = {}  # per variant: images whose gradients were zero or not finite
    spared: dict[str, str] = {}  # by data set: why the attack was not needed on it
    searched: dict[str, str] = {}  # by data set: on which copy of the metric the attack searched, or why on none
    probes: dict[str, Probe] = {}  # by data set
    gpu_memory: float = 0  # GiB that the GPU held at most; 0 on a CPU
    machine: dict[str, str] = {}  # device, host, package versions, image digest
    commit: str = ""
    finished: str = ""  # when, in UTC


def passed_over_of(stamp: Stamp) -> list[tuple[str, str]]:
    """Returns everything in all data sets and training sets that gave no row, each with the reason."""
    return [named for facts in (*stamp.datasets, *stamp.train) for named in facts.passed_over.items()]


def stamp_of(
    cell: Cell,
    status: Status,
    reason: str = "",
    *,
    datasets: Iterable[DatasetFacts],
    train: Iterable[DatasetFacts] = (),
    preset: str,
    run: Mapping[str, Any] | None = None,
) -> Stamp:
    """Returns the stamp of a cell: the only place that builds one.

    Args:
        cell: The cell.
        status: How it ended.
        reason: Why it failed or was skipped.
        datasets: Its images.
        train: The training sets, of a universal attack.
        preset: The preset's name.
        run: Further fields that only a run knows, such as `rows` and `seconds`; `attack_settings` are the attack's
            fields as it ran.
    """
    known = dict(run or {})
    return Stamp(
        status=status,
        reason=reason,
        metric=metric_facts(cell.metric),
        attack=AttackFacts(
            name=cell.attack.name,
            title=cell.attack.title,
            family=cell.attack.fields.get("family", ""),
            access=cell.attack.fields.get("access", "white"),
            fingerprint=cell.attack.fingerprint,
            **known.pop("attack_settings", {"settings": {}}),
        ),
        datasets=list(datasets),
        train=list(train),
        settings=cell.settings.facts,
        preset=preset,
        key=cell.key,
        protocol=PROTOCOL,
        **known,
    )


def metric_facts(entry: Entry) -> MetricFacts:
    """Returns what the stamp says about a metric; of one whose file is broken little is known."""
    fields: dict[str, Any] = entry.fields
    return MetricFacts(
        name=entry.name,
        title=entry.title,
        kind=entry.kind or "NR",  # type: ignore[arg-type]  # the catalogue knows no other
        higher_is_better=fields.get("higher_is_better", True),
        differentiable=fields.get("differentiable", True),
        score_range=fields.get("score_range", (0, 1)),
        fingerprint=entry.fingerprint,
    )
