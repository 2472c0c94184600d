"""The command `catalogue`: writes docs/metrics.md, docs/attacks.md and docs/defences.md, which list all entries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from metric_robustness.pipeline import places
from metric_robustness.pipeline.catalogue.entry import Entry
from metric_robustness.pipeline.catalogue.lookup import entries
from metric_robustness.pipeline.cli.options import BEHIND, register
from metric_robustness.pipeline.cli.pages.attack_table import COLUMNS, HEAD, attack_row, count_attacks, formulas
from metric_robustness.pipeline.cli.pages.robust_table import robust_training
from metric_robustness.pipeline.files import write_atomically
from metric_robustness.pipeline.terminal import out


@dataclass(frozen=True)
class Page:
    """A page that lists the entries of one folder."""

    folder: str  # of the entries, and the page's name
    head: str
    count: Callable[[list[Entry]], str]  # the line above the table
    columns: tuple[str, ...]
    row: Callable[[Entry], tuple[str, ...]]  # one text per column
    takes: Callable[[Entry], bool] = lambda entry: not entry.problem  # whether the page lists the entry
    tail: Callable[[], str] = lambda: ""  # the text below the table

    @property
    def path(self) -> Path:
        """Returns the page's path."""
        return places.checkout() / "docs" / f"{self.folder}.md"

    @property
    def text(self) -> str:
        """Returns the page's text, from the entries' files as they are now."""
        from metric_robustness.pipeline.scoring.tables.markdown_text import table

        usable = [entry for entry in entries(self.folder).values() if self.takes(entry)]
        shown = table(self.columns, [self.row(entry) for entry in usable], links=True)
        return f"{self.head}\n{self.count(usable)}\n\n{shown}{self.tail()}"

    def write(self) -> Path:
        """Writes the page and returns its path."""
        self.path.parent.mkdir(exist_ok=True)
        write_atomically(self.path, self.text)
        return self.path


def _count_metrics(metrics: list[Entry]) -> str:
    unverified = sum(not entry.fields.get("verified") for entry in metrics)
    counts = {kind: sum(entry.kind == kind for entry in metrics) for kind in ("NR", "FR", "video")}
    kinds = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
    return f"{len(metrics)} metrics: {kinds}; {unverified} of them unverified."


def _metric(entry: Entry) -> tuple[str, ...]:
    fields: dict[str, Any] = entry.fields
    low, high = fields["score_range"]
    access = "white" if fields.get("differentiable", True) else "black"
    alone = ", one by one" if fields.get("batch_dependent") else ""
    random = ", random" if fields.get("random") else ""
    return (
        entry.name,
        entry.kind,
        "higher" if fields["higher_is_better"] else "lower",
        f"{low:g} to {high:g}",
        fields.get("trained_on", ""),
        f"{access}{alone}{random}",
        f"{fields.get('cost', 'light')}, {fields.get('gpu_memory', 8)} GB",
        fields.get("licence", ""),
        fields.get("verified", "") or "unverified",
    )


def _count_defences(defences: list[Entry]) -> str:
    presets = sum(len(entry.fields["presets"]) for entry in defences)
    small = sum(entry.fields["small"] for entry in defences)
    return f"{len(defences)} purifications with {presets} presets beside their defaults; {small} of them small."


def _defence(entry: Entry) -> tuple[str, ...]:
    fields: dict[str, Any] = entry.fields
    weights = ", ".join(weight.rpartition("/")[2] for weight in fields["weights"])
    ours = "ours, small" if fields["small"] else "ours"
    source = ours if any(weight.startswith("weights/") for weight in fields["weights"]) else "downloaded"
    presets = [f"{name}: {_settings(changes)}" for name, changes in fields["presets"].items()]
    return (
        entry.name,
        entry.title,
        _settings(entry.settings),
        "; ".join(presets),
        "yes" if fields["differentiable"] else "straight through",
        "yes" if fields["random"] else "no",
        "kept" if fields["keeps_geometry"] else "moved",
        f"{weights} ({source})" if weights else "none",
        f"heavy, {fields['gpu_memory']} GB" if fields["cost"] == "heavy" else "light",
        fields["licence"],
        fields["verified"] or "unverified",
    )


def _settings(settings: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in settings.items())


PAGES = (
    Page(
        "metrics",
        """# Metrics

Written by `python -m pipeline catalogue` from the metrics' own files; a test compares the two.

- *range* is that of ordinary images, until `results/ranges.csv` holds a measured one.
- *access*: `white` offers a gradient to the image; with `black` only attacks that ask for scores are run.
- *cost*: `heavy` takes over a second for one gradient at 299x299 on 2 cores; the GPU memory is what one job asks for.
- *verified* tells what the scores were compared with; `unverified`: neither published scores nor weights were at hand.
""",
        _count_metrics,
        ("metric", "kind", "better", "range", "trained on", "access", "cost", "licence", "verified"),
        _metric,
    ),
    Page("attacks", HEAD, count_attacks, COLUMNS, attack_row, tail=formulas),
    Page(
        "defences",
        """# Defences

Written by `python -m pipeline catalogue` from the defences' own files; a test compares the two.

- *settings* are what the benchmark runs; a *preset* changes some of them.
- *gradient*: `yes` is a true one; `straight through`: an adaptive attack takes the defence for the identity on its way
  back.
- *random*: an adaptive attack averages over draws.
- *geometry*: where it is `moved`, the size or the place of pixels changes, and images are aligned before SSIM and PSNR:
  a flip and a rotation are undone, a crop is compared with the same part of the clear image, a small image is enlarged.
- *weights*: `small` networks stand in for published ones on any machine; a defence without its weights is skipped.
- *cost*: `heavy` takes over a second for one gradient at 299x299 on 2 cores; the GPU memory is what a job asks for
  beside the metric's, an estimate where no weights were at hand.
- *verified* tells what the images were compared with; `unverified`: the published weights were not at hand. The
  architectures of these were compared with a second computation from the papers, on random weights.
""",
        _count_defences,
        (
            *("defence", "what it does", "settings", "presets", "gradient", "random", "geometry"),
            *("weights", "cost", "licence", "verified"),
        ),
        _defence,
        takes=lambda entry: not entry.problem and entry.kind != "training",
        tail=robust_training,
    ),
)


def page_of(folder: str) -> Page:
    """Returns the page that lists the entries of a folder."""
    return next(page for page in PAGES if page.folder == folder)


def add_to(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    register(app, BEHIND, catalogue, "catalogue")


def catalogue() -> None:
    """Writes docs/metrics.md, docs/attacks.md and docs/defences.md from the entries' files."""
    for page in PAGES:
        out.print(f"wrote {page.write()}", markup=False, soft_wrap=True)
