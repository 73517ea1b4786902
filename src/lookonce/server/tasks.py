"""What a worker process does with one upload: JSON in, JSON out, files only into the request's own folder."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from lookonce.errors import LookOnceError, WeightsError
from lookonce.server.logs import places
from lookonce.server.refusals import NotInstalledError, TooLargeError, in_words_of_the_api
from lookonce.server.schema import LabelOptions, SegmentOptions
from lookonce.server.segmenting import segment_upload
from lookonce.server.settings import Limits
from lookonce.server.uploads import UPLOAD_NAME

if TYPE_CHECKING:
    from lookonce.runtime.masks import MaskSession
    from lookonce.runtime.session import DiscSession
    from lookonce.runtime.weights import ModelCard, ModelFile

#: What a zip answer is called, beside the upload.
ANSWER_NAME = "answer.zip"


class Task(BaseModel):
    """One piece of work, of one kind.

    Attributes
    ----------
    path : Path
        The upload, in a folder of its own.
    label : LabelOptions or None
    segment : SegmentOptions or None
    """

    path: Path
    label: LabelOptions | None = None
    segment: SegmentOptions | None = None


@dataclass
class Desk:
    """What a worker keeps between tasks: loaded models.

    Attributes
    ----------
    limits : Limits
    threads : int
        Of each network.
    """

    limits: Limits
    threads: int
    _discs: dict[str, DiscSession] = field(default_factory=dict)
    _masks: dict[str, MaskSession] = field(default_factory=dict)

    def do(self, task: bytes) -> bytes:
        """Do a `Task`, given and answered as JSON.

        The answer is ``{"result": ...}`` or ``{"error": {"kind": ..., "message": ...}}``, whatever happens; with
        ``"trace"``, the places in the code without their values, when the fault is the program's own; with
        ``"worn": true`` when memory ran out, after which a new process is better.
        """
        work = Task.model_validate_json(task)
        try:
            return _packed({"result": self._result(work)})
        except LookOnceError as error:
            return _packed(_refused(error, work.path))
        except MemoryError:
            return _packed(_out_of_memory(work.path))
        except Exception as error:
            # ONNX Runtime and the decoders of pictures have their own words for it.
            if "bad_alloc" in str(error) or "allocate" in str(error):
                return _packed(_out_of_memory(work.path))
            return _packed(_unexpected(error))

    def disc_session(self, name: str) -> DiscSession:
        """A loaded disc model; raises NotInstalledError if none has that name."""
        from lookonce.runtime.session import DiscSession
        from lookonce.runtime.weights import DiscModelCard

        if name not in self._discs:
            self._discs[name] = DiscSession(_installed(name, DiscModelCard), threads=self.threads)
        return self._discs[name]

    def mask_session(self, name: str) -> MaskSession:
        """A loaded segmentation model; raises NotInstalledError if none has that name."""
        from lookonce.runtime.masks import MaskSession
        from lookonce.runtime.weights import MaskModelCard

        if name not in self._masks:
            self._masks[name] = MaskSession(_installed(name, MaskModelCard), threads=self.threads)
        return self._masks[name]

    def _result(self, work: Task) -> dict[str, Any]:
        folder = work.path.parent / "out"
        if work.label is not None:
            result = self._label(work.path, work.label, folder)
        elif work.segment is not None:
            session = self.mask_session(work.segment.model)
            result = segment_upload(work.path, work.segment, self.limits, session, folder, UPLOAD_NAME)
        if result["outputs"]:
            _zip(folder, result["outputs"].values(), work.path.with_name(ANSWER_NAME))
        return result

    def _label(self, path: Path, options: LabelOptions, folder: Path) -> dict[str, Any]:
        from lookonce.decoders import find_decoder
        from lookonce.labeling import label
        from lookonce.results import result_record, write_result
        from lookonce.server.scans import read_upload

        session = self.disc_session(options.model)
        image = read_upload(path, self.limits, volume=options.volume, series=options.series)
        result = label(image, model=session, first_level=options.first_level, decoder=find_decoder(options.decoder))
        names: dict[str, str] = {}
        if options.format == "zip":
            written = write_result(image, result, folder, UPLOAD_NAME, numbering=options.numbering, markups=True)
            names = {kind: Path(file).name for kind, file in written.items()}
        return result_record(UPLOAD_NAME, result, image, names, numbering=options.numbering)


def _installed(name: str, kind: type[ModelCard]) -> ModelFile:
    from lookonce.runtime.weights import find_model, model_names

    model = find_model(name) if name in model_names() else None
    if model is None or not isinstance(model.card, kind):
        raise NotInstalledError(f"no model for this is called {name}; /v1/models lists those that are here")
    return model


def _zip(folder: Path, names: Iterable[str], target: Path) -> None:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.write(folder / name, name)


def _refused(error: LookOnceError, path: Path) -> dict[str, Any]:
    """The error as the client may read it: about the upload, not about where it lay here."""
    message = in_words_of_the_api(str(error)).replace(f"{path}: ", "").replace(f"{path.parent}/", "")
    if isinstance(error, WeightsError):  # whose words name places on this machine
        message = "a model of this service is missing or damaged; whoever runs it should install lookonce again"
    elif not isinstance(error, NotInstalledError):
        message = f"the upload: {message}"
    return {"error": {"kind": error.kind, "message": message}}


def _out_of_memory(path: Path) -> dict[str, Any]:
    error = TooLargeError("needs more memory than this service gives to one request; cut it to what matters")
    return {**_refused(error, path), "worn": True}


def _unexpected(error: Exception) -> dict[str, Any]:
    message = f"an unexpected {type(error).__name__} inside the service; please report it with the service's log"
    # Without the error's own words, which may repeat what is in the upload.
    return {"error": {"kind": "error", "message": message}, "trace": [type(error).__name__, *places(error)]}


def _packed(answer: dict[str, Any]) -> bytes:
    return json.dumps(answer).encode(errors="backslashreplace")
