"""ResNet as an encoder, with torchvision's parameter names, so that weights saved for those load as they are.

He et al., "Deep Residual Learning for Image Recognition" (CVPR 2016, arXiv 1512.03385). A bottleneck strides in its 3x3
convolution, as torchvision's does.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F


class ResNet(nn.Module):
    """The stem and four stages of a ResNet; what it makes of a picture at every scale.

    Parameters
    ----------
    widths : four ints
        Channels inside the blocks of each stage; the stem has the first.
    blocks : four ints
        Blocks of each stage.
    bottleneck : bool
        Three convolutions a block (1x1, 3x3, 1x1), which leave four times the width; otherwise two of 3x3.
    in_channels : int

    Attributes
    ----------
    channels : tuple of int
        Channels of what `forward` gives, finest first.

    Raises
    ------
    ValueError
        If there are not four stages, or a number is below 1.

    Examples
    --------
    >>> ResNet().channels
    (64, 256, 512, 1024, 2048)
    """

    def __init__(
        self,
        widths: Sequence[int] = (64, 128, 256, 512),
        blocks: Sequence[int] = (3, 4, 6, 3),
        *,
        bottleneck: bool = True,
        in_channels: int = 3,
    ) -> None:
        super().__init__()
        if len(widths) != 4 or len(blocks) != 4 or min(*widths, *blocks, in_channels) < 1:
            raise ValueError("widths and blocks must be four numbers each, all at least 1")
        kind = Bottleneck if bottleneck else BasicBlock
        outputs = [width * kind.expansion for width in widths]
        self.channels = (widths[0], *outputs)
        self.conv1 = nn.Conv2d(in_channels, widths[0], 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        self.layer1 = _stage(kind, self.channels[0], widths[0], blocks[0], stride=1)
        self.layer2 = _stage(kind, self.channels[1], widths[1], blocks[1], stride=2)
        self.layer3 = _stage(kind, self.channels[2], widths[2], blocks[2], stride=2)
        self.layer4 = _stage(kind, self.channels[3], widths[3], blocks[3], stride=2)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, image: Tensor) -> list[Tensor]:
        """Map (B, in_channels, H, W) to the stem's features at H / 2 and the stages' at H / 4, 8, 16 and 32."""
        x = F.relu(self.bn1(self.conv1(image)))
        features = [x]
        x = F.max_pool2d(x, 3, stride=2, padding=1)
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = stage(x)
            features.append(x)
        return features


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with batch norms around a shortcut."""

    expansion = 1

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = _shortcut(channels, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, channels, h, w) to (B, width, h / stride, w / stride)."""
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(nn.Module):
    """Convolutions 1x1, 3x3 and 1x1 with batch norms around a shortcut; the last has four times the width."""

    expansion = 4

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, width * self.expansion, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(width * self.expansion)
        self.downsample = _shortcut(channels, width * self.expansion, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, channels, h, w) to (B, 4 * width, h / stride, w / stride)."""
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


def _stage(
    kind: type[BasicBlock | Bottleneck], channels: int, width: int, blocks: int, *, stride: int
) -> nn.Sequential:
    first = kind(channels, width, stride)
    return nn.Sequential(first, *(kind(width * kind.expansion, width, 1) for _ in range(blocks - 1)))


def _shortcut(channels: int, width: int, stride: int) -> nn.Sequential | None:
    if stride == 1 and channels == width:
        return None
    return nn.Sequential(nn.Conv2d(channels, width, 1, stride=stride, bias=False), nn.BatchNorm2d(width))
