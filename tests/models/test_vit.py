"""The patch transformer: patches keep apart until they attend, and attention is what its formula says."""

from __future__ import annotations

import pytest
import torch

from lookonce.models.vit import PATCH, Attention, PatchTransformer


def transformer(**options) -> PatchTransformer:
    torch.manual_seed(0)
    return PatchTransformer(48, (4, 6, 8), depth=2, heads=2, **options).eval()


def test_without_places_patches_in_another_order_are_tokens_in_that_order():
    network = transformer()
    torch.nn.init.zeros_(network.positions)
    image = torch.rand(1, 3, 48, 48)
    rows = [patch for row in image.split(PATCH, dim=2) for patch in row.split(PATCH, dim=3)]
    order = torch.randperm(9, generator=torch.Generator().manual_seed(3)).tolist()
    shuffled = [rows[place] for place in order]
    other = torch.cat([torch.cat(shuffled[first : first + 3], dim=3) for first in (0, 3, 6)], dim=2)
    with torch.no_grad():
        tokens, moved = network(image)[0], network(other)[0]
    torch.testing.assert_close(moved[1:], tokens[1:][order])
    torch.testing.assert_close(moved[0], tokens[0])


def test_places_are_learned():
    network = transformer()
    with torch.no_grad():
        tokens = network(torch.full((1, 3, 48, 48), 0.5))[0]
    assert not torch.allclose(tokens[1], tokens[2])


@pytest.mark.parametrize("late", [False, True])
def test_attention_follows_its_formula_head_by_head(late):
    torch.manual_seed(0)
    attention, tokens = Attention(12, 3, late_scaling=late), 3 * torch.randn(2, 5, 12)
    with torch.no_grad():
        found = attention(tokens)
        # Interleaved: of every head and dimension, query, key and value in a row.
        qkv = attention.qkv(tokens).reshape(2, 5, 3, 4, 3)
        heads = []
        for one in range(3):
            queries, keys, values = (qkv[:, :, one, :, which] for which in range(3))
            energy = queries @ keys.transpose(1, 2)
            weights = energy.softmax(-1) / 12**0.5 if late else (energy / 4**0.5).softmax(-1)
            heads.append(weights @ values)
        expected = attention.projection(torch.cat(heads, dim=2))
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"widths": (4, 8)}, "three"),
        ({"widths": (4, 6, 9)}, "multiple of heads"),
        ({"depth": 0}, "at least 1"),
        ({"size": 40}, "multiple of 16"),
    ],
)
def test_impossible_numbers_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        PatchTransformer(**{"size": 48, "widths": (4, 6, 8), "depth": 1, "heads": 2, **options})
