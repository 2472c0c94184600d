"""Filters that metrics make themselves, since to import pyiqa takes seconds, have the bits of pyiqa's."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from pyiqa.archs.fsim_arch import _construct_filters
from pyiqa.archs.vif_arch import sp5_filters as their_sp5_filters
from pyiqa.archs.vsi_arch import _log_gabor
from pyiqa.matlab_utils import fspecial, imresize
from pyiqa.matlab_utils.math_util import prepare_grid, rcosFn

from metric_robustness.metrics import steerable_adapter
from metric_robustness.metrics.frequencies_adapter import oriented
from metric_robustness.metrics.natural_scenes_adapter import halved
from metric_robustness.metrics.saliency_adapter import BANDWIDTH, CENTRE_FREQUENCY, SIDE, Saliency
from metric_robustness.metrics.sp5_adapter import sp5_filters
from metric_robustness.metrics.window_adapter import gaussian_window
from metric_robustness.pipeline.places import CODE

SIZES = [(64, 64), (65, 80), (101, 77), (299, 300)]
OWN = ("cw_ssim", "entropy", "fsim", "niqe", "vif", "vsi")
LOADED = f"""
import sys
from metric_robustness.pipeline.catalogue import lookup
for name in {OWN}:
    lookup.find("metrics", name).load()()
print(*sorted({{"pyiqa", "torchvision", "cv2"}} & sys.modules.keys()))
"""


@pytest.mark.parametrize("size", SIZES)
def test_the_waves_of_phase_congruency(size):
    theirs = _construct_filters(torch.empty(1, 1, *size), 4, 4)[0]
    assert torch.equal(oriented(*size, 4, 4).flatten(0, 1), theirs)


def test_the_band_of_saliency():
    theirs = _log_gabor((SIDE, SIDE), CENTRE_FREQUENCY, BANDWIDTH)
    assert torch.equal(Saliency().band, theirs[:, : SIDE // 2 + 1])


@pytest.mark.parametrize("size", SIZES)
def test_the_grid_of_the_steerable_pyramid(size):
    for ours, theirs in zip(steerable_adapter._polar(*size), prepare_grid(*size), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_table_of_the_steerable_pyramid():
    ramp, values = rcosFn(1, -0.5)
    np.testing.assert_array_equal(steerable_adapter._radial(), (ramp, np.sqrt(values)))


@pytest.mark.parametrize(("size", "sigma"), [((7, 7), 7 / 6), ((32, 24), 8.0), ((5, 5), 0.1)])
def test_gaussian_windows(size, sigma):
    assert torch.equal(gaussian_window(*size, sigma), fspecial(size, sigma))


def test_the_pyramid_of_vif():
    theirs = {name: torch.from_numpy(values).float() for name, values in their_sp5_filters().items()}
    ours = sp5_filters()
    assert torch.equal(ours["first"][0, 0], theirs["lo0filt"])
    assert torch.equal(ours["lower"][0, 0], theirs["lofilt"])
    for band, number in zip(ours["oriented"], (0, 3), strict=True):
        assert torch.equal(band[0], theirs["bfilts"][:, number].reshape(7, 7).T)


@pytest.mark.parametrize("size", [(96, 96), (288, 192)])
def test_halved_images(size):
    images = torch.rand(2, 1, *size, generator=torch.Generator().manual_seed(0)).double()
    assert torch.equal(halved(images), imresize(images, scale=0.5, antialiasing=True))


def test_metrics_with_own_filters_load_no_pyiqa():
    told = subprocess.run([sys.executable, "-c", LOADED], cwd=CODE, capture_output=True, text=True, check=True)
    assert told.stdout == "\n"
