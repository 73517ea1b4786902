"""Films as files: frames, times and sizes are as asked for, and what is missing is said."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from PIL import Image

from lookonce.errors import LookOnceError, OutputError, UsageError
from lookonce.report.movies import HOLD, Film, write_film


def film(count: int = 3, size: tuple[int, int] = (64, 48), fps: float = 4.0) -> Film:
    """A white square that moves to the right on blue."""

    def frames():
        for number in range(count):
            frame = Image.new("RGB", size, (10, 20, 120))
            frame.paste((255, 255, 255), (8 * number, 10, 8 * number + 8, 18))
            yield frame

    return Film(count, fps, frames())


def test_a_gif_holds_every_frame_for_its_time_and_the_last_one_longer(tmp_path):
    write_film(film(), tmp_path / "a.gif")
    with Image.open(tmp_path / "a.gif") as gif:
        assert (gif.n_frames, gif.size, gif.info["loop"]) == (3, (64, 48), 0)
        times = []
        for number, expected in enumerate(film().frames):
            gif.seek(number)
            times.append(gif.info["duration"])
            difference = np.asarray(gif.convert("RGB")).astype(int) - np.asarray(expected)
            assert np.abs(difference).max() <= 4
    assert times[:-1] == [250, 250]
    assert times[-1] == pytest.approx(250 + 1000 * HOLD, abs=250)


def test_the_caller_s_rate_wins(tmp_path):
    write_film(film(), tmp_path / "a.GIF", fps=10)
    with Image.open(tmp_path / "a.GIF") as gif:
        assert gif.info["duration"] == 100


@pytest.mark.parametrize("size", [(64, 48), (66, 50)])
def test_an_mp4_holds_every_frame_at_its_size(tmp_path, size):
    imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg")
    write_film(film(count=6, size=size), tmp_path / "new" / "a.mp4")
    reader = imageio_ffmpeg.read_frames(str(tmp_path / "new" / "a.mp4"))
    facts = next(reader)
    assert (facts["size"], facts["fps"], facts["codec"]) == (size, 4.0, "h264")
    assert facts["pix_fmt"].startswith("yuv420p")  # what every player shows
    frames = [np.frombuffer(frame, np.uint8).reshape(size[1], size[0], 3) for frame in reader]
    assert len(frames) == 6 + round(HOLD * 4)
    for number in range(6):
        brightness = frames[number][10:18, :, 0].mean(axis=0)
        assert abs(int(brightness.argmax()) - (8 * number + 4)) <= 4


def test_without_its_extra_mp4_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(LookOnceError, match=r"pip install 'lookonce\[report\]'; or write a \.gif") as raised:
        write_film(film(), tmp_path / "a.mp4")
    assert raised.value.exit_code == 1
    write_film(film(), tmp_path / "a.gif")


@pytest.mark.parametrize(("name", "fps"), [("a.avi", None), ("a", None), ("a.gif", 0.0), ("a.gif", 51.0)])
def test_other_endings_and_impossible_rates_are_refused_before_a_frame_is_drawn(tmp_path, name, fps):
    def frames():
        raise AssertionError("drawn")
        yield

    with pytest.raises(UsageError):
        write_film(Film(1, 4.0, frames()), tmp_path / name, fps=fps)


def test_a_place_that_cannot_be_written_is_an_output_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError):
        write_film(film(), tmp_path / "file" / "a.gif")
