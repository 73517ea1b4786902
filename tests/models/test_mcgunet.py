"""The bidirectional ConvLSTM that merges encoder and decoder."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lookonce.models.mcgunet import BidirectionalConvLSTM, ConvLSTM, DenseBlocks


def lstm(width: int = 3) -> ConvLSTM:
    torch.manual_seed(0)
    return ConvLSTM(4, width).eval()


@given(st.integers(1, 6), st.integers(1, 6))
@settings(max_examples=10, deadline=None)
def test_states_lie_between_minus_1_and_1_at_any_size(height, width):
    with torch.no_grad():
        state = lstm()([10 * torch.randn(2, 4, height, width) for _ in range(2)])
    assert state.shape == (2, 3, height, width)
    assert state.abs().max() < 1


def test_a_first_step_is_a_step_from_states_of_0():
    network, step = lstm(), torch.randn(1, 4, 5, 5)
    let_in, _, new, let_out = network.of_input(step).chunk(4, dim=1)
    cell = let_in.sigmoid() * new.tanh()
    expected = (let_out + network.peepholes[2] * cell).sigmoid() * cell.tanh()
    torch.testing.assert_close(network([step]), expected)


def test_what_was_read_first_is_remembered_and_the_order_tells():
    network, first, second = lstm(), torch.randn(1, 4, 5, 5), torch.randn(1, 4, 5, 5)
    assert not torch.allclose(network([first, second]), network([second]))
    assert not torch.allclose(network([first, second]), network([second, first]))


def test_both_directions_read_both_maps():
    torch.manual_seed(0)
    merge = BidirectionalConvLSTM(4)
    maps = [torch.randn(1, 4, 5, 5, requires_grad=True) for _ in range(2)]
    for direction, steps in ((merge.forwards, maps), (merge.backwards, maps[::-1])):
        gradients = torch.autograd.grad(direction(steps).sum(), maps)
        assert all(gradient.any() for gradient in gradients)


def test_a_dense_block_sees_all_blocks_before_it():
    blocks = DenseBlocks(4, 6, 3).blocks
    assert [block[0][0].in_channels for block in blocks] == [4, 6, 12]
