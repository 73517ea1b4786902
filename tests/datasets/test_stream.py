"""The stream: a sample depends on the run's seed and its own number alone, so that a run can stop and go on exactly."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from lookonce.datasets.augment import Augmentation
from lookonce.datasets.samples import SlabSample
from lookonce.datasets.stream import PictureStream
from lookonce.datasets.targets import Target

LENGTH = 8


class NoiseSource:
    """Draws noise about a brightness, with two discs."""

    def __init__(self, brightness: float = 0.5) -> None:
        self.brightness = brightness

    def draw(self, rng: np.random.Generator) -> SlabSample:
        image = (self.brightness + rng.uniform(-0.1, 0.1, (40, 30))).astype(np.float16)
        points = rng.uniform(5, 25, (2, 2))
        return SlabSample(image, 1.5, points, np.array([3, 4]), np.zeros(2))


def stream(sources=None, **changes) -> PictureStream:
    options = {
        "shape": (32, 24),
        "spacing": 1.5,
        "stride": 2,
        "channels": 1,
        "target": Target(),
        "augmentation": Augmentation(),
        "seed": 3,
        "start": 0,
        "length": LENGTH,
    }
    return PictureStream(sources or [(NoiseSource(), 1.0)], **{**options, **changes})


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@given(st.permutations(range(LENGTH)))
def test_samples_do_not_depend_on_the_order_of_access(order):
    in_order, pictures = stream(), stream()
    shuffled = {index: pictures[index] for index in order}
    assert all(same(in_order[index], shuffled[index]) for index in range(LENGTH))


@given(st.integers(0, LENGTH - 1), st.integers(0, 1000))
def test_samples_do_not_depend_on_where_an_epoch_begins(cut, start):
    whole = stream(start=start)
    parts = [*stream(start=start, length=cut), *stream(start=start + cut, length=LENGTH - cut)]
    assert len(parts) == LENGTH
    assert all(map(same, whole, parts))


def test_samples_of_one_stream_and_of_two_seeds_differ():
    pictures = [sample["image"] for seed in (3, 4) for sample in stream(seed=seed, augmentation=None)]
    assert not any(torch.equal(a, b) for i, a in enumerate(pictures) for b in pictures[:i])


def test_sources_give_their_share_of_the_stream():
    bright, dark = NoiseSource(0.8), NoiseSource(0.2)
    mixed = stream([(bright, 3.0), (dark, 1.0)], length=400, augmentation=None)
    share = np.mean([float(sample["image"].mean()) > 0.5 for sample in mixed])
    assert share == pytest.approx(0.75, abs=0.07)


def test_a_stream_ends_and_has_no_negative_numbers():
    assert len(list(stream())) == LENGTH
    for index in (LENGTH, -1):
        with pytest.raises(IndexError):
            stream()[index]


@pytest.mark.parametrize("channels", [1, 3])
def test_a_batch_of_the_names_layout_is_what_network_and_loss_take(channels):
    batch = next(iter(DataLoader(stream(channels=channels), batch_size=4)))
    assert {name: (tensor.dtype, tuple(tensor.shape)) for name, tensor in batch.items()} == {
        "image": (torch.float32, (4, channels, 32, 24)),
        "heat": (torch.float32, (4, 16, 12)),
        "name": (torch.int64, (4, 16, 12)),
        "known": (torch.float32, (4, 16, 12)),
    }
    assert torch.equal(batch["image"][:, 0], batch["image"][:, -1])


def test_a_batch_of_the_levels_layout_is_what_network_and_loss_take():
    levels = stream(target=Target(kind="levels"), stride=1)
    batch = next(iter(DataLoader(levels, batch_size=4)))
    assert {name: (tensor.dtype, tuple(tensor.shape)) for name, tensor in batch.items()} == {
        "image": (torch.float32, (4, 1, 32, 24)),
        "heat": (torch.float32, (4, 11, 32, 24)),
        "visible": (torch.float32, (4, 11)),
    }


def test_without_augmentation_the_middle_is_cut_and_nothing_changed():
    sample = stream(augmentation=None)[0]
    drawn_after_choice = np.random.default_rng([3, 0])
    drawn_after_choice.choice(1, p=[1.0])
    picture = NoiseSource().draw(drawn_after_choice).image.astype(np.float32)
    torch.testing.assert_close(sample["image"][0], torch.from_numpy(picture[4:-4, 3:-3]), atol=1e-4, rtol=0)
