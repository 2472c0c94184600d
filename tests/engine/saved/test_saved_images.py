"""Saved attacked images: named by a manifest, scored again without the attack, refused where they were changed."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from csv_lines import lines
from local_entry import local_entry
from PIL import Image
from quiet import run_quietly

from metric_robustness.metrics.base import NoReference
from metric_robustness.pipeline.__main__ import app
from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.cells.distortion import Distortion
from metric_robustness.pipeline.cells.settings import Settings
from metric_robustness.pipeline.cells.stamp import Stamp
from metric_robustness.pipeline.data.images import decode, to_tensor
from metric_robustness.pipeline.data.written import MANIFEST
from metric_robustness.pipeline.engine.metric.build import build_metric
from metric_robustness.pipeline.engine.metric.runner import MetricRunner
from metric_robustness.pipeline.engine.saved.manifest import read_manifests
from metric_robustness.pipeline.engine.saved.read import read_saved
from metric_robustness.pipeline.engine.saved.share import share
from metric_robustness.pipeline.errors import BenchError, DataError
from metric_robustness.pipeline.files import file_digest
from metric_robustness.pipeline.scoring.tables.write import write_tables

JPEG = Settings(variants=False, distortions=(Distortion(50), Distortion(20)))


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """Returns a run that saved its images: on a metric, through a defence, and on a full-reference metric."""
    folder = tmp_path_factory.mktemp("made")
    generator = torch.Generator().manual_seed(3)
    (folder / "photos" / "deep").mkdir(parents=True)
    for name in ("one", "two", "deep/three"):
        small = torch.rand(1, 3, 6, 7, generator=generator)
        smooth = torch.nn.functional.interpolate(small, size=(40, 48), mode="bicubic")[0].clamp(0, 1)
        pixels = (255 * smooth).round().byte().permute(1, 2, 0).numpy()
        Image.fromarray(pixels).save(folder / "photos" / f"{name}.png")
    fgsm = {"attacks": ["fgsm"], "datasets": [str(folder / "photos")]}
    run_quietly(["small_cnn", "small_cnn+flip", "gmsd"], folder / "out", JPEG, save_images=True, **fgsm)
    return folder


@pytest.fixture
def copy(made, tmp_path) -> Path:
    """Returns a copy of the images that the test may change."""
    return Path(shutil.copytree(made / "out" / "images", tmp_path / "images"))


@pytest.fixture(scope="module")
def again(made) -> Path:
    """Returns the run that scores the saved images with the metrics that they were made for, and with others."""
    out, images = made / "again", made / "out" / "images"
    behind = Settings(defences=("flip", "jpeg"))
    run_quietly(["small_cnn", "gmsd"], out, from_images=images)
    run_quietly(["small_cnn"], out, behind, from_images=images)
    run_quietly(["small_cnn+flip"], out, from_images=images)
    write_tables([out], out)
    return out


def test_the_manifest_names_every_image_with_its_hashes_scores_and_settings(made):
    folder = made / "out" / "images" / "none" / "default" / "fgsm" / "small_cnn"
    rows = {row["image"]: row for row in lines(made / "out" / "small_cnn" / "fgsm.csv")}
    found = {line["image"]: line for line in lines(folder / MANIFEST)}
    assert found.keys() == rows.keys() == {"one.png", "two.png", "deep/three.png"}
    for name, line in found.items():
        assert line["file"] == f"default/{name}.png"
        assert line["sha256"] == file_digest(folder / line["file"])
        assert line["clear_sha256"] == file_digest(folder / line["clear"])
        assert (decode(folder / line["clear"]) == decode(made / "photos" / name)).all()
        assert (line["clear_score"], line["attacked_score"]) == (rows[name]["clear"], rows[name]["attacked"])
        assert line["key"] == Stamp.read(made / "out" / "small_cnn" / "fgsm.json").key
        assert json.loads(line["settings"])["eps"] == pytest.approx(10 / 255)
    through = lines(made / "out" / "images" / "flip" / "default" / "fgsm" / "small_cnn" / MANIFEST)
    assert {(line["metric"], line["defence"]) for line in through} == {("small_cnn", "flip")}


def test_saved_images_get_the_scores_that_they_got_when_they_were_made(made, again):
    for metric, saved in (
        ("small_cnn", "fgsm@small_cnn"),
        ("gmsd", "fgsm@gmsd"),
        ("small_cnn+flip", "fgsm@small_cnn+flip"),
    ):
        first, second = lines(made / "out" / metric / "fgsm.csv"), lines(again / metric / f"{saved}.csv")
        assert len(first) == (6 if metric == "gmsd" else 3)
        for row, other in zip(first, second, strict=True):
            for column in ("dataset", "image", "variant", "psnr", "ssim", "mse", "linf"):
                assert row[column] == other[column]
            for column in ("clear", "attacked"):
                assert float(row[column]) == pytest.approx(float(other[column]), rel=1e-4, abs=1e-6)


def test_another_metric_scores_them_against_what_was_attacked(made, again):
    rows = lines(again / "gmsd" / "fgsm@small_cnn.csv")
    judge = build_metric(lookup.find("metrics", "gmsd"), torch.device("cpu"))
    for row in rows:
        clear = to_tensor([decode(made / "photos" / row["image"])])
        saved = made / "out" / "images" / "none" / "default" / "fgsm" / "small_cnn" / "default" / f"{row['image']}.png"
        assert float(row["attacked"]) == pytest.approx(judge(to_tensor([decode(saved)]), clear).item(), rel=1e-4)
        assert float(row["clear"]) == pytest.approx(0, abs=1e-6)


def test_what_knew_the_defence_is_told_from_what_did_not(again):
    found = {(line["attack"], line["defence"]): line["setting"] for line in lines(again / "defences.csv")}
    assert found["fgsm@small_cnn", "flip"] == "non-adaptive"
    assert found["fgsm@small_cnn+flip", "flip"] == "adaptive"
    assert found["fgsm@small_cnn+flip", "jpeg"] == "non-adaptive"
    assert found["fgsm@gmsd", "flip"] == "non-adaptive"


def test_what_is_done_is_not_done_again_and_images_without_a_manifest_are_told_and_not_scored(made, again, copy):
    listener = run_quietly(["small_cnn", "gmsd"], again, from_images=made / "out" / "images")
    assert (listener.cells, listener.done) == (0, 6)
    (manifest,) = copy.glob("none/default/fgsm/gmsd/manifest.csv")
    manifest.unlink()
    attacks, datasets = read_saved(copy)
    assert {entry.name for entry in attacks} == {"fgsm@small_cnn", "fgsm@small_cnn+flip"}
    assert "in no manifest.csv, and not scored" in datasets[0].remarks


def test_clear_scores_of_each_kind_of_saved_images_are_computed_once(made, tmp_path):
    class Counted(NoReference):
        higher_is_better = True
        score_range = (0.0, 1.0)
        scored = 0

        def score(self, images):
            Counted.scored += len(images)
            return images.mean((1, 2, 3))

    entries, _ = read_saved(made / "out" / "images")
    kinds = {dataset.digest: dataset for entry in entries for dataset, _ in entry.passes()}
    assert len({dataset.name for dataset in kinds.values()}) < len(kinds)  # originals, and JPEGs of the same name
    runner = MetricRunner(local_entry(Counted), tmp_path)
    for dataset in [*kinds.values(), *kinds.values()]:  # attacks on several metrics are scored by turns
        assert runner.clear(dataset).scores.isfinite().all()
    assert Counted.scored == sum(len(dataset.photos) for dataset in kinds.values())


def test_a_run_whose_manifest_is_gone_saves_again_and_ends_in_the_same_bytes(made, tmp_path):
    out = Path(shutil.copytree(made / "out", tmp_path / "out"))
    manifest = out / "images" / "none" / "default" / "fgsm" / "small_cnn" / MANIFEST
    before = manifest.read_bytes()
    manifest.unlink()
    fgsm = {"attacks": ["fgsm"], "datasets": [str(made / "photos")]}
    assert run_quietly(["small_cnn", "gmsd"], out, JPEG, save_images=True, **fgsm).cells == 1
    assert manifest.read_bytes() == before


def test_a_manifest_that_anybody_writes_by_hand_needs_five_columns(made, tmp_path):
    folder = tmp_path / "theirs"
    folder.mkdir()
    shutil.copy(made / "photos" / "one.png", folder / "clear.png")
    Image.new("RGB", (48, 40), (200, 10, 10)).save(folder / "bad.png")
    sums = (file_digest(folder / name) for name in ("bad.png", "clear.png"))
    told = "bad.png,{},clear.png,{},magic\n".format(*sums)
    (folder / MANIFEST).write_text(f"file,sha256,clear,clear_sha256,attack\n{told}")
    run_quietly(["gmsd"], tmp_path / "out", from_images=folder)
    (row,) = lines(tmp_path / "out" / "gmsd" / "magic.csv")
    assert (row["dataset"], row["image"], float(row["linf"]) > 0.1) == ("theirs", "bad", True)


def test_an_image_that_was_changed_is_foreign_or_gone_is_refused_and_named(copy):
    folder = copy / "none" / "default" / "fgsm" / "small_cnn"
    good = (folder / "default" / "one.png.png").read_bytes()
    (folder / "default" / "one.png.png").write_bytes(good + b"x")
    with pytest.raises(DataError, match=r"default/one.png.png is not the file of manifest.csv: its sha256 is"):
        read_manifests(copy)
    (folder / "default" / "one.png.png").unlink()
    with pytest.raises(DataError, match=r"default/one.png.png is in manifest.csv and is not there: restore it"):
        read_manifests(copy)
    (folder / "default" / "one.png.png").write_bytes(good)
    (folder / "default" / ".one.png.png.part").write_bytes(b"being written")
    read_manifests(copy)
    (folder / "default" / "more.png").write_bytes(good)
    with pytest.raises(DataError, match=r"default/more.png is not in manifest.csv: take it away, or add its row"):
        read_manifests(copy)


def test_two_images_for_one_place_are_excluded_and_cost_the_others_nothing(copy, tmp_path):
    other = Path(
        shutil.copytree(
            copy / "none" / "default" / "fgsm" / "small_cnn", copy / "twice" / "default" / "fgsm" / "small_cnn"
        )
    )
    assert len(read_saved(copy)[0]) == 3  # images that are there twice count once
    Image.new("RGB", (48, 40)).save(other / "default" / "one.png.png")
    rows = lines(other / MANIFEST)
    for row in rows:
        row["sha256"], row["seal"] = file_digest(other / row["file"]), ""
    with (other / MANIFEST).open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    run_quietly(["small_cnn"], tmp_path / "out", from_images=copy)
    assert {row["image"] for row in lines(tmp_path / "out" / "small_cnn" / "fgsm@small_cnn.csv")} == {
        "two.png",
        "deep/three.png",
    }
    assert len(lines(tmp_path / "out" / "small_cnn" / "fgsm@gmsd.csv")) == 6
    (facts,) = Stamp.read(tmp_path / "out" / "small_cnn" / "fgsm@small_cnn.json").datasets
    assert facts.excluded.keys() == {"one.png"}
    assert facts.excluded["one.png"].endswith("are the same attack on it, and differ")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("file,sha256,clear,clear_sha256\n", "it lacks attack: add them"),
        ("file,sha256,clear,clear_sha256,attack\n", "with images; got none"),
        ("file,sha256,clear,clear_sha256,attack\na.png,1\n", "row 2: must have 5 cells; got 2"),
        ("file,sha256,clear,clear_sha256,attack\n/a.png,1,b.png,2,x\n", "file must be a path relative"),
        ("file,sha256,clear,clear_sha256,attack\na.png,1,b.png,2,../x\n", "attack cannot be '../x'"),
        ("file,sha256,clear,clear_sha256,attack,image\na.png,1,b.png,2,x,../../b\n", "image cannot be '../../b'"),
        ("file,sha256,clear,clear_sha256,attack,amplitude\na.png,1,b.png,2,x,much\n", "amplitude cannot be 'much'"),
        ("file,sha256,clear,clear_sha256,attack,metric\na.png,1,b.png,2,x,a/b\n", "metric cannot be 'a/b'"),
    ],
)
def test_what_is_wrong_with_a_manifest_is_told_in_one_line(tmp_path, text, says):
    (tmp_path / MANIFEST).write_text(text)
    with pytest.raises(BenchError, match=says) as error:
        read_manifests(tmp_path)
    assert "\n" not in str(error.value)


def test_a_folder_without_a_manifest_is_refused(tmp_path):
    with pytest.raises(BenchError, match=r"must hold a manifest.csv with images; got none"):
        read_manifests(tmp_path)
    with pytest.raises(BenchError, match="is none"):
        read_manifests(tmp_path / "gone")


@pytest.mark.parametrize("extra", [["--attacks", "fgsm"], ["--adaptive"], ["--save-images"], ["--set", "steps=2"]])
def test_saved_images_bring_their_own_attacks(tmp_path, extra):
    defences = ["--defences", "flip"] if extra == ["--adaptive"] else []
    arguments = ["run", "--metrics", "psnr", "--from-images", str(tmp_path), "--out", str(tmp_path / "out")]
    with pytest.raises(BenchError, match=f"brings its own attacks and images; got {extra[0]} too"):
        app([*arguments, *defences, *extra], standalone_mode=False)


def test_shared_images_are_those_that_were_saved_each_once_with_what_they_are(made, tmp_path):
    out = tmp_path / "shared"
    assert share(made / "out" / "images", out) == len(lines(out / "test" / "metadata.csv")) == 12
    for line in lines(out / "test" / "metadata.csv"):
        assert line["metric"] in {"small_cnn", "gmsd"}
        image, clear = (decode(out / "test" / line[name]) for name in ("file_name", "clear_file_name"))
        assert np.abs(image / 255 - clear / 255).max() == pytest.approx(float(line["linf"]), abs=1e-6)
        assert bool(line["reference_file_name"]) == (line["metric"] == "gmsd")
    files = list(out.rglob("*.png"))
    assert len({file_digest(path) for path in files}) == len(files)
    with pytest.raises(BenchError, match="must be a new or an empty folder"):
        share(made / "out" / "images", out)
