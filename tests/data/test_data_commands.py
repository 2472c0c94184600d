"""python -m pipeline data, in a process of its own."""

from __future__ import annotations

import hashlib
import json
import shutil

import pytest
from PIL import Image


@pytest.fixture
def coco(tmp_path):
    """Returns a data folder with a COCO of six images."""
    folder = tmp_path / "data" / "coco" / "train2017"
    folder.mkdir(parents=True)
    for number in range(6):
        Image.new("RGB", (20 + number, 12)).save(folder / f"{number:012}.jpg")
    return tmp_path / "data"


@pytest.fixture
def checkout(tree):
    """Returns a checkout in which COCO holds six images, of which the benchmark takes four."""
    file = tree.root / "pipeline" / "benchmark.yml"
    file.write_text(file.read_text().replace("118287", "6").replace("9999", "4"))
    return tree


def call(checkout, coco, *arguments):
    return checkout.call("data", *arguments, METRIC_ROBUSTNESS_DATA=str(coco))


def test_list_tells_what_is_here_and_what_is_known(laboratory, coco):
    rows = {row["name"]: row for row in json.loads(call(laboratory, coco, "list", "--json").stdout)}
    assert (rows["sample"]["here"], rows["sample"]["pinned"], rows["sample"]["images"]) == (True, 8, 8)
    assert (rows["coco"]["here"], rows["coco"]["pinned"], rows["coco"]["images"]) == (True, 0, 9999)
    assert not rows["nips2017"]["here"]
    assert "vimeo90k_test" in call(laboratory, coco, "list").stdout


def test_where_tells_source_licence_and_folder(laboratory, coco):
    told = call(laboratory, coco, "where", "voc2012").stdout
    assert "http://host.robots.ox.ac.uk" in told
    assert "licence: Flickr" in told
    assert "VOCtrainval_11-May-2012.tar (1,999,639,040 bytes, sha256 e14f7632" in told
    assert f"folder:  {coco}/VOCdevkit/VOC2012/JPEGImages" in told
    wrong = call(laboratory, coco, "where", "voc2021")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)
    assert "no data set is named 'voc2021': did you mean voc2012" in wrong.stderr


def test_verify_counts_what_has_no_manifest(checkout, coco):
    told = call(checkout, coco, "verify")
    assert told.returncode == 0, told.stderr
    assert "coco: 6 of 6 files are there, their sha256 not known" in told.stdout
    assert "sample: 8 of 8 files are there, 8 with the right sha256" in told.stdout
    next(coco.rglob("*.jpg")).unlink()
    told = call(checkout, coco, "verify", "coco")
    assert told.returncode == 3
    assert "coco must hold 6 images; got 5: get it again from http" in told.stderr


def test_verify_counts_the_frames_of_a_video(checkout, coco, shared_data):
    (coco / "derf").mkdir()
    shutil.copy(shared_data / "video" / "carphone_pristine_30f.y4m", coco / "derf" / "blue_sky_1080p25.y4m")
    told = call(checkout, coco, "verify", "derf_blue_sky")
    assert told.returncode == 3
    assert "derf_blue_sky must hold 217 images; got 30" in told.stderr


def test_pin_writes_the_part_that_is_taken_and_verify_finds_what_changed(checkout, coco):
    assert call(checkout, coco, "pin", "coco").returncode == 0
    told = call(checkout, coco, "verify", "coco", "--json")
    (verdict,) = json.loads(told.stdout)
    assert (told.returncode, verdict["right"], verdict["further"], verdict["problems"]) == (0, 4, 2, {})
    pinned = (checkout.root / "pipeline/data/manifests/coco.sha256").read_text().split()[1::2]
    Image.new("RGB", (9, 9)).save(coco / "coco/train2017" / pinned[0])
    (coco / "coco/train2017" / pinned[1]).unlink()
    told = call(checkout, coco, "verify", "coco")
    assert told.returncode == 3
    assert f"error: {pinned[0]} has the sha256 " in told.stderr
    assert f"error: {pinned[1]} is missing" in told.stderr
    again = call(checkout, coco, "pin", "coco")
    assert (again.returncode, "coco must have no manifest yet" in again.stderr) == (2, True)


def test_pin_refuses_what_is_not_whole_or_not_here(checkout, coco):
    next(coco.rglob("*.jpg")).unlink()
    told = call(checkout, coco, "pin", "coco")
    assert (told.returncode, told.stderr.count("\n")) == (3, 1)
    assert "coco must be complete to be pinned" in told.stderr
    assert call(checkout, coco, "pin", "nips2017").returncode == 2
    assert call(checkout, coco, "pin").returncode == 2


def test_a_download_is_what_was_published_of_it(checkout, coco, tmp_path):
    file, archive = checkout.root / "pipeline" / "benchmark.yml", tmp_path / "train2017.zip"
    archive.write_bytes(bytes(range(256)) * 100)
    wrong = call(checkout, coco, "verify", "coco", "--download", str(archive))
    assert (wrong.returncode, wrong.stderr.count("\n")) == (3, 1)
    assert "must have 19,336,861,798 bytes; got 25,600: get it again from http://images" in wrong.stderr
    configured = file.read_text().replace("size: 19336861798", "size: 25600")
    file.write_text(configured)
    wrong = call(checkout, coco, "verify", "coco", "--download", str(archive))
    assert (wrong.returncode, wrong.stderr.count("\n")) == (3, 1)
    assert "must have the sha256 69a8bb58" in wrong.stderr
    published = "69a8bb58ea5f8f99d24875f21416de2e9ded3178e903f1f7603e283b9e06d929"
    file.write_text(configured.replace(published, hashlib.sha256(archive.read_bytes()).hexdigest()))
    right = call(checkout, coco, "verify", "coco", "--download", str(archive))
    assert (right.returncode, right.stdout) == (0, f"coco: {archive} has the right sha256\n")


def test_a_clip_is_verified_by_md5_where_nobody_published_more(checkout, coco, tmp_path):
    file, clip = checkout.root / "pipeline" / "benchmark.yml", tmp_path / "blue_sky_1080p25.y4m"
    clip.write_bytes(b"YUV4MPEG2")
    wrong = call(checkout, coco, "verify", "derf_blue_sky", "--download", str(clip))
    assert (wrong.returncode, "must have the md5 a4ef8836" in wrong.stderr) == (3, True)
    md5 = hashlib.md5(clip.read_bytes(), usedforsecurity=False).hexdigest()
    file.write_text(file.read_text().replace("a4ef8836e546bbef4276346d0b86e81b", md5))
    assert call(checkout, coco, "verify", "derf_blue_sky", "--download", str(clip)).returncode == 0


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["vimeo90k_test"], "the download of vimeo90k_test must have a published hash"),
        (["nips2017"], "the download of nips2017 must have a published hash"),
        (["coco"], "there is no such file: get http://images.cocodataset.org"),
        (["coco", "voc2012"], "--download must stand beside one data set's name"),
    ],
)
def test_a_download_that_cannot_be_verified_is_said_to_be(laboratory, coco, tmp_path, names, told):
    wrong = call(laboratory, coco, "verify", *names, "--download", str(tmp_path / "nothing.zip"))
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)
    assert told in wrong.stderr
