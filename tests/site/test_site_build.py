"""The site's files: the same cells give the same bytes, and no cell gives a blank page or a wrong number."""

import json
import math
import re
import shutil
import zipfile

import numpy as np
import pytest
from PIL import Image
from run_folder import RunFolder

from metric_robustness.pipeline.cells.fit import FitStamp
from metric_robustness.pipeline.cells.stamp import DatasetFacts
from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.scoring.read.cells import read_cells
from metric_robustness.pipeline.scoring.scores.robustness import SCORES, ScoreScale
from metric_robustness.pipeline.scoring.tables.write import write_tables
from metric_robustness.pipeline.site.addresses import address
from metric_robustness.pipeline.site.build import require_own_pages
from metric_robustness.pipeline.site.downloads import citation
from metric_robustness.pipeline.site.drawing import Axis, shade
from metric_robustness.pipeline.site.gallery import AMPLIFIED
from metric_robustness.pipeline.site.profile import POINTS, profile
from metric_robustness.pipeline.site.speed import speed


def contents(folder):
    """Returns the files of a folder except the hidden ones, which are scoring's record cache."""
    files = [*folder.glob("*"), *folder.glob("[!.]*/**/*")]
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files if file.is_file()}


def text(file):
    """Returns the text of a page without HTML tags, scripts and styles."""
    body = re.sub(r"<(script|style)\b.*?</\1>", "", file.read_text(encoding="utf-8"), flags=re.S)
    return " ".join(re.sub(r"<[^>]*>", " ", body).split())


@pytest.fixture
def filled(run_folder):
    for metric, by in {"weak": 0.4, "strong": 0.1}.items():
        run_folder.cell(metric, "ifgsm", [by, by + 0.05], seconds={"": 12.0})
        run_folder.cell(metric, "noise", [0.01, -0.01])
    run_folder.without_rows("strong", "madc", "failed", "out of memory")
    return run_folder


def test_the_same_cells_give_the_same_bytes_and_old_pages_go(filled, build, tmp_path):
    first = contents(build(filled.path))
    filled.cell("gone", "ifgsm", [0.1, 0.2])
    assert "metrics/gone.html" in contents(build(filled.path))
    shutil.rmtree(filled.path / "gone")
    (tmp_path / "site" / "metrics" / "mine.html").write_text("somebody's", encoding="utf-8")
    after = contents(build(filled.path))
    assert after.pop("metrics/mine.html") == b"somebody's"
    assert after == first
    shutil.copytree(filled.path, tmp_path / "elsewhere")
    assert contents(build(tmp_path / "elsewhere", "other")) == first
    assert {"index.html", "metrics/weak.html", "attacks/ifgsm.html", "rows.zip", "assets/tokens.css"} <= first.keys()
    assert "defences.html" not in first


def test_a_folder_of_somebody_else_is_not_written_over(filled, tmp_path):
    for name in ("index.html", "about.html"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).write_text("somebody's", encoding="utf-8")
        with pytest.raises(BenchError, match=f"holds {name}, which no report wrote.*choose another --out"):
            require_own_pages(tmp_path / name)
    other = RunFolder(tmp_path / "other")
    other.cell("weak", "ifgsm", [0.1, 0.2])
    with pytest.raises(BenchError, match="holds the rows of another run, whose tables it keeps: choose another --out"):
        write_tables([filled.path], other.path)
    assert not (other.path / "scores.csv").exists()


def test_no_page_names_another_host(filled, build):
    for file in build(filled.path).rglob("*.html"):
        assert not re.search(r"(src|href|action)=\"?(https?:)?//", file.read_text(encoding="utf-8")), file


def test_a_page_and_what_it_loads_stay_below_two_megabytes(filled, build):
    site = build(filled.path)
    assert sum(file.stat().st_size for file in (site / "assets").iterdir()) < 800_000
    assert all(file.stat().st_size < 300_000 for file in site.rglob("*.html"))


def test_missing_cells_are_told_with_their_reason(filled, build):
    site = build(filled.path)
    assert "strong madc sample failed out of memory" in text(site / "index.html")
    assert "out of memory" in text(site / "metrics" / "strong.html")
    assert "strong : out of memory" in text(site / "attacks" / "madc.html")


def test_one_image_has_numbers_without_intervals(run_folder, build):
    run_folder.cell("blur", "ifgsm", [0.25])
    page = text(build(run_folder.path) / "metrics" / "blur.html")
    assert "0.250" in page
    assert "±" not in page
    assert "One image tells nothing about others" in page
    assert "nan" not in page


def test_without_any_rows_the_reasons_are_shown(run_folder, build):
    run_folder.without_rows("blur", "ifgsm", "failed", "CUDA is gone")
    run_folder.without_rows("blur", "madc", "skipped", "no gradient")
    site = build(run_folder.path)
    for page in (text(site / "index.html"), text(site / "metrics" / "blur.html")):
        assert "CUDA is gone" in page
        assert "n/a" in page or "there is no number" in page
        assert "Rank 1" not in page
    for name in ("heatmap.html", "plots.html", "attacks.html", "downloads.html", "about.html"):
        assert len(text(site / name)) > 100


