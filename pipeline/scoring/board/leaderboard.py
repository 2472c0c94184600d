"""The leaderboard as data: per data set and kind of metric, who stands where, and what is missing and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from itertools import product

from metric_robustness.pipeline.scoring.board.derived import Derived
from metric_robustness.pipeline.scoring.board.records import CONTROL, Record
from metric_robustness.pipeline.scoring.board.standing import LARGEST, Demands, Ranks, Standing, standing_of
from metric_robustness.pipeline.scoring.processes import Processes
from metric_robustness.pipeline.scoring.scores.effects import Effect
from metric_robustness.pipeline.scoring.scores.ranking import ranking

KINDS = ("NR", "FR", "video")
CITABLE = {"nightly", "full"}  # presets whose ranking may be cited
FEW = 64  # images, below which a gain is known to no better than about 10 %


@dataclass(frozen=True)
class Section:
    """The metrics of one kind on one data set."""

    dataset: str
    kind: str
    gradients: bool  # whether the metrics have them: those without stand apart, since fewer attacks know a way
    preset: str
    images: int
    attacks: dict[str, str]  # attack -> family, the control last
    families: list[str]
    standings: list[Standing]
    p_better: dict[str, dict[str, float]]  # [A][B]: P(A above B), of the ranked metrics
    detectable: float | None  # the least difference of two metrics' gains that these images can show to differ from 0

    @property
    def title(self) -> str:
        """Returns what stands above the section."""
        without = "" if self.gradients else " without gradients"
        return f"{self.kind if self.kind.isupper() else self.kind.capitalize()} metrics{without} on {self.dataset}"

    def attacks_of(self, name: str) -> list[str]:
        """Returns the attacks of a family, or the attack of that name."""
        return [attack for attack, family in self.attacks.items() if name in {attack, family}]

    @property
    def budgets(self) -> list[int]:
        """Returns the budgets of the section's security curves, in 255ths; nothing where there are none."""
        curves = (standing.effects.curve for standing in self.standings)
        return next((list(curve.effects) for curve in curves if curve), [])

    @property
    def unit(self) -> str:
        """Returns what is scored as a whole."""
        return "clip" if self.kind == "video" else "image"

    @property
    def caption(self) -> str:
        """Returns what the section was made from, and whether it may be cited."""
        preset = f"Preset {self.preset}" if self.preset else "No preset"
        images = f"{self.images} {self.unit}{'' if self.images == 1 else 's'}"
        citable = self.images >= FEW and set(self.preset.split("+")) <= CITABLE
        return f"{preset}, data set {self.dataset}, {images}" + (
            "" if citable else ": an illustration, not a ranking to cite"
        )


@dataclass(frozen=True)
class Gap:
    """A cell that is not on the leaderboard."""

    metric: str
    attack: str
    dataset: str
    status: str
    reason: str


@dataclass(frozen=True)
class Leaderboard:
    """All sections, and all cells that are in none of them."""

    sections: list[Section]
    gaps: list[Gap] = field(default_factory=list)

    @property
    def gaps_by_reason(self) -> list[Gap]:
        """Returns the gaps, those of a metric with one reason as one, its attacks joined by commas."""
        together: dict[tuple[str, ...], list[str]] = {}
        for gap in self.gaps:
            together.setdefault((gap.metric, gap.dataset, gap.status, gap.reason), []).append(gap.attack)
        return [Gap(metric, ", ".join(attacks), *rest) for (metric, *rest), attacks in together.items()]

    @property
    def captions(self) -> list[str]:
        """Returns the captions of the sections, each once."""
        return list(dict.fromkeys(section.caption for section in self.sections))


def build(records: list[Record], processes: Processes | None = None) -> Leaderboard:
    """Returns the leaderboard of the records. Fixed scaling ranks: smallest worst-case absolute gain first.

    Args:
        records: All of them, as `consistency.together` returns them.
        processes: The processes that resample metrics in parallel where there are many rows.
    """
    workers = processes or Processes()
    gaps = [
        Gap(record.metric, record.attack + (f":{record.variant}" if record.variant else ""), record.dataset, *why)
        for record in records
        if (why := _why_not(record))
    ]
    on_board = [record for record in records if record.stamp and not record.off_board]
    sections = []
    for dataset in sorted({record.dataset for record in on_board}):
        for kind, gradients in product(KINDS, (True, False)):
            group = (dataset, kind, gradients)
            part = [record for record in on_board if (record.dataset, record.kind, record.differentiable) == group]
            if part:
                section, never_run = _section(*group, part, workers)
                sections.append(section)
                gaps += never_run
    return Leaderboard(sections, sorted(set(gaps), key=lambda gap: (gap.metric, gap.attack, gap.dataset, gap.reason)))


