"""Fitting patterns: what a stamp says, what is refused, what a kill costs, and what cannot be fitted."""

from __future__ import annotations

import math
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from local_entry import local_entry
from PIL import Image

from metric_robustness.metrics.base import FullReference, Images, NoReference, Scores
from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.cells.cell import Cell
from metric_robustness.pipeline.cells.fit import Fit, FitStamp, fits_of
from metric_robustness.pipeline.cells.settings import Settings
from metric_robustness.pipeline.data.dataset import Dataset, open_dataset
from metric_robustness.pipeline.data.images import load_recent
from metric_robustness.pipeline.engine.cell import CellRun
from metric_robustness.pipeline.engine.decide import Inputs, work_ahead
from metric_robustness.pipeline.engine.metric import compiling
from metric_robustness.pipeline.engine.metric.runner import MetricRunner
from metric_robustness.pipeline.engine.universal.fit import FitStep
from metric_robustness.pipeline.engine.universal.patterns import pattern_of, patterns_of
from metric_robustness.pipeline.errors import DataError
from metric_robustness.pipeline.store.store import FolderStore
from metric_robustness.pipeline.store.sync import Sync

CPU = torch.device("cpu")
SMALL = Settings(overrides={"crop": "16", "batch": "3", "epochs": "4", "least_steps": "1"})


class Bright(NoReference):
    """Mean of the squares, each weighed by its mirror pixel: smooth, and no two pixels alike."""

    higher_is_better = True
    score_range = (0.0, 1.0)

    def score(self, images: Images) -> Scores:
        return (images.square() * (1 + images.flip(3))).mean(dim=(1, 2, 3))


class Alone(Bright):
    batch_dependent = True

    def score(self, images: Images) -> Scores:
        assert len(images) == 1
        return super().score(images)


class OddOnDark(Bright):
    """NaN where the image is dark; its gradient there is NaN too."""

    limit = 0.3

    def score(self, images: Images) -> Scores:
        dark = images.mean(dim=(1, 2, 3)) < self.limit
        return super().score(images) * torch.where(dark, torch.nan, 1.0)


class AlwaysOdd(OddOnDark):
    limit = 2.0


class Flat(NoReference):
    higher_is_better = True
    score_range = (0.0, 1.0)

    def score(self, images: Images) -> Scores:
        return 0 * images.mean(dim=(1, 2, 3))


class Raising(Bright):
    def score(self, images: Images) -> Scores:
        raise RuntimeError("no hope")


class Large(Bright):
    smallest = 64


class Far(FullReference):
    """Lower is better: the mirrored reference scores best."""

    higher_is_better = False
    score_range = (0.0, 0.1)

    def score(self, images: Images, references: Images) -> Scores:
        return (images - references.flip(3)).square().mean(dim=(1, 2, 3))


@pytest.fixture(scope="module")
def train(photos: Path) -> Dataset:
    return open_dataset(str(photos))


def cell_of(metric, attack="optimized_uap", settings=SMALL, *, train: Dataset, datasets=None) -> Cell:
    return Cell(metric, lookup.find("attacks", attack), datasets or {}, settings, {train.name: train.digest})


def fit_of(made, attack="optimized_uap", settings=SMALL, *, train: Dataset) -> Fit:
    return fits_of(cell_of(local_entry(made), attack, settings, train=train))[0]


def bench_of(fit: Fit, out: Path, store: Path | None = None) -> MetricRunner:
    return MetricRunner(fit.metric, out, sync=Sync(FolderStore(store) if store else None))


def silent(*_: object) -> None:
    pass


def test_a_pattern_is_stored_with_a_preview_and_a_stamp_and_used_again(train, tmp_path):
    fit = fit_of(Bright, train=train)
    pattern = pattern_of(bench_of(fit, tmp_path), fit, train, silent)
    stamp = FitStamp.read(fit.file(tmp_path).with_suffix(".json"))
    assert (stamp.metric_fingerprint, stamp.attack_fingerprint) == (fit.metric.fingerprint, fit.attack.fingerprint)
    assert (stamp.train.digest, stamp.train.images, stamp.train.excluded) == (train.digest, 6, {})
    assert stamp.settings["crop"] == 16
    assert len(stamp.loss) == 2 * 4  # six images in batches of three, four epochs
    assert stamp.loss[-1] < stamp.loss[0]
    with Image.open(fit.file(tmp_path).with_suffix(".png")) as preview:
        assert preview.size == (16, 16)
    before = fit.file(tmp_path).stat().st_mtime_ns
    told = []
    assert torch.equal(pattern_of(bench_of(fit, tmp_path), fit, train, told.append), pattern)
    assert told == []
    assert fit.file(tmp_path).stat().st_mtime_ns == before
    assert not list((tmp_path / ".work").rglob("*.checkpoint"))


