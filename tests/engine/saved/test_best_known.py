"""Attacked images that somebody sends in: what beats the suite is best known, and what cannot count is named."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from quiet import run_quietly

from metric_robustness.pipeline.cells.settings import Settings
from metric_robustness.pipeline.engine.saved.manifest import MANIFEST, NEEDED
from metric_robustness.pipeline.files import file_digest
from metric_robustness.pipeline.scoring.tables.board_file import read_board
from metric_robustness.pipeline.scoring.tables.show import ordered, rendered
from metric_robustness.pipeline.scoring.tables.write import write_tables
from metric_robustness.pipeline.site.build import write_site

PLAIN = Settings(variants=False)
SENT = ("a", "b", "c", "d")


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    generator = np.random.default_rng(4)
    for name in SENT:
        smooth = Image.fromarray(generator.integers(60, 196, (7, 8, 3), dtype=np.uint8)).resize((48, 40))
        smooth.save(folder / f"{name}.png")
    return folder


def send_in(folder: Path, photos: Path, images: dict[str, np.ndarray], attack: str = "someone") -> Path:
    """Writes attacked images with the clear ones and the least manifest that a run takes."""
    folder.mkdir()
    lines = []
    for name, image in images.items():
        Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(folder / f"{name}.png")
        clear = folder / f"clear_{name}.png"
        clear.write_bytes((photos / f"{name}.png").read_bytes())
        told = (f"{name}.png", file_digest(folder / f"{name}.png"), clear.name, file_digest(clear), attack)
        lines.append(dict(zip(NEEDED, told, strict=True)) | {"dataset": photos.name, "image": f"{name}.png"})
    with (folder / MANIFEST).open("w", newline="") as file:
        writer = csv.DictWriter(file, list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)
    return folder


@pytest.fixture(scope="module")
def strong(photos, tmp_path_factory) -> dict[str, np.ndarray]:
    """Returns images that a stronger attack than the suite's found, by name."""
    out = tmp_path_factory.mktemp("strong")
    run_quietly(["small_cnn"], out, PLAIN, attacks=["apgd"], datasets=[str(photos)], save_images=True)
    found = out / "images" / "none" / "default" / "apgd" / "small_cnn" / "default"
    return {name: pixels(found / f"{name}.png.png") for name in SENT}


@pytest.fixture
def out(photos, tmp_path) -> Path:
    """Returns the run folder of a weak suite."""
    run_quietly(["small_cnn"], tmp_path / "out", PLAIN, attacks=["fgsm"], datasets=[str(photos)])
    return tmp_path / "out"


def standing(out: Path):
    board = write_tables([out], out)
    (section,) = board.sections
    (found,) = section.standings
    return found, {gap.attack: gap.reason for gap in board.gaps}


def test_images_that_beat_the_suite_stand_beside_it_by_name_and_do_not_rank(out, photos, strong, tmp_path):
    before, _ = standing(out)
    run_quietly(["small_cnn"], out, PLAIN, from_images=send_in(tmp_path / "sent", photos, strong))
    after, gaps = standing(out)
    assert after.effects.worst == before.effects.worst
    assert (after.rank, after.missing, gaps) == (1, {}, {})
    best = after.effects.best_known
    assert best is not None
    assert best.effect.scores["absolute_gain"] > before.effects.worst.scores["absolute_gain"] + 0.1
    assert best.origins == {"someone": 4}
    assert "someone (4)" in (out / "leaderboard.md").read_text()
    shown = [
        str(line) for part in ordered(read_board(out), ["small_cnn"], None, worse=False) for line in rendered(part)
    ]
    assert any("by images that were sent in: someone on 4; they do not rank" in line for line in shown)
    write_site(write_tables([out], tmp_path / "site"), out, tmp_path / "site")
    assert 'title="sent in: someone"' in (tmp_path / "site" / "index.html").read_text()
    assert "someone on 4" in (tmp_path / "site" / "metrics" / "small_cnn.html").read_text()


def test_images_that_do_not_beat_the_suite_are_not_best_known(out, photos, tmp_path):
    clear = {name: pixels(photos / f"{name}.png") for name in SENT}
    run_quietly(["small_cnn"], out, PLAIN, from_images=send_in(tmp_path / "sent", photos, clear))
    assert standing(out)[0].effects.best_known is None


def test_what_cannot_count_is_named_and_costs_the_others_nothing(out, photos, strong, tmp_path):
    far = strong | {"b": pixels(photos / "b.png") + 30}
    folder = send_in(tmp_path / "sent", photos, far)
    Image.open(folder / "clear_c.png").transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(folder / "clear_c.png")
    Image.fromarray(strong["d"][:-1].astype(np.uint8)).save(folder / "d.png")
    text = (folder / MANIFEST).read_text().splitlines()
    rows = list(csv.DictReader(text))
    for row in rows:
        row |= {"sha256": file_digest(folder / row["file"]), "clear_sha256": file_digest(folder / row["clear"])}
    with (folder / MANIFEST).open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    run_quietly(["small_cnn"], out, PLAIN, from_images=folder)
    found, gaps = standing(out)
    best = found.effects.best_known
    assert best is not None
    assert best.origins == {"someone": 1}
    assert "changed by more than 10/255: b.png" in gaps["someone"]
    assert "another image than the data set's, by its clear score: c.png" in gaps["someone"]
    assert "d.png" in gaps["someone"]
