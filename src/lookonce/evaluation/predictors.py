"""Where the labels that are scored come from: a model that is run here, or a folder of label files of any tool."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lookonce.errors import InputError, UsageError
from lookonce.io.bids import read_labels
from lookonce.io.markups import MARKUPS_ENDING
from lookonce.io.nifti import SpineImage, label_stem
from lookonce.landmarks import DiscLabels

if TYPE_CHECKING:
    from lookonce.decoders import DecoderName

#: How label files end: ours and SCT's today, SCT's `sct_label_vertebrae`, Spine Generic's older releases.
PREDICTION_ENDINGS = ("dlabel", "labeled_discs", "labels-disc", "labels-disc-manual")


@dataclass(frozen=True)
class Prediction:
    """Labels of one scan and the tool's own doubt.

    Attributes
    ----------
    labels : DiscLabels
    uncertain : bool or None
        The tool's own mark; None where it gives none.
    certainty : float or None
        Stated probability that the numbering is right.
    problem : str
        Why there are no labels; empty when there are.
    """

    labels: DiscLabels
    uncertain: bool | None = None
    certainty: float | None = None
    problem: str = ""


def folder_predictor(folder: Path) -> Callable[[Path], Prediction]:
    """Reader of the label files below `folder`, by the stem of the image they belong to."""
    files = [path for path in sorted(folder.rglob("*.nii*")) if label_stem(path).endswith(PREDICTION_ENDINGS)]
    markups = sorted(folder.rglob(f"*{MARKUPS_ENDING}"))

    def predict(image: Path) -> Prediction:
        stem = label_stem(image)
        found = [path for path in files if path.name.startswith(f"{stem}_")]
        # Markups beside a label file repeat it.
        found = found or [path for path in markups if path.name.startswith(f"{stem}_")]
        if not found:
            return Prediction(DiscLabels(), problem=f"no {stem}_*{PREDICTION_ENDINGS[0]}.nii.gz below {folder}")
        if len(found) > 1:
            raise UsageError(f"{stem} has two label files, {found[0]} and {found[1]}; give a folder with one of them")
        return Prediction(read_labels(found[0]), *_own_doubt(found[0].with_name(f"{stem}_discs.json")))

    return predict


def model_predictor(model: str, decoder: DecoderName = "chain") -> Callable[[Path | SpineImage], Prediction]:
    """Runner of the labelling pipeline with `model`, a name of `lookonce models` or an ONNX file, and a decoder."""
    # ONNX Runtime is not needed to score a folder.
    from lookonce.decoders import find_decoder
    from lookonce.labeling import label
    from lookonce.runtime.session import DiscSession
    from lookonce.runtime.weights import find_model

    session, found = DiscSession(find_model(model)), find_decoder(decoder)

    def predict(image: Path | SpineImage) -> Prediction:
        result = label(image, model=session, decoder=found)
        return Prediction(result.labels, result.uncertain, result.level_shift.get(0, 0.0))

    return predict


def _own_doubt(path: Path) -> tuple[bool | None, float | None]:
    """What the full result beside a label file says of itself: uncertain, and how sure; None without such a file."""
    if not path.exists():
        return None, None
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
        certainty = result.get("level_shift", {}).get("0")
        return bool(result["uncertain"]), None if certainty is None else float(certainty)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: is not a result of `lookonce label` ({error}); label the scan again") from error
