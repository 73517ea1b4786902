"""TransUNet: a ResNet, a transformer over its last features, and a U-Net's decoder.

Chen et al., "TransUNet: Transformers Make Strong Encoders for Medical Image Segmentation" (2021, arXiv 2102.04306),
section 3, the form R50-ViT-B_16 with three skip connections. Valanarasu and Patel (arXiv 2203.04967, table 1) count
105.32 M parameters. The ResNet has batch norms, as every other one here, where the published one has group norms.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lookonce.models.blocks import convolution, double_convolution
from lookonce.models.grid_transformer import GridTransformer
from lookonce.models.network import MaskNetwork, MaskOutput
from lookonce.models.resnet import ResNet
from lookonce.models.tmunet import normalised

#: Pixels of the picture that a token stands for, along each side: the stride of the ResNet's third stage.
TOKEN = 16


class TransUNet(MaskNetwork):
    """Hybrid of a ResNet and a vision transformer with a cascaded decoder.

    Parameters
    ----------
    size : int
        Height and width of the pictures, a multiple of 16: places are learned.
    widths, blocks : three ints
        The ResNet's stages; the published hybrid has the fourth stage's blocks in its third.
    token_width, depth, heads : int
        The transformer.
    decoder : sequence of five int
        Channels into the decoder and of its four levels.

    Raises
    ------
    ValueError
        If `size` is no multiple of 16, there are not three stages or five widths of the decoder, `heads` does not
        divide `token_width`, or a count is below 1.
    """

    multiple = TOKEN

    def __init__(
        self,
        *,
        size: int = 256,
        widths: Sequence[int] = (64, 128, 256),
        blocks: Sequence[int] = (3, 4, 9),
        token_width: int = 768,
        depth: int = 12,
        heads: int = 12,
        decoder: Sequence[int] = (512, 256, 128, 64, 16),
    ) -> None:
        super().__init__()
        if size < TOKEN or size % TOKEN:
            raise ValueError(f"size must be a multiple of {TOKEN}")
        if len(widths) != 3 or len(blocks) != 3 or len(decoder) != 5:
            raise ValueError("widths and blocks must be three numbers each, decoder five")
        self.size = size
        self.in_channels = 3
        self.encoder = ResNet((*widths, 1), (*blocks, 1))
        self.encoder.layer4 = nn.Sequential()  # the hybrid has no fourth stage
        stem, quarter, eighth, last = self.encoder.channels[:4]
        self.embed = nn.Conv2d(last, token_width, 1)
        self.transformer = GridTransformer(size // TOKEN, token_width, depth=depth, heads=heads)
        self.reshape = convolution(token_width, decoder[0])
        self.rise = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
        self.decoder = nn.ModuleList(
            double_convolution(below + skip, width)
            for below, skip, width in zip(decoder[:-1], (eighth, quarter, stem, 0), decoder[1:], strict=True)
        )
        self.mask = nn.Conv2d(decoder[-1], 1, 3, padding=1)

    def forward(self, image: Tensor) -> MaskOutput:
        """Map pictures (B, 3, size, size) in 0..1 to the mask's logits (B, 1, size, size)."""
        stem, quarter, eighth, last = self.encoder(normalised(image))[:4]
        x = self.reshape(self.transformer(self.embed(last)))
        for level, skip in zip(self.decoder, (eighth, quarter, stem, None), strict=True):
            x = self.rise(x)
            x = level(x if skip is None else torch.cat([x, skip], dim=1))
        return MaskOutput(self.mask(x))
