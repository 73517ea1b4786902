"""Sessions: sizes that the network does not take, batches, and files that are no disc model."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.blobs import write_blob_model

from lookonce.errors import WeightsError
from lookonce.runtime.session import BATCH, MOST_PIXELS, DiscSession
from lookonce.runtime.weights import find_model

#: Every cell of these maps sees all of the image, as those of an hourglass do: padding that is handled otherwise shows.
_FAR_SIGHTED = """
<ir_version: 8, opset_import: ["" : 17]>
far (float[n, 1, h, w] image) => (float[n, a, b] disc, float[n, 26, a, b] names, float[n, a, b] attention)
<float half = {0.5}, int64[1] channel = {1}, float[1, 26, 1, 1] name = {%s}>
{
  cells = AveragePool<kernel_shape = [2, 2], strides = [2, 2]>(image)
  mean = GlobalAveragePool(image)
  seen = Add(cells, mean)
  disc = Squeeze(seen, channel)
  attention = Squeeze(cells, channel)
  names = Mul(seen, name)
}
"""


def write_model(path: Path, text: str, **card: object) -> Path:
    """Write an ONNX model from its text, with the card of the blob model."""
    import onnx

    write_blob_model(path)
    onnx.save(onnx.parser.parse_model(text), str(path))
    known = json.loads(path.with_suffix(".json").read_text())
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_suffix(".json").write_text(json.dumps(known | {"sha256": digest} | card))
    return path


@pytest.fixture(scope="module")
def session(tmp_path_factory) -> DiscSession:
    names = ", ".join(str(float(value)) for value in range(26))
    path = write_model(tmp_path_factory.mktemp("model") / "far.onnx", _FAR_SIGHTED % names)
    return DiscSession(find_model(str(path)))


def slabs(count: int, height: int, width: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).random((count, height, width), dtype=np.float32)


@given(st.integers(1, 5), st.integers(1, 70), st.integers(1, 70))
@settings(max_examples=25)
def test_any_size_gives_maps_that_cover_it(session, count, height, width):
    maps = session(slabs(count, height, width))
    rows, columns = (height + 1) // 2, (width + 1) // 2
    assert maps.heat.shape == maps.attention.shape == (count, rows, columns)
    assert maps.names.shape == (count, 26, rows, columns)
    assert maps.heat.dtype == np.float32


@given(st.integers(1, 70), st.integers(1, 70))
@settings(max_examples=25)
def test_padding_with_zeros_before_changes_nothing_inside(session, height, width):
    image = slabs(2, height, width)
    padded = np.pad(image, ((0, 0), (0, -height % 32), (0, -width % 32)))
    bare, full = session(image), session(padded)
    rows, columns = bare.heat.shape[1:]
    assert np.array_equal(bare.heat, full.heat[:, :rows, :columns])
    assert np.array_equal(bare.names, full.names[..., :rows, :columns])
    assert np.array_equal(bare.attention, full.attention[:, :rows, :columns])


def test_a_slab_s_maps_do_not_depend_on_its_neighbours_in_the_batch(session):
    image = slabs(2 * BATCH + 1, 40, 50)
    together = session(image)
    for index in range(len(image)):
        alone = session(image[index : index + 1])
        assert alone.heat[0] == pytest.approx(together.heat[index], abs=1e-6)
        assert alone.names[0] == pytest.approx(together.names[index], abs=1e-5)


def test_large_slabs_go_through_the_network_in_smaller_batches(session, monkeypatch):
    inner, calls = session._session, []

    class Recorder:
        def run(self, outputs, inputs):
            calls.append(inputs["image"].shape)
            return inner.run(outputs, inputs)

    monkeypatch.setattr(session, "_session", Recorder())
    session(slabs(BATCH, 512, 512))
    assert {batch for batch, *_ in calls} == {MOST_PIXELS // 512**2}
    calls.clear()
    session(slabs(BATCH, 256, 256))
    assert [batch for batch, *_ in calls] == [BATCH]


def test_maps_do_not_depend_on_the_number_of_threads(session, tmp_path):
    path = write_model(tmp_path / "far.onnx", _FAR_SIGHTED % ", ".join(["1.0"] * 26))
    one, two = (DiscSession(find_model(str(path)), threads=threads) for threads in (1, 2))
    image = slabs(3, 64, 64)
    assert one(image).heat == pytest.approx(two(image).heat, abs=1e-6)


def test_a_file_that_is_no_onnx_model_is_a_weights_error(tmp_path):
    path = write_blob_model(tmp_path / "text.onnx")
    path.write_bytes(b"these are no weights")
    card = json.loads(path.with_suffix(".json").read_text())
    path.with_suffix(".json").write_text(json.dumps(card | {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}))
    with pytest.raises(WeightsError, match=r"text\.onnx: ONNX Runtime cannot load it") as caught:
        DiscSession(find_model(str(path)))
    assert "\n" not in str(caught.value)


def test_an_onnx_model_of_another_kind_is_a_weights_error(tmp_path):
    text = '<ir_version: 8, opset_import: ["" : 17]> other (float[n] image) => (float[n] disc) { disc = Abs(image) }'
    path = write_model(tmp_path / "other.onnx", text)
    with pytest.raises(WeightsError, match="no output attention, names"):
        DiscSession(find_model(str(path)))


def test_the_shipped_model_pads_and_batches_without_a_trace():
    session = DiscSession(find_model())
    image = slabs(BATCH + 1, 75, 93)
    maps = session(image)
    multiple = session.card.multiple
    padded = session(np.pad(image, ((0, 0), (0, -75 % multiple), (0, -93 % multiple))))
    rows, columns = maps.heat.shape[1:]
    assert maps.heat == pytest.approx(padded.heat[:, :rows, :columns], abs=1e-5)
    assert maps.heat[2] == pytest.approx(session(image[2:3]).heat[0], abs=1e-4)
    assert 0 <= maps.heat.min() <= maps.heat.max() <= 1
    assert 0 <= maps.attention.min() <= maps.attention.max() <= 1
    assert maps.names.shape[1] == 26
