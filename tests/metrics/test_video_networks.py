"""The networks of FAST-VQA and DOVER, compared with torchvision's, and with formulas where they differ from it."""

from __future__ import annotations

import itertools
import math

import torch
import torchvision
from torch import Tensor, nn
from torch.nn.functional import layer_norm

from metric_robustness.metrics.convnext3d_adapter import Block, InflatedConvNeXt
from metric_robustness.metrics.swin3d_adapter import FragmentAttention, FragmentSwin


def test_gated_attention_is_the_formula() -> None:
    """A fragment has 2x2 places: a window is one fragment, or touches four when rolled by one place."""
    torch.manual_seed(0)
    width, heads, side = 4, 2, 14
    for shift in (0, 1):
        attention = FragmentAttention(width, [1, 2, 2], [0, shift, shift], heads).double().eval()
        for table in (attention.relative_position_bias_table, attention.fragment_position_bias_table):
            nn.init.normal_(table)
        places = torch.randn(1, 1, side, side, width, dtype=torch.double)
        with torch.no_grad():
            found = attention(places)[0, 0]
            torch.testing.assert_close(found, by_hand(attention, places[0, 0], shift))


def by_hand(attention: FragmentAttention, places: Tensor, shift: int) -> Tensor:
    """Returns the output of each place, which attends to its window but not to places that rolling moved there."""
    side, heads = len(places), attention.num_heads
    queries, keys, values = attention.qkv(places).unflatten(-1, (3, heads, -1)).unbind(2)
    taken = torch.zeros_like(values)
    for row, column in itertools.product(range(side), repeat=2):
        window = [
            (r, c)
            for r, c in itertools.product(range(side), repeat=2)
            if all(
                (here - shift) % side // 2 == (there - shift) % side // 2 and abs(here - there) < 2
                for here, there in ((row, r), (column, c))
            )
        ]
        for head in range(heads):
            logits = []
            for r, c in window:
                entry = (row - r + 1) * 3 + column - c + 1
                apart = abs(row // 2 - r // 2) + abs(column // 2 - c // 2)
                across = attention.relative_position_bias_table[entry, head]
                within = attention.fragment_position_bias_table[entry, head]
                product = queries[row, column, head] @ keys[r, c, head] / math.sqrt(queries.shape[-1])
                logits.append(product + apart * across + (1 - apart) * within)
            shares = torch.stack(logits).softmax(dim=0)
            taken[row, column, head] = sum(
                share * values[r, c, head] for share, (r, c) in zip(shares, window, strict=True)
            )
    return attention.proj(taken.flatten(2))


def test_without_gates_it_is_torchvisions_network() -> None:
    torch.manual_seed(0)
    theirs, ours = torchvision.models.video.swin3d_t().eval(), FragmentSwin().eval()
    state = {name: value for name, value in theirs.state_dict().items() if not name.startswith("head.")}
    same = {name.replace("relative", "fragment"): state[name] for name in state if name.endswith("bias_table")}
    own = ours.state_dict().keys()
    ours.load_state_dict(state | {name: value for name, value in same.items() if name in own})
    frames = torch.randn(1, 3, 20, 112, 112)  # 10 places long, which are filled up to two windows
    with torch.no_grad():
        expected = theirs.norm(theirs.features(theirs.patch_embed(frames)))
        found = ours(frames)
        torch.testing.assert_close(found, expected.movedim(-1, 1), rtol=1e-4, atol=1e-5)
        for stage in (0, 2, 4):
            for block in ours.features[stage]:
                block.attn.fragment_position_bias_table += 1 + torch.rand_like(block.attn.fragment_position_bias_table)
        assert (ours(frames) - found).abs().max() > 1e-3


def test_on_still_pairs_of_frames_it_is_torchvisions_convnext() -> None:
    torch.manual_seed(0)
    theirs, ours = torchvision.models.convnext_tiny(layer_scale=0.5).eval(), InflatedConvNeXt().eval()
    state = theirs.state_dict()
    names = {"0": "dwconv", "2": "norm", "3": "pwconv1", "5": "pwconv2"}
    inflated = {f"norm.{kind}": state[f"classifier.0.{kind}"] for kind in ("weight", "bias")}
    for name in (name for name in state if name.startswith("features.")):
        _, number, *rest = name.split(".")
        stage, halving = int(number) // 2, int(number) % 2 == 0
        if halving:
            new = ".".join([f"downsample_layers.{stage}", *rest])
        elif rest[1] == "layer_scale":
            new = f"stages.{stage}.{rest[0]}.gamma"
        else:
            new = f"stages.{stage}.{rest[0]}.{names[rest[2]]}.{rest[3]}"
        value, shape = state[name], ours.state_dict()[new].shape
        if value.ndim == 4:  # to the middle of three frames; to both of a pair, half each
            wide = torch.zeros(shape)
            wide[:, :, shape[2] // 2 if shape[2] == 3 else slice(None)] = value if shape[2] == 3 else value[:, :, None]
            value = wide / 2 if shape[2] == 2 else wide
        inflated[new] = value.reshape(shape)
    ours.load_state_dict(inflated)
    pair = torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        maps = theirs.features(pair).movedim(1, -1)
        expected = layer_norm(maps, (768,), inflated["norm.weight"], inflated["norm.bias"], 1e-6)
        found = ours(pair.repeat_interleave(2, dim=0).movedim(0, 1)[None])
    torch.testing.assert_close(found[0].permute(1, 2, 3, 0), expected, rtol=1e-3, atol=1e-4)


def test_every_third_block_looks_at_both_neighbours() -> None:
    for length, neighbours in ((1, [2]), (3, [1, 2, 3])):
        block = Block(4, length)
        block.gamma.data.fill_(1)
        maps = torch.randn(1, 4, 5, 3, 3).requires_grad_()
        (gradient,) = torch.autograd.grad(block(maps)[:, :, 2].square().sum(), maps)
        assert gradient.abs().amax(dim=(0, 1, 3, 4)).nonzero().flatten().tolist() == neighbours