@pytest.mark.usefixtures("compiler")
def test_a_compiled_fit_ends_in_the_same_pattern_and_a_killed_one_goes_on_compiled(train, tmp_path, monkeypatch):
    fit = fit_of(Bright, train=train)
    plain = pattern_of(bench_of(fit, tmp_path / "plain"), fit, train, silent)
    monkeypatch.setattr(compiling, "SECONDS", 1e-9)  # as if the crops were so many that it pays
    monkeypatch.setattr(compiling, "FASTER", math.inf)  # on so few pixels nobody knows

    def stop(step: FitStep) -> None:
        if step.done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pattern_of(bench_of(fit, tmp_path / "compiled"), fit, train, stop, every=0)
    monkeypatch.setattr(compiling, "SECONDS", 1e9)  # now it would not pay
    pattern = pattern_of(bench_of(fit, tmp_path / "compiled"), fit, train, silent)
    stamp = FitStamp.read(fit.file(tmp_path / "compiled").with_suffix(".json"))
    assert stamp.searched.endswith("; compiled for 3x3x16x16")
    assert torch.allclose(pattern, plain, atol=1e-5)
    assert plain.abs().max() > 0.005


@pytest.mark.usefixtures("compiler")
def test_a_fit_is_compiled_for_full_batches_not_for_the_rest_of_an_epoch(train, tmp_path, monkeypatch):
    monkeypatch.setattr(compiling, "SECONDS", 1e-9)
    monkeypatch.setattr(compiling, "FASTER", math.inf)
    settings = replace(SMALL, overrides=SMALL.overrides | {"batch": "4"})  # an epoch has steps of 4 and of 2
    fit = fit_of(Bright, settings=settings, train=train)
    pattern_of(bench_of(fit, tmp_path), fit, train, silent)
    stamp = FitStamp.read(fit.file(tmp_path).with_suffix(".json"))
    assert stamp.searched.endswith("; compiled for 4x3x16x16")


@pytest.mark.usefixtures("compiler")
def test_a_fit_that_goes_on_does_not_try_again_what_was_refused(train, tmp_path, monkeypatch):
    monkeypatch.setattr(compiling, "SECONDS", 1e-9)
    monkeypatch.setattr(compiling, "FASTER", 0)  # whatever it takes is too slow
    fit = fit_of(Bright, train=train)

    def stop(step: FitStep) -> None:
        if step.done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pattern_of(bench_of(fit, tmp_path), fit, train, stop, every=0)
    monkeypatch.setattr(compiling, "FASTER", math.inf)  # now it would be taken
    pattern_of(bench_of(fit, tmp_path), fit, train, silent)
    stamp = FitStamp.read(fit.file(tmp_path).with_suffix(".json"))
    assert "; not compiled for 3x3x16x16: that takes " in stamp.searched
    assert "; compiled" not in stamp.searched


@pytest.mark.parametrize("attack", ["cumulative_uap", "optimized_uap", "generative_uap"])
@pytest.mark.parametrize(("least", "steps"), [(1, 6), (6, 6), (7, 8), (100, 100)])
def test_a_fit_on_few_images_goes_over_them_until_it_has_its_least_steps(attack, least, steps, train, tmp_path):
    overrides = {"crop": "16", "batch": "3", "epochs": "3", "least_steps": str(least)}  # an epoch has two steps
    cell = cell_of(local_entry(Bright), attack, Settings(variants=False, overrides=overrides), train=train)
    (fit,), told, done = fits_of(cell), [], []
    pattern_of(bench_of(fit, tmp_path), fit, train, told.append)
    stamp = FitStamp.read(fit.file(tmp_path).with_suffix(".json"))
    assert len(stamp.loss) == told[-1].total == steps
    assert stamp.settings["least_steps"] == least
    patterns_of(bench_of(fit, tmp_path / "again"), cell, [train], lambda what, work: done.append(work))
    assert {("bright", attack): sum(done)} == work_ahead([cell], Inputs([cell.attack], [], [train]))


