"""What readers can download: the tables, every row, and what to cite."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Collection, Iterable
from pathlib import Path

from metric_robustness.pipeline.cells.stamp import Stamp

FILES = {
    "leaderboard.csv": "the leaderboard, for spreadsheets",
    "leaderboard.json": "the leaderboard, for programs: every score of every column, with its interval",
    "leaderboard.parquet": "leaderboard.csv as Parquet, with types",
    "leaderboard.md": "the leaderboard, to read",
    "scores.csv": "every score of every cell, with intervals",
    "scores.parquet": "scores.csv as Parquet, with types",
    "defences.csv": "every defence under every attack",
    "defences.parquet": "defences.csv as Parquet, with types",
    "order.csv": "pairs of images whose order attacks flip",
    "overtaken.csv": "worse images that overtake clear better ones once they are attacked",
    "transfer.csv": "images that were made on one metric, scored by others",
    "excluded.csv": "every image that gave no row, with the reason",
    "ranges.csv": "measured range of every metric",
    "cells.csv": "how every cell ended, and what it took",
    "fits.csv": "what every fit of a universal pattern took",
    "speeds.csv": "what a pass of every metric and attack costs, by device",
    "rows.zip": "every row: one per image, attack and metric, each file with the stamp of what it was made from",
    "citation.bib": "BibTeX",
}
PAPERS = """\
@inproceedings{antsiferova2024comparing,
  author = {Antsiferova, Anastasia and Abud, Khaled and Gushchin, Aleksandr and Shumitskaya, Ekaterina and
            Lavrushkin, Sergey and Vatolin, Dmitriy},
  title = {Comparing the Robustness of Modern No-Reference Image- and Video-Quality Metrics to Adversarial Attacks},
  booktitle = {Proceedings of the AAAI Conference on Artificial Intelligence},
  year = {2024},
  eprint = {2310.06958},
  archiveprefix = {arXiv},
  note = {Absolute and relative gain, Wasserstein score, energy distance}
}

@inproceedings{zhang2022perceptual,
  author = {Zhang, Weixia and Li, Dingquan and Min, Xiongkuo and Zhai, Guangtao and Guo, Guodong and Yang, Xiaokang and
            Ma, Kede},
  title = {Perceptual Attacks of No-Reference Image Quality Models with Human-in-the-Loop},
  booktitle = {Advances in Neural Information Processing Systems},
  year = {2022},
  eprint = {2210.00933},
  archiveprefix = {arXiv},
  note = {R-score}
}
"""


def citation(stamps: Collection[Stamp]) -> str:
    """Returns BibTeX that cites these results, by date and commits, and the papers that define their scores."""
    commits = sorted({_word(stamp.commit)[:12] for stamp in stamps} - {""})
    newest = _word(max((stamp.finished for stamp in stamps), default=""))[:10]
    parts = [f"results of {newest}" if newest else "", f"commits {', '.join(commits[:5])}" if commits else ""]
    year = f"\n  year = {{{newest[:4]}}}," if newest else ""
    note = "; ".join(filter(None, parts)) or "no results yet"
    head = f"@misc{{metricrobustness,\n  title = {{Metric robustness leaderboard}},{year}\n  note = {{{note}}}\n}}\n"
    return f"{head}\n{PAPERS}"


def zip_rows(cells: Iterable[Path], folder: Path) -> bytes:
    """Returns the cells' rows and stamps as a zip; the same files always give the same bytes.

    Args:
        cells: The paths of their CSVs.
        folder: The run folder that the names in the zip are relative to.
    """
    files = {file for path in cells for file in (path, path.with_suffix(".json")) if file.is_file()}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, file in sorted((file.relative_to(folder).as_posix(), file) for file in files):
            member = zipfile.ZipInfo(name)
            member.compress_type, member.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(member, file.read_bytes())
    return packed.getvalue()


def _word(text: str) -> str:
    """Returns text without braces, commas and the like, which would end a BibTeX field."""
    return "".join(letter for letter in text if letter.isalnum() or letter in "-:. ")
