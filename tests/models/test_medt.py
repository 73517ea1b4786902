"""Gated axial attention against its formula, and patches that come together again."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lookonce.models.medt import GatedAxialAttention, joined, split


@given(st.integers(1, 3), st.integers(1, 4), st.integers(1, 5), st.integers(1, 5))
@settings(max_examples=20, deadline=None)
def test_patches_come_together_again(batch, pieces, height, width):
    image = torch.rand(batch, 3, pieces * height, pieces * width)
    patches = split(image, pieces)
    assert torch.equal(joined(patches, pieces), image)
    assert torch.equal(patches[0], image[0, :, :height, :width])


def attention(size: int = 5) -> GatedAxialAttention:
    torch.manual_seed(0)
    module = GatedAxialAttention(4, size, heads=2).eval()
    with torch.no_grad():
        module.gates.copy_(torch.tensor([0.3, -0.7, 1.2, 0.5]))
    return module


def test_attention_is_the_paper_s_equation_3():
    module, column = attention(), torch.randn(1, 4, 5, 1)
    query, key, value = (layer(column[..., 0]).reshape(2, 2, 5) for layer in (module.query, module.key, module.value))
    gate_query, gate_key, gate_value, gate_position = module.gates
    expected = torch.zeros(2, 2, 5)
    for head in range(2):
        for i in range(5):
            places = [module.positions[:, :, j - i + 4] for j in range(5)]
            logits = [
                query[head, :, i] @ key[head, :, j]
                + gate_query * query[head, :, i] @ place[0]
                + gate_key * key[head, :, j] @ place[1]
                for j, place in enumerate(places)
            ]
            weights = (torch.stack(logits) / 2**0.5).softmax(dim=0)
            for j, place in enumerate(places):
                expected[head, :, i] += weights[j] * (gate_value * value[head, :, j] + gate_position * place[2])
    torch.testing.assert_close(module(column), module.norm(expected.reshape(1, 4, 5))[..., None])


def test_with_closed_gates_places_do_not_count():
    module, columns, order = attention(), torch.randn(2, 4, 5, 3), torch.tensor([3, 0, 4, 1, 2])
    assert not torch.allclose(module(columns)[:, :, order], module(columns[:, :, order]))
    with torch.no_grad():
        module.gates.copy_(torch.tensor([0.0, 0.0, 1.0, 0.0]))
    torch.testing.assert_close(module(columns)[:, :, order], module(columns[:, :, order]))


def test_a_column_does_not_see_its_neighbours():
    module, columns = attention(), torch.randn(1, 4, 5, 3)
    other = columns.clone()
    other[..., 1] += 1
    torch.testing.assert_close(module(columns)[..., [0, 2]], module(other)[..., [0, 2]])