@pytest.mark.parametrize("attack", ["cumulative_uap", "optimized_uap", "generative_uap"])
@pytest.mark.parametrize("made", [Bright, Far])
def test_every_attack_lowers_the_loss_of_a_metric_of_either_direction(attack, made, train, tmp_path):
    settings = replace(SMALL, overrides=SMALL.overrides | {"epochs": "12"})
    fit = fit_of(made, attack, settings, train=train)
    pattern = pattern_of(bench_of(fit, tmp_path), fit, train, silent)
    stamp = FitStamp.read(fit.file(tmp_path).with_suffix(".json"))
    assert sum(stamp.loss[-2:]) < sum(stamp.loss[:2])  # an epoch has two steps
    assert pattern.abs().max() <= stamp.settings["eps"] + 1e-6


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            lambda fit: replace(fit, metric=replace(fit.metric, fingerprint="f" * 16)),
            "fitted for other weights or code",
        ),
        (
            lambda fit: replace(fit, attack=replace(fit.attack, fingerprint="f" * 16)),
            "by another version of the attack",
        ),
        (lambda fit: replace(fit, digest="f" * 16), "fitted on other images"),
    ],
)
def test_a_pattern_of_something_else_is_refused_and_fitted_again(train, tmp_path, capsys, change, reason):
    fit = fit_of(Bright, train=train)
    pattern_of(bench_of(fit, tmp_path), fit, train, silent)
    other, told = change(fit), []
    assert other.file(tmp_path) == fit.file(tmp_path)
    assert other.key != fit.key
    pattern_of(bench_of(other, tmp_path), other, train, told.append)
    assert reason in capsys.readouterr().err
    assert told[-1].done == told[-1].total == 8
    assert FitStamp.read(fit.file(tmp_path).with_suffix(".json")).key == other.key


@pytest.mark.parametrize("suffix", [".safetensors", ".json"])
def test_a_damaged_pattern_is_refused_and_fitted_again(train, tmp_path, capsys, suffix):
    fit = fit_of(Bright, train=train)
    pattern = pattern_of(bench_of(fit, tmp_path), fit, train, silent)
    file = fit.file(tmp_path).with_suffix(suffix)
    file.write_bytes(file.read_bytes()[:-7])
    assert torch.equal(pattern_of(bench_of(fit, tmp_path), fit, train, silent), pattern)
    assert "damaged or gone; not used" in capsys.readouterr().err


def test_a_pattern_comes_from_the_store_unless_it_is_damaged_there(train, tmp_path, capsys):
    fit, store = fit_of(Bright, train=train), tmp_path / "store"
    pattern = pattern_of(bench_of(fit, tmp_path / "a", store), fit, train, silent)
    told: list = []
    assert torch.equal(pattern_of(bench_of(fit, tmp_path / "b", store), fit, train, told.append), pattern)
    assert told == []
    (kept,) = store.glob("fits/*/*/pattern.safetensors")
    kept.write_bytes(kept.read_bytes()[:-1])
    assert torch.equal(pattern_of(bench_of(fit, tmp_path / "c", store), fit, train, told.append), pattern)
    assert told
    assert "is damaged" in capsys.readouterr().err
    told.clear()  # the pattern that was fitted anew has taken the place of the damaged one
    assert torch.equal(pattern_of(bench_of(fit, tmp_path / "d", store), fit, train, told.append), pattern)
    assert told == []


@pytest.mark.parametrize("made", [Flat, AlwaysOdd, Raising, Large])
def test_what_cannot_be_fitted_is_told_in_one_line(made, train, tmp_path):
    reasons = {
        Flat: "must be finite, not 0",
        AlwaysOdd: f"the loss of the fit on {train.name} must be finite; it is nan since step 1",
        Raising: f"the fit on {train.name} failed: RuntimeError: no hope",
        Large: "large must accept crops of 16 pixels; it needs 64: --set crop=64",
    }
    fit = fit_of(made, "cumulative_uap", train=train)
    with pytest.raises(DataError) as told:
        pattern_of(bench_of(fit, tmp_path), fit, train, silent)
    assert reasons[made] in str(told.value)
    assert "\n" not in str(told.value)
    assert not fit.file(tmp_path).exists()


