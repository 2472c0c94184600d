"""Small ViT: a compact transformer of 16x16 patches, trained by us on full-reference labels.

Trained by `python -m pipeline train small_vit`. The JSON file beside the weights says how, and how well it performs.
"""

from torch import Tensor, nn
from torch.nn.functional import gelu, pad, scaled_dot_product_attention

from metric_robustness.metrics.base import Images, Scores
from metric_robustness.metrics.trained_adapter import TrainedHere, mean_and_spread, with_structure

SIDE, WIDTH, HEADS, DEPTH = 16, 96, 4, 3  # side of a patch in pixels; channels, heads and blocks


class SmallVit(TrainedHere):
    """Has no position embedding: quality does not depend on the place, and images may have any size."""

    higher_is_better = True
    score_range = (0.0, 100.0)
    smallest = 32
    trained_on = "distorted photographs (Kodak, scikit-image) and scenes made of them, ranked by FSIM, VIF and GMSD"
    licence = "the project's; photographs of unrestricted use"
    verified = "120 TID2013-like stimuli: SROCC .72 with opinions; photographs held out: .82 with labels"
    weights = ("weights/small_vit.safetensors",)

    def build(self) -> None:
        self.fine, self.coarse = nn.Conv2d(6, WIDTH, 8, stride=8), nn.Conv2d(WIDTH, WIDTH, 2, stride=2)
        self.blocks = nn.ModuleList(
            nn.ModuleDict(
                {
                    "before": nn.LayerNorm(WIDTH),
                    "asked": nn.Linear(WIDTH, 3 * WIDTH),
                    "told": nn.Linear(WIDTH, WIDTH),
                    "between": nn.LayerNorm(WIDTH),
                    "wider": nn.Linear(WIDTH, 2 * WIDTH),
                    "narrower": nn.Linear(2 * WIDTH, WIDTH),
                }
            )
            for _ in range(DEPTH)
        )
        self.rate = nn.Sequential(nn.BatchNorm1d(2 * WIDTH), nn.Linear(2 * WIDTH, 64), nn.SiLU(), nn.Linear(64, 1))

    def score(self, images: Images) -> Scores:
        height, width = images.shape[2:]
        whole = pad(images, [0, -width % SIDE, 0, -height % SIDE], mode="reflect")  # partial patches count too
        tokens = self.coarse(gelu(self.fine(with_structure(whole)))).flatten(2).transpose(1, 2)
        for block in self.blocks:
            tokens = tokens + _attended(tokens, block)
            tokens = tokens + block.get_submodule("narrower")(_widened(tokens, block))
        rated: Scores = self.rate(mean_and_spread(tokens.transpose(1, 2)))
        return 50 + 50 * rated.squeeze(1)


def _attended(tokens: Tensor, block: nn.Module) -> Tensor:
    """Returns the (N, tokens, WIDTH) output of self-attention."""
    asked = block.get_submodule("asked")(block.get_submodule("before")(tokens))
    queries, keys, values = asked.unflatten(2, (3, HEADS, WIDTH // HEADS)).permute(2, 0, 3, 1, 4)
    heads = scaled_dot_product_attention(queries, keys, values)
    mixed: Tensor = block.get_submodule("told")(heads.transpose(1, 2).flatten(2))
    return mixed


def _widened(tokens: Tensor, block: nn.Module) -> Tensor:
    """Returns the (N, tokens, 2 WIDTH) hidden features of each token by itself."""
    return gelu(block.get_submodule("wider")(block.get_submodule("between")(tokens)))
