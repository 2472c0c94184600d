"""Videos that nobody made for these tests, and damaged ones: none hangs, crashes or is read otherwise than is right."""

from __future__ import annotations

import multiprocessing
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import pytest
from video_mutants import verdict, verdicts_of_mutants

from metric_robustness.pipeline.data.listing import VIDEOS

PATIENCE = 120  # seconds; a hang would last for ever


@pytest.mark.slow
def test_damaged_videos_are_read_as_they_are_or_named(tmp_path):
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:  # in which a crash can be seen
        found = pool.submit(verdicts_of_mutants, tmp_path).result(PATIENCE)
    assert all(reason and "\n" not in reason for reason in found.values())
    kinds = Counter(reason.partition(":")[0] for reason in found.values())
    print(len(found), "damaged videos:", "; ".join(f"{count} {kind}" for kind, count in kinds.most_common()))
    assert len(kinds) > 3


@pytest.mark.slow
def test_clips_of_packages_and_of_the_shared_data_are_read(shared_data):
    packages = [find_spec(name) for name in ("av", "skimage", "imageio", "torchvision")]
    folders = [Path(package.origin).parent for package in packages if package and package.origin]
    public = [file for folder in folders for file in folder.rglob("*") if file.suffix.lower() in VIDEOS]
    shared = [file for file in sorted((shared_data / "video").iterdir()) if file.suffix.lower() in VIDEOS]
    print(len(public), "videos of packages and", len(shared), "of the shared data")
    assert shared
    assert {file.name: verdict(file) for file in public + shared} == {file.name: "read" for file in public + shared}