def test_cells_that_no_stamp_vouches_for_make_no_section(run_folder, build):
    run_folder.cell("blur", "ifgsm").with_suffix(".json").unlink()
    page = text(build(run_folder.path) / "index.html")
    assert "No cell is on the leaderboard" in page
    assert "no stamp stands beside ifgsm.csv" in page


def test_damaged_and_infinite_rows_are_named_and_never_counted(run_folder, build, make_row):
    rows = [make_row("a.png", 0.5, 0.6), make_row("b.png", 0.5, math.inf), make_row("c.png", math.nan, 0.7)]
    run_folder.cell("blur", "ifgsm", rows=rows)
    run_folder.cell("blur", "madc").write_text("damaged", encoding="utf-8")
    site = build(run_folder.path)
    page = text(site / "metrics" / "blur.html")
    assert "b.png (attacked is inf)" in page
    assert "c.png (clear is nan)" in page
    assert "madc.csv is not what was stamped" in page
    assert "0.100" in page
    data = re.search(r'id="data">(.*?)</script>', (site / "metrics" / "blur.html").read_text(encoding="utf-8"))
    assert json.loads(data[1])["sample"]["ifgsm"]["images"] == 1


def test_an_infinite_score_is_told_in_words_not_drawn(run_folder, build, make_row):
    run_folder.cell(rows=[make_row("a.png", 0.0, 1.2), make_row("b.png", 0.5, 0.6)])
    assert "-inf" in text(build(run_folder.path) / "metrics" / "blur.html")


def test_runs_with_other_settings_do_not_reach_the_profile(run_folder, build, make_row):
    run_folder.cell("blur", "ifgsm", [0.1, 0.2])
    rows = [make_row("a.png", 0.1, 0.9, variant="steps=20")]
    run_folder.cell("blur", "ifgsm", rows=rows, label="ifgsm+steps=20", overrides={"steps": "20"})
    page = (build(run_folder.path) / "metrics" / "blur.html").read_text(encoding="utf-8")
    data = json.loads(re.search(r'id="data">(.*?)</script>', page)[1])
    assert data["sample"]["ifgsm"]["images"] == 2


@pytest.mark.parametrize(
    ("name", "expected"),
    [("ssim", "metrics/ssim.html"), ("ssim+jpeg", "metrics/ssim+jpeg.html"), ("../../x", None), ("SSIM", None)],
)
def test_addresses_stay_below_their_folder_and_apart(name, expected):
    found = address("metrics", name)
    assert re.fullmatch(r"metrics/[a-z0-9_+=-]+\.html", found)
    assert found == expected or expected is None
    assert found != address("metrics", name.lower() + "x")
    assert expected or found != address("metrics", re.sub(r"[^a-z0-9]+", "-", name))


def test_an_axis_holds_zero_and_tells_what_lies_beyond_it():
    assert Axis(-1, 1).at(0) == 50
    assert Axis(-1, 1).at(-7) == 0
    assert Axis(-1, 1).at(7) == 100
    assert Axis(-1, 1).beyond(7)
    assert not Axis(-1, 1).beyond(-1)
    assert Axis.over([]).low == 0 < Axis.over([]).high
    assert Axis(-0.5, 1, 0.5).ticks == [(0, "-0.5"), (33.33, "0"), (66.67, "0.5"), (100, "1")]
    assert Axis(-0.5, 1, 0.5).pitch == 33.333


def test_the_axis_spans_the_intervals_from_tick_to_tick(filled, build):
    site = build(filled.path)
    board = json.loads((site / "leaderboard.json").read_text(encoding="utf-8"))
    (section,) = board["sections"]
    highest = max(metric["worst_case"]["absolute_gain"]["high"] for metric in section["metrics"])
    (end,) = re.findall(r"Gain, from 0 to ([\d.]+)", (site / "index.html").read_text(encoding="utf-8"))
    assert highest <= float(end) < highest + 0.1


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, "up-0"),
        (-0.001, "up-0"),
        (0.01, "up-1"),
        (0.3, "up-4"),
        (9, "up-5"),
        (-0.05, "down-2"),
        (math.nan, "unknown"),
    ],
)
def test_shades(value, expected):
    assert shade(value) == expected


def test_a_profile_counts_every_image_and_shows_some(run_folder, make_row):
    rows = [make_row(f"{i:04}.png", 0.2, 0.2 + i / 1000) for i in range(500)]
    rows[7] = make_row("0007.png", 0.2, 0.2)
    run_folder.cell(rows=rows)
    (cell,) = read_cells([run_folder.path])
    table = cell.rows.assign(psnr=np.where(cell.rows["image"] == "0000.png", np.inf, 30.0))
    found = profile(table, ScoreScale(0, 2))
    assert sum(found["clear"]) == sum(found["attacked"]) == found["images"] == 500
    assert len(found["points"]) == POINTS
    assert found["points"][0] == [None, 0.9, 0.0]
    assert found["points"][-1] == [30, 0.9, 0.2495]  # 0.499 on a range of 2, to four digits
    assert found["unchanged"] == 1
    assert found["edges"][0] == 0.2


