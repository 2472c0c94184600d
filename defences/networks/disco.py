"""DISCO's network: EDSR's encoder, and a local implicit function that returns the colour at a place.

Ho, Vasconcelos. DISCO: adversarial defense with local implicit functions. NeurIPS, 2022.
https://arxiv.org/abs/2212.05630
Lim, Son, Kim, Nah, Lee. Enhanced deep residual networks for single image super-resolution. CVPRW, 2017.
https://arxiv.org/abs/1707.02921
Chen, Liu, Wang. Learning continuous image representation with local implicit image function. CVPR, 2021.
https://arxiv.org/abs/2012.09161
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

WIDTH = 64  # channels of the encoder
HIDDEN = 256  # channels of the decoder
BLOCKS = 16  # of the encoder


class EdsrBlock(nn.Module):
    """Two convolutions, whose output is added to their input."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(WIDTH, WIDTH, 3, padding=1), nn.ReLU(), nn.Conv2d(WIDTH, WIDTH, 3, padding=1)
        )

    def forward(self, features: Tensor) -> Tensor:
        change: Tensor = self.body(features)
        return features + change


class DiscoNetwork(nn.Module):
    """Encoder and decoder, which returns colours only at the centres of the encoder's own pixels.

    At a centre the published local ensemble gives all its weight to that pixel. The decoder, a network of the 3x3
    features around a place, then equals a 3x3 convolution followed by 1x1 convolutions. Only in the last row and column
    does the published ensemble average with a neighbour, because it is clipped there; this network does not.
    """

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Sequential(nn.Conv2d(3, WIDTH, 3, padding=1))
        self.body = nn.Sequential(*(EdsrBlock() for _ in range(BLOCKS)), nn.Conv2d(WIDTH, WIDTH, 3, padding=1))
        decoder: list[nn.Module] = [nn.Conv2d(WIDTH, HIDDEN, 3, padding=1), nn.ReLU()]
        for _ in range(3):
            decoder += [nn.Conv2d(HIDDEN, HIDDEN, 1), nn.ReLU()]
        self.decoder = nn.Sequential(*decoder, nn.Conv2d(HIDDEN, 3, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Returns (N, 3, H, W) colours for (N, 3, H, W) images, both in [-1, 1]; the output is not clipped."""
        shallow = self.head(images)
        colours: Tensor = self.decoder(shallow + self.body(shallow))
        return colours


def from_published(saved: dict[str, Tensor]) -> dict[str, Tensor]:
    """Returns the weights of `DiscoNetwork`, by name, from those of the published encoder and decoder.

    The published decoder has linear layers. Its first one takes 64 x 9 features, the distance to the pixel's centre,
    here always (0, 0), and twice the cell's size in pixels, here always (2, 2). These four constants become part of the
    bias.
    """
    found = {}
    for name, value in saved.items():
        if name.startswith(("encoder.head.", "encoder.body.")):
            found[name.removeprefix("encoder.")] = value
        elif name.startswith("imnet.layers."):
            found[name.replace("imnet.layers.", "decoder.")] = value[..., None, None] if value.ndim == 2 else value
    first = saved["imnet.layers.0.weight"]
    found["decoder.0.weight"] = first[:, :-4].reshape(HIDDEN, WIDTH, 3, 3)
    found["decoder.0.bias"] = saved["imnet.layers.0.bias"] + first[:, -4:] @ torch.tensor([0.0, 0.0, 2.0, 2.0])
    return found
