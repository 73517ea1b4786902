"""What a run keeps for its film is read as it was written, and damage is named."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookonce.errors import InputError
from lookonce.io.snapshots import (
    FOLDER,
    PICTURES_FILE,
    FilmPictures,
    Snapshot,
    read_pictures,
    read_snapshots,
    remove_snapshots,
    write_pictures,
    write_snapshot,
)

HEAT = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)


@given(
    counts=st.lists(st.integers(0, 5), min_size=1, max_size=4), seed=st.integers(0, 99), epochs=st.integers(1, 10**6)
)
@settings(max_examples=30)
def test_pictures_are_read_as_they_were_written(tmp_path, counts, seed, epochs):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (len(counts), 6, 5)).astype(np.uint8)
    points = tuple(rng.uniform(0, 5, (count, 2)) for count in counts)
    write_pictures(tmp_path, FilmPictures(images, points, epochs))
    found = read_pictures(tmp_path)
    assert np.array_equal(found.images, images)
    assert found.epochs == epochs
    for ours, theirs in zip(found.points, points, strict=True):
        assert np.array_equal(ours, theirs)


def test_snapshots_come_in_the_order_of_their_epochs_and_a_later_one_replaces(tmp_path):
    for epoch, loss in ((10000, 1.0), (2, 4.0), (9, 3.0), (2, 2.0)):
        write_snapshot(tmp_path, Snapshot(epoch, HEAT, loss))
    (tmp_path / FOLDER / "epoch-copy.npz").write_bytes(b"not ours")
    found = read_snapshots(tmp_path)
    assert [(snapshot.epoch, snapshot.loss) for snapshot in found] == [(2, 2.0), (9, 3.0), (10000, 1.0)]
    assert all(np.array_equal(snapshot.heat, HEAT) for snapshot in found)
    remove_snapshots(tmp_path)
    with pytest.raises(InputError, match="no epoch has ended yet"):
        read_snapshots(tmp_path)


def test_a_run_that_kept_nothing_says_what_to_do(tmp_path):
    with pytest.raises(InputError, match="kept nothing for a film"):
        read_pictures(tmp_path)


@given(share=st.floats(0, 1, exclude_max=True))
@settings(max_examples=30)
def test_a_truncated_file_is_named(tmp_path, share):
    write_pictures(tmp_path, FilmPictures(HEAT, (np.zeros((1, 2)), np.zeros((0, 2))), 3))
    write_snapshot(tmp_path, Snapshot(0, HEAT, 1.0))
    for name, read in ((PICTURES_FILE, read_pictures), ("epoch-0000.npz", read_snapshots)):
        path = tmp_path / FOLDER / name
        content = path.read_bytes()
        path.write_bytes(content[: int(share * len(content))])
        with pytest.raises(InputError, match=name):
            read(tmp_path)


@pytest.mark.parametrize(
    "fields",
    [
        {"images": HEAT, "points": np.zeros((1, 3))},
        {"images": HEAT.astype(float), "points": np.zeros((1, 3)), "epochs": 3},
        {"images": HEAT[0], "points": np.zeros((1, 3)), "epochs": 3},
        {"images": HEAT, "points": np.zeros((1, 2)), "epochs": 3},
        {"images": np.array([object()]), "points": np.zeros((1, 3)), "epochs": 3},
    ],
)
def test_other_arrays_are_no_pictures(tmp_path, fields):
    (tmp_path / FOLDER).mkdir()
    np.savez(tmp_path / FOLDER / PICTURES_FILE, **fields)
    with pytest.raises(InputError, match=PICTURES_FILE):
        read_pictures(tmp_path)
