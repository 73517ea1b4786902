"""Two sums over channels in one pass are the two, and so are their gradients."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lookonce.models.pixel_mix import mix_pixels


@given(
    seed=st.integers(0, 999),
    sizes=st.tuples(*[st.integers(1, 4)] * 5),
    layout=st.sampled_from([torch.contiguous_format, torch.channels_last]),
)
@settings(max_examples=30)
def test_values_and_gradients_are_those_of_the_two_sums(seed, sizes, layout):
    batch, channels, height, width, outputs = sizes
    torch.manual_seed(seed)
    features = torch.randn(batch, channels, height, width).double().to(memory_format=layout).requires_grad_()
    others = [
        torch.randn(shape).double().requires_grad_() for shape in ((outputs, channels), outputs, (batch, channels))
    ]
    shared, bias, own = others
    expected = (
        torch.einsum("bchw,kc->bkhw", features, shared) + bias[:, None, None],
        torch.einsum("bchw,bc->bhw", features, own)[:, None],
    )
    found = mix_pixels(features, *others)
    results = []
    for maps in (found, expected):
        loss = sum((number + 1) * one.sin().sum() for number, one in enumerate(maps))
        results.append([*maps, *torch.autograd.grad(loss, [features, *others])])
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other)


def test_half_precision_features_give_half_precision():
    with torch.autocast("cpu", torch.bfloat16):
        maps = mix_pixels(torch.rand(1, 3, 2, 2).bfloat16(), torch.rand(2, 3), torch.rand(2), torch.rand(1, 3))
    assert {one.dtype for one in maps} == {torch.bfloat16}
