"""Writes the site: a page per metric and per attack, and the pages that all of them share."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from metric_robustness.pipeline.cells.stamp import AttackFacts, MetricFacts, Stamp
from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.files import write_atomically
from metric_robustness.pipeline.scoring.board.leaderboard import Leaderboard, Section
from metric_robustness.pipeline.scoring.board.records import BUDGET
from metric_robustness.pipeline.scoring.board.standing import Standing
from metric_robustness.pipeline.scoring.read.cells import StoredCell, find_cells, read_cell
from metric_robustness.pipeline.scoring.scores.effects import LEVEL_ERROR
from metric_robustness.pipeline.scoring.scores.overtaken import ANY
from metric_robustness.pipeline.scoring.tables.overtaken import OvertakenLine
from metric_robustness.pipeline.scoring.tables.write import what_defences_did, what_transferred, what_was_overtaken
from metric_robustness.pipeline.site import details, downloads
from metric_robustness.pipeline.site.accuracy import Accuracy, accuracy
from metric_robustness.pipeline.site.addresses import address
from metric_robustness.pipeline.site.controls import controls
from metric_robustness.pipeline.site.defence_maps import defence_maps
from metric_robustness.pipeline.site.excluded import ExcludedImage, excluded_images
from metric_robustness.pipeline.site.gallery import Exhibit, Gallery, Preview
from metric_robustness.pipeline.site.pages import Pages
from metric_robustness.pipeline.site.points import estimate
from metric_robustness.pipeline.site.profile import profile
from metric_robustness.pipeline.site.speed import Speed, speed
from metric_robustness.pipeline.site.transfer_maps import transfer_maps
from metric_robustness.pipeline.site.views import views

# Names the files of a site: the next one deletes those of them that it does not write, and nothing else.
WRITTEN = "assets/written.txt"
SHARED = ("index.html", "heatmap.html", "attacks.html", "plots.html", "downloads.html", "about.html")


@dataclass
class AttackView:
    """An attack, and what it did to every metric."""

    facts: AttackFacts
    results: list[tuple[Section, list[Standing]]] = field(default_factory=list)
    patterns: list[Preview] = field(default_factory=list)  # of a universal attack, sorted by metric


@dataclass
class MetricView:
    """A metric, and where it stands on every data set."""

    facts: MetricFacts
    places: list[tuple[Section, Standing]] = field(default_factory=list)
    exhibits: dict[str, dict[str, list[Exhibit]]] = field(default_factory=dict)  # data set -> attack -> images
    patterns: dict[str, list[Preview]] = field(default_factory=dict)  # universal attack -> a pattern per training set
    profiles: dict[str, dict[str, Any]] = field(default_factory=dict)  # data set -> attack -> what the plots draw
    excluded: dict[str, list[ExcludedImage]] = field(default_factory=dict)  # data set -> images that do not count
    flicker: dict[str, dict[str, float]] = field(default_factory=dict)  # data set -> attack on clips -> 255ths
    overtaken: dict[str, list[OvertakenLine]] = field(default_factory=dict)  # data set -> a line per budget


@dataclass(frozen=True)
class WorstImage:
    """The image that the front page shows: how far an attack moved a metric on it."""

    gain: float
    metric: str
    attack: str
    exhibit: Exhibit


def write_site(board: Leaderboard, source: Path, out: Path, ranges: Path | None = None) -> None:
    """Writes the site into the folder where the tables are; the same cells give the same bytes.

    Args:
        board: The leaderboard of the run folder; the pages show what leaderboard.json holds.
        source: The run folder: cells, and saved images where there are any.
        out: The folder of the tables, which say what there is to show; `index.html` is the page to open.
        ranges: The file of measured ranges that the tables were made with.

    Raises:
        BenchError: If `out` cannot be written to.
    """
    found = [(path, Stamp.read(path.with_suffix(".json"))) for path in find_cells([source])]
    stamped = {path: stamp for path, stamp in found if stamp}
    citation = downloads.citation(stamped.values())
    write_atomically(out / "rows.zip", downloads.zip_rows([path for path, _ in found], source))
    write_atomically(out / "citation.bib", citation)
    attacks = _attacks(board, stamped.values())
    lines, missing = what_defences_did([source], ranges)
    defences = list(defence_maps(lines))
    crossed = what_transferred([source], ranges) if (out / "transfer.csv").is_file() else []
    transfers = list(transfer_maps(crossed))
    pages = Pages(
        out,
        board=board,
        access={name: view.facts.access for name, view in attacks.items()},
        has_defences=bool(defences),
        has_transfer=bool(transfers),
    )
    gallery = Gallery(source)
    contests = what_was_overtaken([source], ranges) if (out / "overtaken.csv").is_file() else []
    speeds: dict[str, Speed] = {}
    proof: WorstImage | None = None
    for facts, paths in _metrics(stamped):
        cells = [read_cell(path) for path in paths]  # of one metric at a time: those of all would take much memory
        if timed := speed(cells):
            speeds[facts.name] = timed
        view = _metric(facts, board, cells, gallery)
        for line in contests:
            if line.contest.metric == facts.name and line.contest.apart == ANY:
                view.overtaken.setdefault(line.contest.dataset, []).append(line)
        proof = max([proof, *_proofs(view)], key=lambda one: one.gain if one else -math.inf)
        for name, patterns in view.patterns.items():
            attacks[name].patterns += patterns
        pages.write(address("metrics", facts.name), "metric.html", view=view, details=list(_details(pages, view)))
    for name, attack in attacks.items():
        pages.write(address("attacks", name), "attack.html", view=attack)
    _write_ranking(pages, board, proof, missing)
    pages.write("heatmap.html", "heatmap.html")
    pages.write("attacks.html", "attacks.html", attacks=attacks)
    rated = [accuracy(board, section) for section in board.sections]
    pages.write("plots.html", "plots.html", speeds=speeds, rated=rated, data=_points(board, speeds, rated))
    if defences:
        pages.write("defences.html", "defences.html", maps=defences)
    if transfers:
        pages.write("transfer.html", "transfer.html", maps=transfers)
    there = {name: what for name, what in downloads.FILES.items() if (out / name).is_file()}
    pages.write("downloads.html", "downloads.html", files=there, citation=citation)
    pages.write("about.html", "about.html")
    pages.write_assets()
    for path, content in gallery.files.items():
        pages.write_bytes(path, content)
    for name in _earlier(out) - pages.written:
        (out / name).unlink(missing_ok=True)
    write_atomically(out / WRITTEN, "".join(f"{name}\n" for name in sorted(pages.written)))


def require_own_pages(out: Path) -> None:
    """Raises BenchError if a folder holds a page that the site would replace and no report wrote."""
    ours = (out / WRITTEN).exists() or (out / "leaderboard.json").exists()
    if foreign := [name for name in SHARED if not ours and (out / name).exists()]:
        raise BenchError(f"{out} holds {foreign[0]}, which no report wrote and this one replaces: choose another --out")


def _earlier(out: Path) -> set[str]:
    """Returns the files of the site that is there; none if it was written before sites listed them."""
    listed = (out / WRITTEN).read_text(encoding="utf-8").splitlines() if (out / WRITTEN).is_file() else []
    return {name for name in listed if not name.startswith("/") and ".." not in name.split("/")}


def _attacks(board: Leaderboard, stamps: Collection[Stamp]) -> dict[str, AttackView]:
    """Returns every attack that a stamp names, by name; its settings are the defaults if a stamp has them."""
    facts: dict[str, AttackFacts] = {}
    for stamp in stamps:
        if not stamp.settings.get("overrides"):
            facts.setdefault(stamp.attack.name, stamp.attack)
    for stamp in stamps:  # for an attack that ran only with --set
        facts.setdefault(stamp.attack.name, stamp.attack)
    views = {name: AttackView(facts[name]) for name in sorted(facts)}
    for section in board.sections:
        for name in section.attacks:
            reached = [standing for standing in section.standings if name in standing.effects.attacks]
            reached.sort(key=lambda standing: (standing.effects.attacks[name].scores["absolute_gain"], standing.metric))
            views[name].results.append((section, reached))
    return views


def _metrics(stamped: Mapping[Path, Stamp]) -> Iterator[tuple[MetricFacts, list[Path]]]:
    """Yields every metric that a stamp names, with the paths of its cells."""
    by_name = sorted(stamped, key=lambda path: (stamped[path].metric.name, path))
    for _, group in itertools.groupby(by_name, key=lambda path: stamped[path].metric.name):
        paths = list(group)
        yield stamped[paths[0]].metric, paths


def _metric(facts: MetricFacts, board: Leaderboard, cells: list[StoredCell], gallery: Gallery) -> MetricView:
    view = MetricView(facts)
    for section in board.sections:
        for standing in section.standings:
            if standing.metric == facts.name:
                view.places.append((section, standing))
                view.excluded[section.dataset] = excluded_images(cells, section.dataset)
                _look_at_rows(view, section, standing, cells, gallery)
    for cell in cells:
        if cell.stamp and not cell.stamp.settings.get("overrides") and (patterns := gallery.patterns(cell)):
            view.patterns[cell.attack] = patterns
    return view


def _look_at_rows(
    view: MetricView, section: Section, standing: Standing, cells: list[StoredCell], gallery: Gallery
) -> None:
    for cell in cells:
        if standing.scale is None or cell.attack not in standing.effects.attacks:
            continue
        there = (cell.rows["dataset"].to_numpy() == section.dataset) & (cell.rows["variant"].to_numpy() == "")
        rows = cell.rows if there.all() else cell.rows[there]
        if rows.empty:
            continue
        gained = rows.assign(
            gain=standing.scale(rows["attacked"].to_numpy()) - standing.scale(rows["clear"].to_numpy())
        )
        view.profiles.setdefault(section.dataset, {}).setdefault(cell.attack, profile(rows, standing.scale))
        if math.isfinite(flicker := float(rows["flicker"].mean())):
            view.flicker.setdefault(section.dataset, {})[cell.attack] = flicker
        if shown := gallery.of(cell, gained):
            view.exhibits.setdefault(section.dataset, {})[cell.attack] = shown


def _details(pages: Pages, view: MetricView) -> Iterator[dict[str, str]]:
    """Writes what the page of a metric loads later; yields for each of its data sets where it is."""
    for index, (section, standing) in enumerate(view.places, 1):
        found = {}
        if section.dataset in view.profiles:
            path = details.of_metric(view.facts.name, index, "points")
            found["points"] = pages.write_detail(path, view.profiles[section.dataset])
        if len(standing.effects.variants) > details.LONG:
            told = pages.render("metric_variants.html", root="../", section=section, standing=standing)
            found["variants"] = pages.write_detail(details.of_metric(view.facts.name, index, "variants"), told)
        yield found


def _write_ranking(pages: Pages, board: Leaderboard, proof: WorstImage | None, without_bare: list[str]) -> None:
    shown = list(views(board))
    standings = [standing for section in board.sections for standing in section.standings]
    lists: dict[str, list[Any]] = {
        "flagged": [standing for standing in standings if standing.flags],
        "sparing": [standing for standing in standings if standing.spared],
        "gaps": board.gaps_by_reason,
    }
    pages.write(
        "index.html",
        "ranking.html",
        views=shown,
        controls=controls(board, shown),
        proof=proof,
        without_bare=without_bare,
        details=details.of_ranking(pages, board, shown),
        lists=details.of_lists(pages, **lists),
        **lists,
    )


def _proofs(view: MetricView) -> Iterator[WorstImage]:
    """Yields the images of a metric that were attacked within the whole budget, and are there before and after."""
    for section, standing in view.places:
        for attack, exhibits in view.exhibits.get(section.dataset, {}).items():
            for exhibit in exhibits:
                if exhibit.clear and standing.scale and exhibit.linf <= BUDGET + LEVEL_ERROR:
                    before, after = standing.scale(np.array([exhibit.clear_score, exhibit.attacked_score]))
                    yield WorstImage(float(after - before), view.facts.name, attack, exhibit)


def _points(board: Leaderboard, speeds: dict[str, Speed], rated: Sequence[Accuracy | None]) -> list[dict[str, Any]]:
    """Returns what the plots of all metrics draw: a dictionary per section."""
    return [
        {
            "metrics": [
                {
                    "metric": standing.metric,
                    "rank": standing.rank,
                    "ranks": standing.ranks.interval,
                    "gain": estimate(standing.effects.worst),
                    "seconds": speeds[standing.metric].seconds if standing.metric in speeds else None,
                    "srocc": agreed.srocc.get(standing.metric) if agreed else None,
                }
                for standing in section.standings
                if standing.effects.worst
            ],
        }
        for section, agreed in zip(board.sections, rated, strict=True)
    ]
