"""U-Net and Attention U-Net: MONAI's, and only imported to build them."""

from __future__ import annotations

import subprocess
import sys

import torch

from lookonce import models


def test_naming_the_networks_does_not_import_monai():
    program = "import sys; from lookonce import models; models.names(); sys.exit('monai' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


def test_attention_gates_are_all_that_the_attention_form_adds_to_the_way_of_a_picture():
    unet = models.build("mask-unet", widths=[4, 4, 4, 4, 4])
    gated = models.build("mask-attention-unet", widths=[4, 4, 4, 4, 4])
    assert (unet.multiple, unet.size) == (gated.multiple, gated.size) == (16, None)
    with torch.no_grad():
        assert unet.eval()(torch.rand(1, 3, 32, 48)).mask.shape == gated.eval()(torch.rand(1, 3, 32, 48)).mask.shape
    assert any("psi" in name for name, _ in gated.named_parameters())
