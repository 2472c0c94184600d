"""The gallery: clear, attacked and amplified pictures, frames of clips, universal patterns."""

import re

import numpy as np
import pytest
from page_text import text
from PIL import Image

from metric_robustness.pipeline.cells.fit import FitStamp
from metric_robustness.pipeline.cells.stamp import DatasetFacts
from metric_robustness.pipeline.site.gallery import AMPLIFIED


@pytest.fixture
def pictures(run_folder, make_row):
    """Writes a run with three saved images, one larger than the gallery shows, and one more outside their folder."""
    rng = np.random.default_rng(0)
    sizes = {"a.png": (20, 30), "b.png": (20, 30), "c.png": (400, 500), "../../../secret": (20, 30)}
    rows = []
    for index, (name, size) in enumerate(sizes.items()):
        rows.append(make_row(name, 0.2, 0.3 + 0.1 * index))
        clear = rng.integers(0, 236, (*size, 3), dtype=np.uint8)
        for folder, pixels in (("_clear/original", clear), ("none/default/ifgsm/blur/default", clear + np.uint8(5))):
            file = run_folder.path / "images" / folder / f"{name}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(file)
    run_folder.cell(rows=rows)
    return run_folder


def shown(site):
    page = (site / "metrics" / "blur.html").read_text(encoding="utf-8")
    return re.findall(r'<img src="\.\./(gallery/[0-9a-f]+\.png)" width="(\d+)" height="(\d+)"[^>]*alt="([^"]*)"', page)


def test_the_gallery_shows_clear_attacked_and_the_amplified_difference(pictures, build):
    site = build(pictures.path)
    images = shown(site)
    assert [alt.split()[0] for *_, alt in images if "before" in alt] == ["c.png", "b.png", "a.png"]
    assert [(int(width), int(height)) for _, width, height, _ in images[:3]] == [(384, 384)] * 3
    for path, _, _, alt in images:
        pixels = np.asarray(Image.open(site / path))
        if f"{AMPLIFIED} times" in alt:
            assert (pixels == 128 + 5 * AMPLIFIED).all()
    assert not any("secret" in alt for *_, alt in images)
    assert "the middle of a larger image" in text(site / "metrics" / "blur.html")


def test_a_clear_image_that_is_gone_or_another_is_said_to_be(pictures, build):
    folder = pictures.path / "images" / "_clear" / "original"
    (folder / "a.png.png").unlink()
    Image.new("RGB", (5, 5)).save(folder / "b.png.png")
    (pictures.path / "images" / "none" / "default" / "ifgsm" / "blur" / "default" / "c.png.png").write_bytes(b"damaged")
    site = build(pictures.path)
    assert [alt for *_, alt in shown(site)] == ["b.png after ifgsm", "a.png after ifgsm"]
    assert text(site / "metrics" / "blur.html").count("that image was not kept") == 2


@pytest.mark.parametrize("frame", ["clip.y4m#000{}.png", "clip.y4m/im{}.png.png"])
def test_of_a_clip_the_gallery_shows_the_middle_frame_with_the_clips_scores(run_folder, make_row, build, frame):
    for folder, by in (("_clear/original", 0), ("none/default/ifgsm/blur/default", 5)):
        for index in range(3):
            file = run_folder.path / "images" / folder / frame.format(index)
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (20, 30), (50 * index + by,) * 3).save(file)
    run_folder.cell(rows=[make_row("clip.y4m", 0.2, 0.6)], kind="video")
    site = build(run_folder.path)
    pictures = [np.asarray(Image.open(site / path)).max() for path, *_ in shown(site)]
    assert pictures == [50, 55, 128 + 50]
    page = text(site / "metrics" / "blur.html")
    assert "clip.y4m, clear: 0.2 attacked: 0.6" in page
    assert "1 clip: an illustration" in page
    assert "Video metrics on sample" in text(site / "index.html")


@pytest.fixture
def patterns(run_folder, make_row):
    """Writes a run of a universal attack: three fits, one of another version of the metric, and saved images."""
    settings = [("coco", 0.2), ("coco", 0.8), ("voc", 0.8)]
    rows = [make_row("a.png", 0.2, 0.2 + by, train_dataset=train, amplitude=by) for train, by in settings]
    run_folder.cell(attack="uap", rows=rows)
    for train, fingerprint in (("coco", "m"), ("voc", "m"), ("old", "other")):
        stamp = FitStamp(
            metric="blur",
            metric_fingerprint=fingerprint,
            attack="uap",
            attack_fingerprint="a",
            variant="",
            settings={},
            train=DatasetFacts(name=train, digest="d", images=50),
            enlarged=[],
            loss=[0.75, 0.5],
            seconds=1,
            machine={},
            commit="",
            finished="",
            key="k",
            sha256="",
        )
        file = run_folder.path / "fits" / "blur" / f"uap-{train}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(stamp.to_json(), encoding="utf-8")
        Image.new("RGB", (32, 32), {"coco": "red", "voc": "lime", "old": "blue"}[train]).save(file.with_suffix(".png"))
    for folder in ("_clear/original", *(f"none/default/uap/blur/default/{train}-{by}" for train, by in settings)):
        file = run_folder.path / "images" / folder / "a.png.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20, 30), (100 + len(folder),) * 3).save(file)
    return run_folder


def test_the_gallery_shows_universal_patterns_and_what_they_did(patterns, build):
    site = build(patterns.path)
    pictures = {alt: np.asarray(Image.open(site / path)) for path, *_, alt in shown(site)}
    assert "a.png after uap" in pictures
    colours = {alt: pixels[0, 0].tolist() for alt, pixels in pictures.items() if "pattern" in alt}
    assert colours == {
        "The universal pattern fitted on coco": [255, 0, 0],
        "The universal pattern fitted on voc": [0, 255, 0],
    }
    page = text(site / "metrics" / "blur.html")
    assert "attacked (fitted on coco, amplitude 0.8): 1" in page
    assert "fitted on voc (50 images); loss from 0.750 to 0.500" in page
    assert "blur, fitted on coco (50 images)" in text(site / "attacks" / "uap.html")
