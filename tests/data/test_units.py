"""Which files make up a data set, and which of them a smaller number takes: on small trees of the real structure."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
import yaml
from PIL import Image
from skimage.data._registry import registry

from metric_robustness.pipeline import config
from metric_robustness.pipeline.data import pins
from metric_robustness.pipeline.data.dataset import open_dataset
from metric_robustness.pipeline.data.units import Unit, chosen, units_of
from metric_robustness.pipeline.errors import BenchError, DataError
from metric_robustness.pipeline.files import digest, file_digest

PRESETS = (16, 64, 256)


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("METRIC_ROBUSTNESS_DATA", str(tmp_path))
    return tmp_path


@pytest.fixture
def manifests(tmp_path, monkeypatch):
    monkeypatch.setattr(pins, "FOLDER", tmp_path / "manifests")


@pytest.fixture
def holding(tmp_path, monkeypatch):
    """Returns a function that makes benchmark.yml say how many images a data set holds."""

    def declare(name, images):
        about = yaml.safe_load(config.FILE.read_text())
        about["datasets"][name]["images"] = images
        file = tmp_path / "benchmark.yml"
        file.write_text(yaml.safe_dump(about))
        monkeypatch.setattr(config, "FILE", file)
        config.load.cache_clear()

    yield declare
    config.load.cache_clear()


def save(path, size=(20, 12)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size).save(path)


def vimeo(data, clips, frames=3):
    for clip in clips:
        for frame in range(1, frames + 1):
            save(data / "vimeo_triplet" / "sequences" / clip / f"im{frame}.png", (448, 256))
    (data / "vimeo_triplet" / "tri_testlist.txt").write_text("".join(f"{clip}\n" for clip in clips) + "\n")


def units(names) -> list[Unit]:
    return [Unit(name, {}) for name in names]


def names(found) -> set[str]:
    return {unit.name for unit in found}


def test_triplets_are_the_clips_of_the_list_and_nothing_else(data):
    vimeo(data, ["00001/0266", "00001/0268", "00002/0001"])
    save(data / "vimeo_triplet" / "sequences" / "00003" / "0001" / "im1.png")  # in no list
    dataset = open_dataset("vimeo90k_test")
    assert list(dataset.clips) == [f"sequences/{clip}" for clip in ("00001/0266", "00001/0268", "00002/0001")]
    assert [photo.name for photo in dataset.clips["sequences/00002/0001"]] == [
        f"sequences/00002/0001/im{number}.png" for number in (1, 2, 3)
    ]
    assert (dataset.asked, dataset.excluded) == (9, {})


def test_a_triplet_that_lacks_a_frame_is_left_out_whole_and_by_name(data):
    vimeo(data, ["00001/0266", "00001/0268", "00001/0270"])
    folder = data / "vimeo_triplet" / "sequences" / "00001"
    (folder / "0266" / "im2.png").unlink()
    save(folder / "0270" / "im3.png", (20, 12))
    dataset = open_dataset("vimeo90k_test")
    assert list(dataset.clips) == ["sequences/00001/0268"]
    assert dataset.excluded == {
        "sequences/00001/0266": "sequences/00001/0266/im2.png: the file is missing",
        "sequences/00001/0270": "its frames are of different sizes, 20x12 and 448x256",
    }
    assert dataset.asked == 9


def test_a_list_of_clips_that_is_missing_is_told(data):
    (data / "vimeo_triplet").mkdir()
    with pytest.raises(DataError, match=r"tri_testlist\.txt must be the data set's list of clips"):
        open_dataset("vimeo90k_test")


@pytest.mark.parametrize(
    ("name", "folder", "suffix"),
    [
        ("nips2017", "nips2017/images", ".png"),
        ("coco", "coco/train2017", ".jpg"),
        ("voc2012", "VOCdevkit/VOC2012/JPEGImages", ".jpg"),
    ],
)
def test_a_folder_of_photographs_is_found_where_its_archive_puts_it(data, holding, name, folder, suffix):
    holding(name, 3)
    for number in range(3):
        save(data / folder / f"{number:012}{suffix}")
    (data / folder / "readme.txt").touch()
    dataset = open_dataset(name)
    assert [photo.name for photo in dataset.photos] == [f"{number:012}{suffix}" for number in range(3)]
    assert dataset.clips == {}
    save(data / folder / f"one_more{suffix}")  # would change every subset
    with pytest.raises(DataError, match=rf"{name} must hold 3 images; .* holds 4: get it again from http"):
        open_dataset(name)
    assert open_dataset(str(data / folder)).asked == 4


def test_what_is_not_here_is_told_with_its_source(data):
    for name, about in config.load().datasets.items():
        if about.package is None:
            with pytest.raises(BenchError, match=rf"{name} must lie in .*put it there from http"):
                units_of(name, about)


def test_every_data_set_says_where_it_comes_from_and_under_which_licence():
    for about in config.load().datasets.values():
        assert about.licence
        assert about.source
        assert about.takes


def test_the_presets_are_nested_and_keep_the_order_of_the_files():
    all_of_them = units(f"{number:04}.png" for number in range(1000))
    taken = [chosen(all_of_them, count) for count in (*PRESETS, None)]
    assert [len(part) for part in taken] == [16, 64, 256, 1000]
    assert all(names(smaller) < names(larger) for smaller, larger in pairwise(taken))
    assert all(part == sorted(part) for part in taken)


def test_one_stratum_gives_the_names_of_the_smallest_hashes():
    all_of_them = [f"{number:04}.png" for number in range(100)]
    smallest = sorted(all_of_them, key=lambda name: digest(name.encode()))[:16]
    assert names(chosen(units(all_of_them), 16)) == set(smallest)


@pytest.mark.parametrize("count", PRESETS)
def test_every_stratum_gives_its_share(count):
    sizes = {"a": 400, "b": 200, "c": 100, "d": 300}
    taken = chosen(units(f"{folder}/{number}.png" for folder, size in sizes.items() for number in range(size)), count)
    shares = Counter(unit.stratum for unit in taken)
    assert all(abs(shares[folder] - count * size / 1000) <= 1 for folder, size in sizes.items())


def test_a_subset_stays_when_files_are_added_to_a_data_set_with_a_list_or_a_manifest(data, manifests):
    vimeo(data, [f"{folder:05}/{clip:04}" for folder in (1, 2) for clip in range(4)])
    before = open_dataset("vimeo90k_test", 3)
    save(data / "vimeo_triplet" / "sequences" / "00003" / "0001" / "im1.png")
    assert open_dataset("vimeo90k_test", 3).digest == before.digest
    for number in range(8):
        save(data / "nips2017" / "images" / f"{number}.png")
    folder = data / "nips2017" / "images"
    pins.write("nips2017", {path.name: file_digest(path) for path in sorted(folder.iterdir())})
    before = open_dataset("nips2017", 3)
    for number in range(8, 40):
        save(folder / f"{number}.png")
    assert open_dataset("nips2017", 3) == before
    assert open_dataset("nips2017").asked == 8


def test_a_file_that_the_manifest_does_not_know_is_never_run(data, manifests):
    folder = data / "nips2017" / "images"
    for number in range(3):
        save(folder / f"{number}.png", (20 + number, 12))
    pins.write("nips2017", {path.name: file_digest(path) for path in sorted(folder.iterdir())})
    save(folder / "1.png", (50, 50))
    (folder / "2.png").unlink()
    dataset = open_dataset("nips2017")
    assert [photo.name for photo in dataset.photos] == ["0.png"]
    assert dataset.excluded["1.png"].startswith("is another file than the data set's: its sha256 is ")
    assert dataset.excluded["2.png"] == "the file is missing"


def test_a_damaged_manifest_is_told(data, manifests):
    pins.path_of("nips2017").parent.mkdir()
    pins.path_of("nips2017").write_text(f"{'0' * 64}  a.png\nnonsense\n")
    with pytest.raises(BenchError, match="must hold lines of sha256sum; got 'nonsense' in line 2"):
        open_dataset("nips2017")


def test_the_samples_manifest_is_what_scikit_image_says_of_its_photographs():
    known = {name.rpartition("/")[2]: sha256 for name, sha256 in registry.items()}
    pinned = pins.read("sample")
    assert len(pinned) == 8
    assert {name: known[name] for name in pinned} == pinned
