"""U-Net and Attention U-Net for masks, as MONAI builds them.

Ronneberger et al., "U-Net: Convolutional Networks for Biomedical Image Segmentation" (MICCAI 2015, arXiv 1505.04597),
and Oktay et al., "Attention U-Net: Learning Where to Look for the Pancreas" (MIDL 2018, arXiv 1804.03999): what the
skin papers compare with. Neither paper counts the parameters of the 2D network; later ones do: 31.13 M of U-Net (arXiv
2203.04967, table 1), 30.42 M of Attention U-Net (PMC11236745, table 3).
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from lookonce.models.network import MaskNetwork, MaskOutput


class MaskUNet(MaskNetwork):
    """U-Net of MONAI with batch norms, optionally with attention gates in its skip connections.

    Parameters
    ----------
    widths : sequence of int
        Channels of the encoder's levels, finest first; each level halves the resolution. U-Net has five.
    in_channels : int
    attention : bool
        Attention U-Net in place of U-Net.

    Raises
    ------
    ValueError
        If a U-Net has not five widths, an Attention U-Net fewer than two, or another value is impossible.
    """

    size = None

    def __init__(
        self, widths: Sequence[int] = (64, 128, 256, 512, 1024), *, in_channels: int = 3, attention: bool = False
    ) -> None:
        super().__init__()
        if len(widths) < 2 or min(*widths, in_channels) < 2 or not (attention or len(widths) == 5):
            raise ValueError("widths must be five numbers (Attention U-Net: two or more) of at least 2")
        self.in_channels = in_channels
        self.multiple = 2 ** (len(widths) - 1)
        self.network = (_attention_unet if attention else _unet)(widths, in_channels)

    def forward(self, image: Tensor) -> MaskOutput:
        """Map pictures (B, in_channels, H, W) in 0..1 to the mask's logits (B, 1, H, W)."""
        return MaskOutput(self.network(image))


# MONAI takes seconds to import: only who builds one of these networks waits for it.
def _unet(widths: Sequence[int], in_channels: int) -> nn.Module:
    from monai.networks.nets.basic_unet import BasicUNet

    features = (*widths, widths[0])  # MONAI names the width of the last level of the decoder besides
    return BasicUNet(2, in_channels=in_channels, out_channels=1, features=features, act="relu", norm="batch")


def _attention_unet(widths: Sequence[int], in_channels: int) -> nn.Module:
    from monai.networks.nets.attentionunet import AttentionUnet

    strides = (2,) * (len(widths) - 1)
    return AttentionUnet(2, in_channels=in_channels, out_channels=1, channels=tuple(widths), strides=strides)