def test_speed_is_seconds_by_pass(run_folder):
    run_folder.cell("blur", "ifgsm", [0.1, 0.2], seconds={"": 42.0}, machine={"device": "a GPU"})
    run_folder.cell("blur", "noise", [0.1, 0.2], seconds={"": 42.0}, machine={"device": "a GPU"})
    run_folder.cell("none", "ifgsm", [0.1, 0.2])
    cells = read_cells([run_folder.path])
    found = speed([cell for cell in cells if cell.metric == "blur"])
    assert found == (84 / (4 * (10 + 10 + 1)), ("a GPU",))  # 4 images: 10 queries, 10 gradients, 1 attacked score
    assert speed([cell for cell in cells if cell.metric == "none"]) is None


def test_the_archive_holds_every_file_with_the_same_bytes(filled, build):
    with zipfile.ZipFile(build(filled.path) / "rows.zip") as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == contents(filled.path)


def test_the_citation_holds_the_paper_of_every_score():
    assert all(score.source.rpartition("/")[2] in citation([]) for score in SCORES.values())


def test_the_citation_names_what_it_was_made_from(run_folder):
    run_folder.cell(commit="c0ffee{}\\", finished="2026-11-21T10:00:00+00:00")
    found = citation([cell.stamp for cell in read_cells([run_folder.path])])
    assert "year = {2026}" in found
    assert "note = {results of 2026-11-21; commits c0ffee}" in found
    assert found.count("{") == found.count("}")


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


def test_defences_have_a_page_only_where_rows_tell_of_them(run_folder, build, make_row):
    clear, attacked = {"a.png": 0.2, "b.png": 0.4}, {"a.png": 0.6, "b.png": 0.8}
    defended = {"jpeg": {"a.png": (0.1, 0.3), "b.png": (0.3, 0.5)}, "flip": {"a.png": (0.3, 0.9), "b.png": (0.2, 0.7)}}
    run_folder.cell(rows=[make_row(name, clear[name], attacked[name]) for name in clear])
    assert not (build(run_folder.path) / "defences.html").exists()
    rows = [
        make_row(
            name,
            clear[name],
            attacked[name],
            defence=defence,
            clear_defended=before,
            attacked_defended=after,
            psnr_defended=40.0,
            ssim_defended=0.9,
        )
        for defence, scores in defended.items()
        for name, (before, after) in scores.items()
    ]
    run_folder.cell(rows=rows, label="ifgsm+defended", asked=2)
    site = build(run_folder.path)
    page = text(site / "defences.html")
    assert "defence ifgsm none 0.400 jpeg 0.100 flip 0.500" in page  # mean |f(x) - f(D(x'))|
    assert "None was run" in page  # no attack that knows the defence
    assert "jpeg 0.700" in page  # (0.9 + 40 / 80) / 2
    assert "jpeg 0.100 n/a n/a" in page  # mean |f(x) - f(D(x))|; too few images to correlate; no time
    assert (site / "defences.csv").is_file()
    assert "Defences" in text(site / "index.html")


def test_attacks_that_know_a_defence_stand_beside_those_that_do_not_in_the_same_order(run_folder, build, make_row):
    clear = {"a.png": 0.2, "b.png": 0.4}
    for attack, gain in {"ifgsm": 0.4, "fgsm": 0.2}.items():
        rows = [
            make_row(
                name,
                score,
                score + gain,
                defence=defence,
                clear_defended=score,
                attacked_defended=score + left,
                psnr_defended=40.0,
                ssim_defended=0.9,
            )
            for defence, left in {"jpeg": 0.1, "flip": 0.15}.items()
            for name, score in clear.items()
        ]
        run_folder.cell("blur", attack, rows=rows, label=f"{attack}+defended", asked=2)
    for defence, left in {"jpeg": 0.3, "flip": 0.2}.items():
        rows = [
            make_row(name, score, score + left, psnr_defended=40.0, ssim_defended=0.9) for name, score in clear.items()
        ]
        run_folder.cell(f"blur+{defence}", "ifgsm", rows=rows)
    page = text(build(run_folder.path) / "defences.html")
    unaware, aware = page.split("Attacks that know the defence")
    assert "defence fgsm ifgsm none 0.200 0.400 flip 0.150 0.150 jpeg 0.100 0.100" in unaware
    assert "defence ifgsm none 0.400 flip 0.200 jpeg 0.300" in aware  # fgsm did not attack the defended metrics
    assert "jpeg only works on attacks that do not know it: ifgsm took back" in aware
    assert "flip only works" not in aware