def test_fewer_images_than_a_batch_are_refused(train, tmp_path):
    fit = fit_of(Bright, settings=Settings(overrides={"crop": "16"}), train=train)
    with pytest.raises(DataError, match=f"{train.name} must hold a batch of 8 images; it holds 6"):
        pattern_of(bench_of(fit, tmp_path), fit, train, silent)


def test_an_image_without_a_score_is_named_and_the_others_are_fitted(photos, tmp_path):
    folder = Path(shutil.copytree(photos, tmp_path / "some"))
    Image.new("RGB", (40, 40), (9, 9, 9)).save(folder / "dark.png")
    (folder / "torn.png").write_bytes((folder / "coffee.png").read_bytes()[:-400])
    train = open_dataset(str(folder))
    fit = fit_of(OddOnDark, train=train)
    pattern = pattern_of(bench_of(fit, tmp_path), fit, train, silent)
    assert pattern.isfinite().all()
    excluded = FitStamp.read(fit.file(tmp_path).with_suffix(".json")).train.excluded
    assert "dark.png" in excluded
    assert excluded["dark.png"] == "its score was nan in the fit"
    assert "torn.png" in excluded


def test_a_metric_that_wants_images_one_by_one_is_fitted_all_the_same(train, tmp_path):
    alone, together = fit_of(Alone, train=train), fit_of(Bright, train=train)
    found = [pattern_of(bench_of(fit, tmp_path), fit, train, silent) for fit in (alone, together)]
    torch.testing.assert_close(*found, rtol=0, atol=1e-6)


def test_too_many_crops_for_the_memory_are_taken_in_parts(train, tmp_path):
    class Greedy(Bright):
        def score(self, images: Images) -> Scores:
            if len(images) > 1:
                raise torch.OutOfMemoryError("out of memory")
            return super().score(images)

    greedy, modest = fit_of(Greedy, train=train), fit_of(Bright, train=train)
    found = [pattern_of(bench_of(fit, tmp_path), fit, train, silent) for fit in (greedy, modest)]
    torch.testing.assert_close(*found, rtol=0, atol=1e-6)


def test_a_cell_has_a_row_per_training_set_and_amplitude_and_decodes_once(train, photos, tmp_path):
    folder = Path(shutil.copytree(photos, tmp_path / "more"))
    (folder / "coffee.png").unlink()
    more = open_dataset(str(folder))
    metric, attack = local_entry(Bright), lookup.find("attacks", "cumulative_uap")
    data = open_dataset(str(photos))
    sets = {dataset.name: dataset.digest for dataset in (train, more)}
    cell = Cell(metric, attack, {data.name: data.digest}, SMALL, sets)
    runner = MetricRunner(metric, tmp_path)
    patterns = patterns_of(runner, cell, [train, more], silent)
    load_recent.cache_clear()
    outcome = CellRun(runner, cell, silent, patterns=patterns, save_images=True).run([data])
    settings = [(row["train_dataset"], row["amplitude"]) for row in outcome.rows]
    expected = [(name, amplitude) for name in (train.name, "more") for amplitude in ("0.2", "0.4", "0.8")]
    assert settings == [setting for setting in expected for _ in data.photos]
    assert [row["image"] for row in outcome.rows] == 6 * [photo.name for photo in data.photos]
    assert {row["queries"] for row in outcome.rows} == {"0"}
    for row in outcome.rows:
        assert float(row["linf"]) <= float(row["amplitude"]) * 0.1 + 0.5 / 255
        assert float(row["attacked"]) > float(row["clear"])
    by_amplitude = [row for row in outcome.rows if row["image"] == "coffee.png" and row["train_dataset"] == "more"]
    assert len({row["psnr"] for row in by_amplitude}) == 3
    assert len({row["clear"] for row in by_amplitude}) == 1
    saved = list((tmp_path / "images").glob("none/default/cumulative_uap*/**/coffee.png.png"))
    assert len(saved) == 6
    assert load_recent.cache_info().misses <= 2 * 3  # three sizes: once for the clear scores, once for all trials


def test_the_cells_key_covers_the_training_sets_of_universal_attacks_only(train):
    metric = local_entry(Bright)
    for attack, covered in (("cumulative_uap", True), ("fgsm", False)):
        cell = cell_of(metric, attack, train=train)
        assert (replace(cell, train={train.name: "f" * 16}).key != cell.key) == covered
