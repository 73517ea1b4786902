"""Pictures of uploads: their claims, their formats, and the result as the command gives it."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from tests.shade_model import write_shade_model

from lookonce.errors import InputError
from lookonce.runtime.masks import MaskSession
from lookonce.runtime.weights import find_model
from lookonce.server.refusals import TooLargeError
from lookonce.server.schema import SegmentAnswer, SegmentOptions
from lookonce.server.segmenting import segment_upload
from lookonce.server.settings import Limits
from lookonce.server.tasks import ANSWER_NAME, Desk, Task

LIMITS = Limits()


def saved(path, size=(60, 50), kind="PNG"):
    """A picture with a dark patch."""
    pixels = np.full((size[1], size[0], 3), 200, np.uint8)
    pixels[10:30, 20:45] = 30
    Image.fromarray(pixels).save(path, kind)
    return path


def test_a_picture_beyond_the_limit_is_refused_by_its_header(tmp_path):
    path = saved(tmp_path / "upload")
    with pytest.raises(TooLargeError, match="million pixels"):
        segment_upload(path, SegmentOptions(), replace(LIMITS, picture_pixels=2999), None, tmp_path, "upload")


@pytest.mark.parametrize("content", [b"hello" * 99, b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n" + b" " * 99])
def test_what_is_no_picture_that_people_take_is_opened_by_no_reader(tmp_path, content):
    (tmp_path / "upload").write_bytes(content)
    with pytest.raises(InputError, match="is no picture that can be read; save it as JPEG"):
        segment_upload(tmp_path / "upload", SegmentOptions(), LIMITS, None, tmp_path, "upload")


def test_a_picture_of_a_telephone_is_refused_by_its_name_for_it(tmp_path):
    (tmp_path / "upload").write_bytes(b"\0\0\0\x18ftypheic" + bytes(300))
    with pytest.raises(InputError, match="is HEIC, which telephones make; save it as JPEG"):
        segment_upload(tmp_path / "upload", SegmentOptions(), LIMITS, None, tmp_path, "upload")


@pytest.fixture
def desk(tmp_path) -> Desk:
    """One with a model that finds what is dark."""
    desk = Desk(LIMITS, threads=1)
    desk._masks["skin"] = MaskSession(find_model(str(write_shade_model(tmp_path / "shade.onnx"))), threads=1)
    return desk


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "JPEG2000", "DIB"])
def test_a_picture_is_segmented_as_the_command_segments_it(desk, tmp_path, kind):
    task = Task(path=saved(tmp_path / "upload", kind=kind), segment=SegmentOptions(format="zip", mm_per_pixel=0.1))
    result = json.loads(desk.do(task.model_dump_json().encode()))["result"]
    assert set(result) == set(SegmentAnswer.model_fields)
    record = SegmentAnswer.model_validate(result)
    assert (record.width, record.height, record.input) == (60, 50, "upload")
    assert record.area_mm2 == pytest.approx(record.area_px * 0.01, rel=0.01)
    with zipfile.ZipFile(tmp_path / ANSWER_NAME) as archive:
        assert sorted(archive.namelist()) == sorted(record.outputs.values())
        mask = np.asarray(Image.open(io.BytesIO(archive.read("upload_mask.png"))))
    assert np.count_nonzero(mask) == record.area_px


def test_a_picture_that_takes_all_memory_is_too_large_and_not_damaged(desk, tmp_path, monkeypatch):
    def fail(image):
        raise MemoryError

    monkeypatch.setattr("lookonce.io.pictures._rgb", fail)
    task = Task(path=saved(tmp_path / "upload"), segment=SegmentOptions())
    answer = json.loads(desk.do(task.model_dump_json().encode()))
    assert (answer["error"]["kind"], answer["worn"]) == ("too-large", True)
