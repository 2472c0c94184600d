"""Networks with random weights: replaces what loads weights in other packages and nothing else of them."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import clip
import numpy as np
import pyiqa.archs
import pytest
import scipy.io
import timm
import torch
import torchvision
import transformers
from pyiqa.archs import (
    afine_arch,
    afineclip_model,
    clip_model,
    liqe_arch,
    topiq_swin,
)
from torch import Tensor, nn

from metric_robustness.metrics import fragments_adapter

# Sizes of CLIP's networks: space, image, vision layers, vision width, patch, context, vocabulary, text width, heads and
# layers. Depths are smaller than published where no code depends on them, to save time and memory.
CLIPS = {
    "RN50": (1024, 224, (3, 4, 6, 3), 64, None, 77, 49408, 512, 8, 1),
    "ViT-B/32": (512, 224, 2, 768, 32, 77, 49408, 512, 8, 1),
    "ViT-L/14": (768, 224, 2, 1024, 14, 77, 49408, 768, 12, 1),
}
FEWER_CROPS = {  # instead of 20 to 50
    **{name: {"test_sample": 1} for name in ("maniqa", "maniqa_pipal", "maniqa_kadid", "tres", "tres_flive")},
    "hyperiqa": {"num_crop": 1},
}


@contextmanager
def offline(folder: Path) -> Iterator[pytest.MonkeyPatch]:
    """Replaces what loads weights; writes files that pyiqa reads by itself to `folder`."""
    with pytest.MonkeyPatch.context() as patch:
        _replace_backbones(patch)
        for found in pkgutil.iter_modules(pyiqa.archs.__path__):
            if found.name.endswith("_arch") and found.name != "inceptionscore_arch":
                module = importlib.import_module(f"pyiqa.archs.{found.name}")
                _replace_loaders(patch, module, folder)
        load = nn.Module.load_state_dict
        patch.setattr(
            nn.Module, "load_state_dict", lambda self, state, **how: load(self, state, **how) if state else None
        )
        patch.setattr(torch.hub, "get_dir", lambda: str(folder))
        patch.setattr(torch.hub, "load_state_dict_from_url", lambda *_, **__: _encoder())
        patch.setattr(torch.jit, "load", lambda *_, **__: nn.Linear(4096, 1))
        patch.setattr(liqe_arch, "DEFAULT_CACHE_DIR", str(folder))
        patch.setattr(fragments_adapter, "FRAMES", 4)  # instead of 32 in a clip
        for name, prompts in (("liqe_text_feat.pt", 5), ("liqe_text_feat_mix.pt", 495)):  # 20 s to encode
            torch.save(nn.functional.normalize(torch.randn(prompts, 512)), folder / name)
        yield patch


def write_empty_states(weights: tuple[str, ...], folder: Path) -> None:
    """Writes empty files for our own networks; within `offline`, loading one keeps the random weights."""
    for file in weights:
        if file.startswith("hub/checkpoints/"):
            path = folder / file.removeprefix("hub/")
            path.parent.mkdir(exist_ok=True)
            torch.save({}, path)


def _replace_backbones(patch: pytest.MonkeyPatch) -> None:
    create, swin = timm.create_model, topiq_swin.SwinTransformer.__init__

    def create_model(name: str, **options: Any) -> nn.Module:
        smaller = {"depth": 10, "mlp_ratio": 0.5} if name.startswith("vit") else {}
        return create(name, **(options | smaller | {"pretrained": False}))

    def shallow(self: nn.Module, *args: Any, **options: Any) -> None:
        swin(self, *args, **(options | {"depths": (1, 1, 1, 1), "img_size": 384}))

    patch.setattr(timm, "create_model", create_model)
    patch.setattr(topiq_swin.SwinTransformer, "__init__", shallow)
    patch.setattr(
        topiq_swin, "build_model_with_cfg", lambda kind, _name, _pretrained, **options: kind(**_known(options))
    )
    for name in ("alexnet", "resnet18", "resnet34", "resnet50", "resnet101", "resnext101_32x8d", "squeezenet1_1"):
        patch.setattr(torchvision.models, name, _untrained(getattr(torchvision.models, name)))
    for name, layers in (("vgg16", "D"), ("vgg19", "E")):
        patch.setattr(torchvision.models, name, _vgg(layers))
    patch.setattr(clip, "load", lambda name, *_, **__: (_clip(clip.model, name), None))
    patch.setattr(afine_arch, "load", lambda *_, **__: (_clip(afineclip_model, "ViT-B/32", layers=12), None))
    patch.setattr(clip_model, "load", lambda name, *_, **__: _clip(clip_model, name))
    sizes = transformers.CLIPVisionConfig(num_hidden_layers=2, patch_size=16)
    patch.setattr(transformers.CLIPVisionModel, "from_pretrained", lambda *_: transformers.CLIPVisionModel(sizes))


def _replace_loaders(patch: pytest.MonkeyPatch, module: Any, folder: Path) -> None:
    if hasattr(module, "load_pretrained_network"):
        patch.setattr(module, "load_pretrained_network", lambda *_, **__: None)
    if hasattr(module, "load_file_from_url"):
        patch.setattr(module, "load_file_from_url", lambda url, **_: str(_file(url.rpartition("/")[2], folder)))
    if hasattr(module, "load_state_dict_from_url"):
        patch.setattr(module, "load_state_dict_from_url", lambda *_, **__: {})
    if getattr(module, "load", None) is not None and module is not afine_arch:
        patch.setattr(module, "load", clip_model.load)
    if hasattr(module, "FaceRestoreHelper"):
        patch.setattr(module, "FaceRestoreHelper", lambda *_, **__: None)


def _untrained(build: Callable[..., nn.Module]) -> Callable[..., nn.Module]:
    return lambda *_, **__: build(weights=None)


def _known(options: dict[str, Any]) -> dict[str, Any]:
    """Returns the options for timm that a Swin transformer's constructor knows."""
    unknown = {"pretrained_filter_fn", "pretrained_cfg"}
    return {name: value for name, value in options.items() if name not in unknown}


