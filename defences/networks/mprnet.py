"""MPRNet's denoiser: three stages, on quarters, halves and the whole image; each starts from the one before.

Zamir, Arora, Khan, Hayat, Khan, Yang, Shao. Multi-stage progressive image restoration. CVPR, 2021.
https://arxiv.org/abs/2102.02808
The widths are those of the published denoiser: 80, 128 and 176 channels, 112 in the last stage, which has 8 blocks. The
parameters also have the published names, so that its file can be loaded.
"""

from __future__ import annotations

from typing import TypeAlias

import torch
from torch import Tensor, nn

WIDTHS = (80, 128, 176)  # channels at full, half and quarter size
WHOLE = 112  # channels of the last stage
Scales: TypeAlias = list[Tensor]  # features at full, half and quarter size


def conv(narrow: int, wide: int, side: int = 3) -> nn.Conv2d:
    """Returns a convolution that keeps the size and, like all in this network, has no bias."""
    return nn.Conv2d(narrow, wide, side, padding=side // 2, bias=False)


class Rescaled(nn.Sequential):
    """Bilinear scaling, then a 1x1 convolution that changes the number of channels."""

    def __init__(self, narrow: int, wide: int, factor: float) -> None:
        super().__init__()
        name = "up" if factor > 1 else "down"
        self.add_module(name, nn.Sequential(nn.Upsample(scale_factor=factor, mode="bilinear"), conv(narrow, wide, 1)))


class ChannelAttention(nn.Module):
    """Weighs each channel by a function of all channels' means."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv_du = nn.Sequential(conv(width, width // 4, 1), nn.ReLU(), conv(width // 4, width, 1), nn.Sigmoid())

    def forward(self, features: Tensor) -> Tensor:
        weights: Tensor = self.conv_du(features.mean(dim=(2, 3), keepdim=True))
        return features * weights


class AttentionBlock(nn.Module):
    """Two convolutions and channel attention, whose output is added to their input."""

    def __init__(self, width: int, act: nn.PReLU) -> None:
        super().__init__()
        self.CA = ChannelAttention(width)
        self.body = nn.Sequential(conv(width, width), act, conv(width, width))

    def forward(self, features: Tensor) -> Tensor:
        change: Tensor = self.CA(self.body(features))
        return features + change


class Supervision(nn.Module):
    """Makes an image from features and uses it to weigh the features for the next stage."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1, self.conv2, self.conv3 = conv(width, width, 1), conv(width, 3, 1), conv(3, width, 1)

    def forward(self, features: Tensor, images: Tensor) -> Tensor:
        """Returns the features for the next stage, (N, width, H, W)."""
        restored = self.conv2(features) + images
        weighed: Tensor = self.conv1(features) * self.conv3(restored).sigmoid()
        return features + weighed


class Encoder(nn.Module):
    """Features at three scales, to which the second stage adds those of the first."""

    def __init__(self, act: nn.PReLU, *, second: bool) -> None:
        super().__init__()
        for level, width in enumerate(WIDTHS, start=1):
            self.add_module(f"encoder_level{level}", nn.Sequential(*(AttentionBlock(width, act) for _ in range(2))))
            if second:
                self.add_module(f"csff_enc{level}", conv(width, width, 1))
                self.add_module(f"csff_dec{level}", conv(width, width, 1))
        self.down12, self.down23 = Rescaled(WIDTHS[0], WIDTHS[1], 0.5), Rescaled(WIDTHS[1], WIDTHS[2], 0.5)

    def forward(self, features: Tensor, earlier: tuple[Scales, Scales] | None = None) -> Scales:
        scales: Scales = []
        for level in range(3):
            if level:
                features = (self.down12, self.down23)[level - 1](scales[-1])
            found = self.get_submodule(f"encoder_level{level + 1}")(features)
            if earlier:
                encoded, decoded = (side[level] for side in earlier)
                found = found + self.get_submodule(f"csff_enc{level + 1}")(encoded)
                found = found + self.get_submodule(f"csff_dec{level + 1}")(decoded)
            scales.append(found)
        return scales


class Decoder(nn.Module):
    """From the coarsest scale to the finest, adding the encoder's features after attention."""

    def __init__(self, act: nn.PReLU) -> None:
        super().__init__()
        for level, width in enumerate(WIDTHS, start=1):
            self.add_module(f"decoder_level{level}", nn.Sequential(*(AttentionBlock(width, act) for _ in range(2))))
        self.skip_attn1, self.skip_attn2 = AttentionBlock(WIDTHS[0], act), AttentionBlock(WIDTHS[1], act)
        self.up21, self.up32 = Rescaled(WIDTHS[1], WIDTHS[0], 2), Rescaled(WIDTHS[2], WIDTHS[1], 2)

    def forward(self, encoded: Scales) -> Scales:
        coarse = self.get_submodule("decoder_level3")(encoded[2])
        middle = self.get_submodule("decoder_level2")(self.up32(coarse) + self.skip_attn2(encoded[1]))
        fine = self.get_submodule("decoder_level1")(self.up21(middle) + self.skip_attn1(encoded[0]))
        return [fine, middle, coarse]


class Residual(nn.Module):
    """Eight attention blocks and a convolution at full size, whose output is added to their input."""

    def __init__(self, act: nn.PReLU) -> None:
        super().__init__()
        self.body = nn.Sequential(*(AttentionBlock(WHOLE, act) for _ in range(8)), conv(WHOLE, WHOLE))

    def forward(self, features: Tensor) -> Tensor:
        change: Tensor = self.body(features)
        return features + change


class FullSize(nn.Module):
    """The last stage, all at full size; each of its parts adds one scale of the second stage."""

    def __init__(self, act: nn.PReLU) -> None:
        super().__init__()
        for part in (1, 2, 3):
            self.add_module(f"orb{part}", Residual(act))
            for side in ("enc", "dec"):
                self.add_module(f"conv_{side}{part}", conv(WIDTHS[0], WHOLE, 1))
        for side in ("enc", "dec"):
            half, quarter = Rescaled(WIDTHS[1], WIDTHS[0], 2), Rescaled(WIDTHS[2], WIDTHS[1], 2)
            self.add_module(f"up_{side}1", half)
            self.add_module(f"up_{side}2", nn.Sequential(quarter, Rescaled(WIDTHS[1], WIDTHS[0], 2)))

    def forward(self, features: Tensor, encoded: Scales, decoded: Scales) -> Tensor:
        for part in (1, 2, 3):
            features = self.get_submodule(f"orb{part}")(features)
            for side, scales in (("enc", encoded), ("dec", decoded)):
                taken = scales[part - 1]
                if part > 1:
                    taken = self.get_submodule(f"up_{side}{part - 1}")(taken)
                features = features + self.get_submodule(f"conv_{side}{part}")(taken)
        return features


class MprNet(nn.Module):
    """The whole network, for images whose sides are multiples of 8."""

    def __init__(self) -> None:
        super().__init__()
        act, width = nn.PReLU(), WIDTHS[0]  # all blocks share one activation and its slope
        for stage in (1, 2, 3):
            self.add_module(f"shallow_feat{stage}", nn.Sequential(conv(3, width), AttentionBlock(width, act)))
        self.stage1_encoder, self.stage1_decoder = Encoder(act, second=False), Decoder(act)
        self.stage2_encoder, self.stage2_decoder = Encoder(act, second=True), Decoder(act)
        self.stage3_orsnet = FullSize(act)
        self.sam12, self.sam23 = Supervision(width), Supervision(width)
        self.concat12, self.concat23 = conv(2 * width, width), conv(2 * width, WHOLE)
        self.tail = conv(WHOLE, 3)

    def forward(self, images: Tensor) -> Tensor:
        """Returns the denoised (N, 3, H, W) images, not clipped to [0, 1]."""
        halves = split(images, 2)
        encoded = [join(scale, 3) for scale in self.stage1_encoder(self.shallow(1, split(halves, 3)))]
        decoded = self.stage1_decoder(encoded)
        known = self.sam12(decoded[0], halves)
        features = self.concat12(torch.cat([self.shallow(2, halves), known], dim=1))
        encoded = [join(scale, 2) for scale in self.stage2_encoder(features, (encoded, decoded))]
        decoded = self.stage2_decoder(encoded)
        known = self.sam23(decoded[0], images)
        features = self.concat23(torch.cat([self.shallow(3, images), known], dim=1))
        change: Tensor = self.tail(self.stage3_orsnet(features, encoded, decoded))
        return images + change

    def shallow(self, stage: int, images: Tensor) -> Tensor:
        """Returns the first features of a stage, (N, 80, H, W)."""
        features: Tensor = self.get_submodule(f"shallow_feat{stage}")(images)
        return features


def split(images: Tensor, side: int) -> Tensor:
    """Returns the halves of (N, ...) images along `side`, (2N, ...): first halves, then second halves."""
    return torch.cat(images.chunk(2, dim=side))


def join(halves: Tensor, side: int) -> Tensor:
    """Undoes `split`."""
    return torch.cat(halves.chunk(2), dim=side)
