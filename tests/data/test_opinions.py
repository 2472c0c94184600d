"""Images that people rated: what we read from a CSV, and what is wrong with one, in a line that says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from metric_robustness.pipeline.cells.distortion import Distortion
from metric_robustness.pipeline.data.dataset import open_dataset
from metric_robustness.pipeline.data.images import load_batch
from metric_robustness.pipeline.data.opinions import csv_of, read_opinions
from metric_robustness.pipeline.errors import BenchError


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Returns a folder with two originals and four distorted images."""
    for i, name in enumerate(["ref/x.png", "ref/y.png", "a.png", "b.png", "deep/c.png", "d.png"]):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (12, 10), (20 * i, 30, 40)).save(tmp_path / name)
    (tmp_path / "a.MP4").touch()
    return tmp_path


def rated(folder: Path, text: str) -> Path:
    path = folder / "study.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_images_come_with_their_opinions_in_the_order_of_their_names(study):
    path = rated(study, "mos,image,std\n3.5,deep/c.png,1\n2,b.png,1\n-1e1,./a.png,1\n")
    assert csv_of("photos") is None
    data = open_dataset(f"iqa:{path}")
    assert (data.name, data.opinions) == ("study", {"a.png": -10, "b.png": 2, "deep/c.png": 3.5})
    assert [photo.name for photo in data.photos] == ["a.png", "b.png", "deep/c.png"]
    assert not data.distorted
    assert set(open_dataset(f"iqa:{path}", 2).opinions) < set(data.opinions)


def test_the_digest_covers_opinions_and_originals(study):
    plain = open_dataset(f"iqa:{rated(study, 'image,mos' + chr(10) + 'a.png,1' + chr(10))}").digest
    other = open_dataset(f"iqa:{rated(study, 'image,mos' + chr(10) + 'a.png,2' + chr(10))}").digest
    with_x = open_dataset(f"iqa:{rated(study, 'image,mos,reference' + chr(10) + 'a.png,1,ref/x.png' + chr(10))}").digest
    with_y = open_dataset(f"iqa:{rated(study, 'image,mos,reference' + chr(10) + 'a.png,1,ref/y.png' + chr(10))}").digest
    assert len({plain, other, with_x, with_y}) == 4


def test_a_distorted_image_is_compared_with_its_original_and_compressed_no_further(study):
    data = open_dataset(f"iqa:{rated(study, 'image,mos,reference' + chr(10) + 'd.png,1,ref/y.png' + chr(10))}")
    assert data.distorted
    batch = load_batch(data.photos, None, Distortion(10), paired=True)
    assert batch.references is not None
    assert (batch.images[0, :, 0, 0] * 255).round().tolist() == [100, 30, 40]
    assert (batch.references[0, :, 0, 0] * 255).round().tolist() == [20, 30, 40]
    assert load_batch(data.photos, None).references is None


def test_an_original_of_another_size_costs_its_image_only(study):
    Image.new("RGB", (12, 11)).save(study / "ref/x.png")
    path = rated(study, "image,mos,reference\na.png,1,ref/x.png\nb.png,2,ref/y.png\n")
    data = open_dataset(f"iqa:{path}")
    assert data.excluded == {"a.png": "is 12x10, and its reference 12x11"}
    assert data.opinions == {"b.png": 2}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("image,dmos\na.png,1\n", "it lacks mos and has image, dmos: rename them"),
        ("", "it lacks image, mos and has none"),
        ("image,mos\n", "must hold a row per image; got none"),
        ("image,mos\na.png,1\nb.png,good\n", r"row 3: mos must be a number; got 'good': correct it"),
        ("image,mos\na.png,nan\n", "mos must be a number; got 'nan'"),
        ("image,mos\na.png,\n", "mos must be a number; got ''"),
        ("image,mos\na.png,1\n./a.png,2\n", r"row 3: an image must stand there once; a.png is there twice: keep one"),
        ("image,mos\ngone.png,1\n", r"row 2: .*gone.png is not there: put it there, or take the row out"),
        ("image,mos,reference\na.png,1,ref/z.png\n", r"ref/z.png is not there"),
        ("image,mos,reference\na.png,1,ref/x.png\nb.png,1,\n", "b.png has none: complete the column"),
        ("image,mos\n../a.png,1\n", "image must be a path below"),
        ("image,mos\n/etc/a.png,1\n", "image must be a path below"),
        ("image,mos\n,1\n", "image must be a path below .*; got ''"),
        ("image,mos\nb.png,2\na.MP4,1\n", "row 3: a.MP4 is a video, and opinions, rungs and originals are of images: "),
        ("image,mos,reference\na.png,1,a.MP4\n", "row 2: a.MP4 is a video, .*: write its frames as PNG, or take"),
        ("image,mos,std,mos\na.png,1,2,3\n", "must have each column once; mos is there twice: keep one"),
        ("image;mos\na.png;1,5\n", "its columns are separated by ';': save it with commas"),
        ("image,mos\n\na.png\n", "row 3: must have 2 cells"),
        ("image,mos\na.png\n", "row 2: must have 2 cells; got 1"),
        ('image,mos\n"a.png,1\n', "cannot be read as CSV"),
    ],
)
def test_what_is_wrong_with_a_csv_is_told_in_one_line(study, text, says):
    path = rated(study, text)
    with pytest.raises(BenchError, match=says) as error:
        read_opinions(path)
    assert "\n" not in str(error.value)


def test_empty_lines_and_columns_without_a_name_say_nothing(study):
    path = rated(study, "image,mos,,\n\na.png,1,,\n\nb.png,2,x,y\n\n")
    assert {name: each.value for name, each in read_opinions(path).items()} == {"a.png": 1, "b.png": 2}


def test_a_csv_that_is_not_there_or_no_text_is_told(study):
    with pytest.raises(BenchError, match="columns image and mos; it is not there"):
        open_dataset(f"iqa:{study / 'gone.csv'}")
    with pytest.raises(BenchError, match="save it as UTF-8"):
        read_opinions(study / "a.png")