def _vgg(layers: str) -> Callable[..., nn.Module]:
    """Returns a builder of VGG without its classifier: nine tenths of its size, which no metric of pyiqa uses."""
    from torchvision.models import vgg

    whole = {"D": vgg.vgg16, "E": vgg.vgg19}[layers]

    def build(*_: Any, weights: Any = "", **options: Any) -> nn.Module:
        if weights is None:  # one of ours, with random weights anyway
            return whole(weights=None, **options)
        model = nn.Module()
        model.features = vgg.make_layers(vgg.cfgs[layers])
        for layer in model.features:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        return model

    return build


def _clip(module: Any, name: str, layers: int | None = None) -> nn.Module:
    sizes = list(CLIPS[name])
    if layers is not None:
        sizes[2] = layers
    kind = module.AFINECLIP if module is afineclip_model else module.CLIP
    model: nn.Module = kind(*sizes)
    return model.float().eval()


def _encoder() -> dict[str, Tensor]:
    """Returns the state of a ResNet-50 without its last layer, as ARNIQA's file holds it."""
    encoder = nn.Sequential(*list(torchvision.models.resnet50().children())[:-1])
    return {f"model.{name}": value for name, value in encoder.state_dict().items()}


def _file(name: str, folder: Path) -> Path:
    """Writes a file of the form that pyiqa reads by that name, with random numbers."""
    path = folder / name
    generator = np.random.default_rng(0)
    if name.startswith("niqe"):
        spread = generator.normal(size=(36, 72))
        scipy.io.savemat(path, {"mu_prisparam": generator.normal(size=(1, 36)), "cov_prisparam": spread @ spread.T})
    elif name.startswith("brisque_matlab"):
        noise = [5.0, 1.5] + 4 * [1.2, -0.1, 0.7, 0.6]  # features of noise: far from all vectors, the kernel would be 0
        vectors = np.array(2 * noise) * generator.uniform(0.2, 2, size=(500, 36))
        scipy.io.savemat(path, {"sv": vectors, "sv_coef": generator.normal(size=(500, 1))})
    elif name.startswith("NRQM"):
        scipy.io.savemat(path, {"model": {"linear": generator.normal(size=(4, 1)), "rf": _forests(generator)}})
    elif name.startswith("afine"):
        torch.save(_afine(), path)
    elif name.startswith("CLIP-IQA"):
        torch.save(0.02 * torch.randn(16, 512), path)
    elif name.startswith("QualiCLIP"):
        torch.save(_clip(clip_model, "RN50").state_dict() | {"prompts_features": torch.randn(14, 1024)}, path)
    elif name.startswith("AHIQ"):
        torch.save({f"{part}_model_state_dict": {} for part in ("regressor", "deform_net")}, path)
    elif name.startswith("FGResQ"):
        torch.save(_fgresq(), path)
    else:
        torch.save({}, path)
    return path


def _forests(generator: np.random.Generator) -> np.ndarray[Any, Any]:
    """Returns three forests of one tree, with one decision and two leaves, as NRQM's file holds them."""
    forests = np.empty((1, 3), dtype=object)
    for index in range(3):
        names = ("left", "right", "count", "depth", "threshold", "prediction", "attribute")
        columns = ([2, 0, 0], [3, 0, 0], [0, 0, 0], [0, 0, 0], [0.5, 0, 0], generator.normal(size=3), [1, 0, 0])
        tree = np.empty((1, 1), dtype=[(name, object) for name in names])
        tree[0, 0] = tuple(
            np.array(column, dtype=float if name in names[4:6] else int)[:, None]
            for name, column in zip(names, columns, strict=True)
        )
        forests[0, index] = tree
    return forests


def _fgresq() -> dict[str, Tensor]:
    """Returns a state with the names that transformers gave CLIP's parts when FGResQ was trained."""
    vision = transformers.CLIPVisionModel.from_pretrained("").state_dict()
    names = {
        f"{part}.vision_model.{name}": value
        for part in ("clip_model", "task_cls_clip")
        for name, value in vision.items()
    }
    width = 768
    linear = {
        "task_mlp.0": (width, width),
        "task_mlp.2": (width, width),
        "prompt_mlp": (width, width),
        "head": (1, 3 * width),
    }
    heads = {f"{name}.weight": 0.02 * torch.randn(shape) for name, shape in linear.items()}
    biases = {f"{name}.bias": torch.zeros(shape[0]) for name, shape in linear.items()}
    return names | heads | biases | {"prompt": torch.randn(1, width), "compare_head.bias": torch.zeros(3)}


def _afine() -> dict[str, Any]:
    parts = {
        "finetuned_clip": _clip(afineclip_model, "ViT-B/32", layers=12),
        "natural": afine_arch.AFINEQhead(),
        "fidelity": afine_arch.AFINEDhead(),
        "fidelity_scale": afine_arch.AFINENLM_FR_Fit_with_limit(),
        "natural_scale": afine_arch.AFINENLM_NR_Fit(),
        "adapter": afine_arch.AFINELearnLambda(),
    }
    return {name: part.state_dict() for name, part in parts.items()}
