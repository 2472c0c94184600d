"""What `doctor` says without PyTorch is what PyTorch says, and it does without where there is no GPU."""

from __future__ import annotations

import json
import subprocess
import sys

import torch

from metric_robustness.pipeline.cli.doctor import examine, has_driver

LOADED = """
import json, sys
from metric_robustness.pipeline.cli.doctor import examine
print(json.dumps([examine(), "torch" in sys.modules]))
"""


def test_pytorch_is_loaded_only_where_there_may_be_a_gpu():
    told = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, check=True, text=True).stdout
    found, loaded = json.loads(told)
    assert loaded == has_driver()
    assert found["CUDA"] == f"{torch.version.cuda or 'none'}, {torch.cuda.device_count()} devices"


def test_the_processor_is_what_pytorch_sees():
    amx, avx = torch.cpu._is_amx_tile_supported(), torch.cpu._is_avx512_bf16_supported()
    word = "AMX" if amx else "AVX-512" if avx else "no"
    assert examine()["processor"].endswith(f"bfloat16 in hardware: {word}")
