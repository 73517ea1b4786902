"""The patch transformer: patches keep apart until they attend, and attention is what its formula says."""

from __future__ import annotations

import pytest
import torch

from lookonce.models.vit import PATCH, Attention, PatchTransformer, moved_places


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


def test_places_move_to_a_grid_of_another_size_and_stay_where_they_were_in_the_picture():
    small = torch.nn.ModuleDict({"transformer": transformer()})
    large = torch.nn.ModuleDict({"transformer": PatchTransformer(96, (4, 6, 8), depth=2, heads=2)})
    rows = torch.arange(3.0).repeat_interleave(3)
    with torch.no_grad():
        small["transformer"].positions[1:] = rows[:, None]
    moved = moved_places(large, small.state_dict())
    large.load_state_dict(moved)
    places = large["transformer"].positions.detach()
    torch.testing.assert_close(places[0], small["transformer"].positions[0])
    down = places[1:].reshape(6, 6, 8)
    torch.testing.assert_close(down, down[:, :1, :1].expand_as(down))
    assert (down[1:, 0, 0] > down[:-1, 0, 0]).all()
    torch.testing.assert_close(down[[0, 5], 0, 0].mean(), torch.tensor(1.0))


def test_places_of_the_same_grid_and_all_other_weights_stay_as_they_are():
    network = torch.nn.ModuleDict({"transformer": transformer()})
    state = network.state_dict()
    moved = moved_places(network, state)
    assert moved.keys() == state.keys()
    assert all(torch.equal(moved[name], state[name]) for name in state)


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
