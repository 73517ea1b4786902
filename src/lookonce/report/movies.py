"""Films: frames that are drawn as they are asked for, written as GIF or MP4."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain, repeat
from pathlib import Path

from PIL import Image

from lookonce.errors import LookOnceError, OutputError, UsageError
from lookonce.io.files import write_files

#: A GIF counts its times in hundredths of a second, and viewers slow down what is faster than this.
FASTEST = 50.0
#: Of each frame of a GIF; twice as many look no better and take a third more room.
COLOURS = 128
#: The last frame stays this long, seconds.
HOLD = 1.5


@dataclass(frozen=True)
class Film:
    """Frames to be written.

    Attributes
    ----------
    count : int
        How many there are, if none fails.
    fps : float
        Frames a second that suit them.
    frames : iterator of Image
        RGB, all of one size, whose sides are even.
    failures : list of LookOnceError
        Why frames are missing; filled while they are drawn.
    """

    count: int
    fps: float
    frames: Iterator[Image.Image]
    failures: list[LookOnceError] = field(default_factory=list)


def write_film(film: Film, out: Path, *, fps: float | None = None) -> None:
    """Write a film as GIF or MP4, as `out` is called; it appears whole or not at all.

    Parameters
    ----------
    film : Film
    out : Path
        Ends in .gif or .mp4; the latter needs the extra `report`.
    fps : float, optional
        Frames a second, up to `FASTEST`; by default the film's own.

    Raises
    ------
    UsageError
        If `out` ends in something else or `fps` is impossible.
    OutputError
        If the file cannot be written.
    LookOnceError
        If the extra is missing, or no frame can be drawn.
    """
    rate = film.fps if fps is None else fps
    if not 0 < rate <= FASTEST:
        raise UsageError(f"fps {rate:g} is not above 0 and at most {FASTEST:g}")
    encode = _encoder(out)
    write_files({out: encode(_held(film.frames, round(HOLD * rate)), rate)})


def _encoder(out: Path) -> Callable[[Iterator[Image.Image], float], bytes]:
    if out.suffix.lower() == ".gif":
        return _gif
    if out.suffix.lower() != ".mp4":
        raise UsageError(f"{out}: the film's name must end in .gif or .mp4")
    try:
        import imageio_ffmpeg
    except ModuleNotFoundError:
        raise LookOnceError(
            f"{out}: MP4 needs imageio-ffmpeg: pip install 'lookonce[report]'; or write a .gif, which needs nothing"
        ) from None
    del imageio_ffmpeg
    return _mp4


def _held(frames: Iterator[Image.Image], more: int) -> Iterator[Image.Image]:
    last = None
    for last in frames:
        yield last
    if last is not None:
        yield from repeat(last, more)


def _gif(frames: Iterator[Image.Image], fps: float) -> bytes:
    indexed = (_indexed(frame) for frame in frames)
    content = io.BytesIO()
    next(indexed).save(content, "GIF", save_all=True, append_images=indexed, duration=round(1000 / fps), loop=0)
    return content.getvalue()


def _indexed(frame: Image.Image) -> Image.Image:
    """A frame in colours of its own: heat over greys has too many shades for the same ones to serve all frames."""
    # Pillow's usual choice goes by how many pixels have a colour, and small hot spots lose theirs.
    return frame.quantize(COLOURS, Image.Quantize.MAXCOVERAGE, kmeans=1, dither=Image.Dither.NONE)


def _mp4(frames: Iterator[Image.Image], fps: float) -> bytes:
    import imageio_ffmpeg

    first = next(frames)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        try:
            writer = imageio_ffmpeg.write_frames(
                str(path), first.size, fps=fps, codec="libx264", quality=7, macro_block_size=2, ffmpeg_log_level="error"
            )
            writer.send(None)
            for frame in chain([first], frames):
                writer.send(frame.tobytes())
            writer.close()
            return path.read_bytes()
        except (OSError, RuntimeError) as error:
            raise OutputError(f"ffmpeg cannot write the film ({str(error).splitlines()[0]}); write a .gif") from None
