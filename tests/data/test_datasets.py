"""Which images are run: their order, their batches, and which are excluded by name."""

from __future__ import annotations

import io
import os
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from metric_robustness.pipeline import config
from metric_robustness.pipeline.data.dataset import open_dataset
from metric_robustness.pipeline.errors import BenchError, DataError, Exit


def save(path, size=(20, 12), mode="RGB", **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size).save(path, **options)
    return path


def names(dataset) -> list[str]:
    return [photo.name for photo in dataset.photos]


def test_finds_images_in_subfolders_with_blanks_and_letters_of_any_alphabet(tmp_path):
    for name in ("b.png", "a b/ä 1.JPG", "c/d/Ёж.webp", ".hidden.png", "notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (9, 9)).save(tmp_path / name, "PNG") if name != "notes.txt" else (tmp_path / name).touch()
    assert sorted(names(open_dataset(str(tmp_path)))) == ["a b/ä 1.JPG", "b.png", "c/d/Ёж.webp"]


def test_a_name_that_is_no_text_is_written_out(tmp_path):
    save(tmp_path / "a.png").rename(tmp_path / os.fsdecode(b"\xff \xc3\xa4.png"))
    dataset = open_dataset(str(tmp_path))
    assert names(dataset) == ["\\xff ä.png"]
    assert dataset.photos[0].path.exists()


def test_a_single_image_is_a_data_set(photos):
    dataset = open_dataset(str(photos / "coffee.png"))
    assert names(dataset) == ["coffee.png"]
    assert dataset.asked == 1


def test_batches_hold_images_of_equal_size_and_every_image_once(photos):
    dataset = open_dataset(str(photos))
    batches = list(dataset.batches(lambda height, width: 2))
    assert all(len({(photo.height, photo.width) for photo in batch}) == 1 for batch in batches)
    assert all(len(batch) <= 2 for batch in batches)
    assert sorted(photo.name for batch in batches for photo in batch) == sorted(names(dataset))
    assert {(photo.height, photo.width) for photo in dataset.photos} == {(32, 40), (47, 33), (40, 32)}


def test_a_smaller_limit_is_part_of_a_larger_one(photos):
    chosen = [set(names(open_dataset(str(photos), limit))) for limit in (1, 2, 4, 6, 99)]
    assert [len(part) for part in chosen] == [1, 2, 4, 6, 6]
    assert all(smaller <= larger for smaller, larger in pairwise(chosen))
    assert names(open_dataset(str(photos), 3)) == sorted(names(open_dataset(str(photos), 3)))


def test_the_digest_changes_with_names_bytes_and_choice_and_nothing_else(photos, tmp_path):
    def copy(name):
        for file in photos.iterdir():
            target = tmp_path / name / file.name
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(file.read_bytes())
        return tmp_path / name

    before = open_dataset(str(copy("one"))).digest
    assert open_dataset(str(copy("two"))).digest == before
    os.utime(tmp_path / "two" / "coffee.png", (0, 0))
    assert open_dataset(str(tmp_path / "two")).digest == before
    assert open_dataset(str(tmp_path / "two"), 5).digest != before
    (copy("three") / "coffee.png").rename(tmp_path / "three" / "tea.png")
    assert open_dataset(str(tmp_path / "three")).digest != before
    (copy("four") / "coffee.png").write_bytes((photos / "ihc.png").read_bytes())
    assert open_dataset(str(tmp_path / "four")).digest != before


def test_a_photograph_turned_by_its_camera_counts_as_it_is_seen(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    photo = open_dataset(str(save(tmp_path / "turned.jpg", (20, 12), exif=exif))).photos[0]
    assert (photo.height, photo.width) == (20, 12)


def animation(path):
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "green", "blue")]
    frames[0].save(path, save_all=True, append_images=frames[1:])


def text(path):
    path.write_text("not an image")


def noise(path):
    path.write_bytes(np.random.default_rng(0).bytes(5000))


def png_header_of(width, height):
    def write(path):
        buffer = io.BytesIO()
        Image.new("1", (width, height)).save(buffer, "PNG")
        path.write_bytes(buffer.getvalue())

    return write


@pytest.mark.parametrize(
    ("name", "make", "reason"),
    [
        ("moving.gif", animation, "holds 3 frames: extract them as PNG"),
        ("moving.png", animation, "holds 3 frames"),
        ("moving.webp", animation, "holds 3 frames"),
        ("text.png", text, "cannot be read: cannot identify image file it"),
        ("empty.jpg", lambda path: path.touch(), "cannot be read"),
        ("noise.tif", noise, "cannot be read"),
        ("film.mp4", noise, "cannot be decoded: Invalid data found when processing input"),
        ("FILM.Y4M", noise, "cannot be decoded"),
        ("dot.png", png_header_of(1, 1), "1x1 is smaller than 7x7 pixels"),
        ("line.png", png_header_of(500, 6), "500x6 is smaller than 7x7 pixels"),
        ("huge.png", png_header_of(12000, 9000), "12000x9000 is over the limit of 33,554,432 pixels: cut or scale it"),
        ("vast.png", png_header_of(20000, 12000), "pixels"),
        ("dangling.png", lambda path: path.symlink_to("nowhere.png"), "the file is missing"),
    ],
)
def test_what_cannot_be_used_is_left_out_by_name(tmp_path, name, make, reason):
    save(tmp_path / "good.png")
    make(tmp_path / name)
    dataset = open_dataset(str(tmp_path))
    assert names(dataset) == ["good.png"]
    assert set(dataset.excluded) == {name}
    assert reason in dataset.excluded[name]
    assert str(tmp_path) not in dataset.excluded[name]
    assert dataset.asked == 2


def test_a_folder_without_a_usable_image_is_told_in_one_line(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"holds no image that can be used \(the folder is empty\)") as error:
        open_dataset(str(tmp_path / "empty"))
    assert error.value.exit_code == Exit.FAILED
    text(tmp_path / "empty" / "a.png")
    with pytest.raises(DataError, match=r"a\.png: cannot be read"):
        open_dataset(str(tmp_path / "empty"))


def test_a_missing_folder_is_told_with_the_nearest_name(tmp_path):
    with pytest.raises(BenchError, match="no data set or folder is named 'sampel': did you mean sample"):
        open_dataset("sampel")
    with pytest.raises(BenchError, match="no data set or folder"):
        open_dataset(str(tmp_path / "missing"))


def test_a_named_data_set_that_is_not_on_this_machine_says_where_to_put_it(tmp_path, monkeypatch):
    monkeypatch.setenv("METRIC_ROBUSTNESS_DATA", str(tmp_path))
    with pytest.raises(BenchError, match=r"nips2017 must lie in .*: put it there from http.*, or set METRIC_"):
        open_dataset("nips2017")
    save(tmp_path / "nips2017" / "images" / "one.png")
    with pytest.raises(DataError, match=r"nips2017 must hold 1000 images; .* holds 1: "):
        open_dataset("nips2017")


def test_the_sample_is_eight_photographs_of_the_size_the_configuration_says():
    about, dataset = config.load().datasets["sample"], open_dataset("sample")
    assert sorted(names(dataset)) == sorted(about.files)
    assert {(photo.height, photo.width) for photo in dataset.photos} == {(about.crop, about.crop)}
    assert dataset.excluded == {}
