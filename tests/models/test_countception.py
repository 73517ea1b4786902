"""What only the counting network has: every output looks at the square around it."""

from __future__ import annotations

import pytest
import torch

from lookonce import models


@pytest.mark.parametrize("patch", [8, 9, 16])
def test_an_output_sees_its_square_and_hardly_more(patch):
    torch.manual_seed(0)
    network = models.build("countception", classes=1, in_channels=1, features=8, patch=patch).eval()
    image = torch.rand(1, 1, 64, 64, requires_grad=True)
    network(image).scores[0][0, 0, 32, 30].backward()
    rows, columns = image.grad[0, 0].nonzero().T
    # The published blocks of 3 pixels, six in a row, look over the square's edge.
    for seen, centre in ((rows, 32), (columns, 30)):
        assert centre - patch // 2 - 6 <= int(seen.min()) <= centre - (patch - 1) // 2
        assert centre + patch // 2 <= int(seen.max()) <= centre + patch // 2 + 6


def test_counts_move_with_the_picture():
    torch.manual_seed(0)
    network = models.build("countception", classes=2, in_channels=1, features=8, patch=8).eval()
    image = torch.rand(1, 1, 48, 48)
    moved = torch.roll(image, (3, 5), dims=(2, 3))
    with torch.no_grad():
        before, after = network(image).scores[0], network(moved).scores[0]
    torch.testing.assert_close(after[..., 16:40, 16:40], before[..., 13:37, 11:35], rtol=1e-4, atol=1e-5)