def _why_not(record: Record) -> tuple[str, str] | None:
    """Returns status and reason of a record that is not on the leaderboard."""
    if record.status == "spared":
        return None  # it is no gap: the table says so in its place
    if record.status != "done":
        return record.status, record.reason
    return ("off the leaderboard", record.off_board) if record.off_board else None


def _section(
    dataset: str, kind: str, gradients: bool, records: list[Record], processes: Processes
) -> tuple[Section, list[Gap]]:
    suite = [record for record in records if not record.sent_in] or records  # what was sent in ranks where it is alone
    families = {record.attack: record.family for record in suite if record.status != "skipped"}
    attacks = dict(sorted(families.items(), key=lambda item: (item[1] == CONTROL, item[1], item[0])))
    demands = Demands.of(suite)
    sent = _by_metric(record for record in records if record.sent_in) if suite is not records else {}
    jobs = [(own, attacks, demands, sent.get(metric, [])) for metric, own in _by_metric(suite).items()]
    standings = Derived(standing_of, list[Standing]).of(jobs, processes)
    whole = {each.metric for each in standings if demands.attacks and not demands.attacks & each.missing.keys()}
    standings.sort(key=lambda standing: (standing.metric not in whole, standing.gain, standing.metric))
    sure = ranking(
        {each.metric: worst.gains for each in standings if each.metric in whole and (worst := each.effects.worst)}
    )
    section = Section(
        dataset=dataset,
        kind=kind,
        gradients=gradients,
        preset="+".join(sorted({record.stamp.preset for record in records if record.stamp} - {""})),
        images=max(record.n for record in records),
        attacks=attacks,
        families=sorted({family for attack, family in attacks.items() if attack in demands.attacks}),
        standings=_ranked(standings, whole, sure.intervals),
        p_better=sure.p_better,
        detectable=sure.detectable,
    )
    known = {(record.metric, record.attack) for record in records}
    never_run = [
        Gap(standing.metric, attack, dataset, "missing", reason)
        for standing in standings
        for attack, reason in standing.missing.items()
        if (standing.metric, attack) not in known
    ]
    never_run += [
        Gap(standing.metric, attack, dataset, "not counted", reason)
        for standing in standings
        for attack, reason in standing.not_counted.items()
    ]
    return section, never_run


def _by_metric(records: Iterable[Record]) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = {}
    for record in sorted(records, key=lambda record: record.metric):
        found.setdefault(record.metric, []).append(record)
    return found


def _ranked(
    standings: Sequence[Standing], whole: AbstractSet[str], intervals: Mapping[str, tuple[int, int]]
) -> list[Standing]:
    """Returns the standings, smallest worst case first, with their ranks by worst case, within each budget and by fall.

    Args:
        standings: In the order of their worst cases, those that are not ranked last.
        whole: The metrics that are ranked within the whole budget. Within smaller ones all are that have a curve, since
            it wants every attack there.
        intervals: Where each of them stands in 95 % of the resamples.
    """
    curves = {each.metric: each.effects.curve.effects for each in standings if each.effects.curve}
    within = {
        budget: _places(
            {name: _gain(each[budget]) for name, each in curves.items() if budget < LARGEST or name in whole}
        )
        for budget in {budget for effects in curves.values() for budget in effects}
    }
    falls = _places(
        {each.metric: -_gain(each.effects.fall) for each in standings if each.metric in whole and each.effects.fall}
    )
    return [
        replace(
            standing,
            ranks=Ranks(
                place if standing.metric in whole else None,
                intervals.get(standing.metric),
                {budget: places[standing.metric] for budget, places in within.items() if standing.metric in places},
                falls.get(standing.metric),
            ),
        )
        for place, standing in enumerate(standings, 1)
    ]


def _places(moves: Mapping[str, float]) -> dict[str, int]:
    """Returns each metric's rank, the smallest move first."""
    return {name: place for place, name in enumerate(sorted(moves, key=lambda name: (moves[name], name)), 1)}


def _gain(effect: Effect) -> float:
    return effect.scores["absolute_gain"]
