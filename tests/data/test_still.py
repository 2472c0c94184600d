"""Still images: every case of docs/inputs.md gives the right pixels, or is refused by name."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from inputs_page import PAGE, filled
from PIL import Image
from still_case import RGB, Case, saved
from still_cases import cases

from metric_robustness.pipeline.data.dataset import open_dataset
from metric_robustness.pipeline.data.stills import jpeg
from metric_robustness.pipeline.data.stills.formats import suffixes
from metric_robustness.pipeline.data.stills.still import StillError, decode, examine
from metric_robustness.pipeline.engine.decide import dataset_facts

CASES = cases()


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.container}-{case.name}")
def test_a_file_gives_the_right_pixels_or_is_refused_by_name(tmp_path, case: Case):
    path = tmp_path / case.name
    path.write_bytes(case.data())
    if isinstance(case.right, str):
        with pytest.raises(StillError) as refused:
            examine(path) and decode(path)
        assert str(refused.value).removeprefix("cannot be read: ") == case.right
        return
    found, still = decode(path), examine(path)
    assert (still.height, still.width) == found.shape[:2] == case.right.shape[:2]
    worst = int(np.abs(found.astype(int) - case.right).max())
    assert worst <= case.within
    assert still.converted == case.converted


def test_whatever_pillow_reads_and_writes_is_read_by_its_suffix(tmp_path):
    """Pillow's registry decides, so the suffixes of a format that it learns are read without a change here."""
    Image.init()
    unread = set()
    for suffix, kind in Image.registered_extensions().items():
        if kind not in Image.SAVE or (kind not in Image.OPEN and kind != "MPO"):
            continue
        path = tmp_path / f"{kind}{suffix}"
        for mode in ("RGB", "1"):  # some formats are black and white only
            with contextlib.suppress(OSError, ValueError):
                Image.new(mode, (32, 32), 1).save(path, kind)
                break
        if suffix not in suffixes():
            unread.add(kind)
        elif path.exists():
            assert min(decode(path).shape[:2]) >= 32, path  # an icon holds larger ones, too
    assert unread == {"EPS", "GRIB", "HDF5", "WMF", "BUFR"} & set(Image.SAVE)  # drawings, and stubs that read nothing


def test_files_that_are_not_read_are_named_and_colours_that_are_converted_are_counted(tmp_path):
    for name in ("a.heic", "b.HEIC", "notes.txt", "README"):
        (tmp_path / name).touch()
    for case in CASES:
        if case.name in {"cHRMofDisplayP3.png", "cICPofDisplayP3.png", "adobe.png", "adobe.tif", "srgb.png"}:
            (tmp_path / case.name).write_bytes(case.data())
    dataset = open_dataset(str(tmp_path))
    assert dataset.remarks == {
        "converted to sRGB from Display P3": 1,
        "converted to sRGB from its cHRM": 1,
        "converted to sRGB from test": 2,
    }
    assert dataset.unread == {
        "*.heic": "2 files are not read: a.heic, b.HEIC",
        "*.txt": "1 file is not read: notes.txt",
        "* without a suffix": "1 file is not read: README",
    }
    assert (dataset.asked, dataset.excluded) == (5, {})
    facts = dataset_facts(dataset)
    assert (facts.remarks, facts.passed_over) == (dataset.remarks, dataset.unread)


def test_many_files_and_many_suffixes_are_not_named_one_by_one(tmp_path):
    Image.new("RGB", (9, 9)).save(tmp_path / "a.png")
    for number in range(50):
        (tmp_path / f"frame.{number:04}").touch()
        (tmp_path / f"{number:02}.txt").touch()
    unread = open_dataset(str(tmp_path)).unread
    assert len(unread) == 21
    assert unread["*.txt"] == f"50 files are not read: {', '.join(f'{n:02}.txt' for n in range(10))} and 40 more"
    assert unread["* of further suffixes"].startswith("31 files are not read: frame.0019, ")


@pytest.mark.parametrize("more", [{}, {"progressive": True}, {"optimize": True}, {"restart_marker_rows": 1}])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_whole_jpeg_files_of_every_kind_are_not_taken_for_damaged_ones(tmp_path, mode, more):
    path = tmp_path / "whole.jpg"
    for size in ((7, 7), (16, 16), (37, 21)):
        image = Image.fromarray(RGB).resize(size).convert(mode)
        for chroma in (0, 1, 2) if mode == "RGB" else (-1,):
            whole = saved(image, "JPEG", subsampling=chroma, quality=60, **more)()
            for data in (whole, whole + bytes(99), whole + whole, whole[:2] + b"\xff\xff\xff" + whole[2:]):
                path.write_bytes(data)
                assert not jpeg.damaged(path)
    broken = whole[: -len(whole) // 8] + b"\xff\xd9"
    path.write_bytes(broken)
    assert jpeg.damaged(path)
    path.write_bytes(broken.replace(b"\xff\xc0\0", b"\xff\xc9\0").replace(b"\xff\xc2\0", b"\xff\xca\0"))
    assert not jpeg.damaged(path)  # arithmetic codes, which FFmpeg does not read


@pytest.mark.parametrize("end", [b"", b"\xff", b"\xff\xe0", b"\xff\xe0\0", b"\xff\xe0\0\0\xff\xe0", b"\xff\xc0"])
def test_a_jpeg_file_that_ends_in_its_head_is_read_to_its_end_once(tmp_path, end):
    path = tmp_path / "head.jpg"
    path.write_bytes(b"\xff\xd8" + end)
    jpeg.damaged(path)  # it returns
    with pytest.raises(StillError):
        decode(path)


def test_the_page_shows_the_cases_as_they_are():
    page = PAGE.read_text(encoding="utf-8")
    assert page == filled(page), "run make docs/inputs.md"
