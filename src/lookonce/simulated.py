"""Simulated studies on disk: BIDS trees of scans from the simulator, with exact labels."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import nibabel as nib
import numpy as np

from lookonce import __version__
from lookonce.anatomy import Level
from lookonce.errors import UsageError
from lookonce.io.bids import LABEL_ENDINGS, LABELS_FOLDER, read_participants
from lookonce.io.files import write_files, write_text
from lookonce.io.nifti import SpineImage, encode_labels, label_stem
from lookonce.landmarks import Disc, DiscLabels
from lookonce.synth import SimulatedScan, simulate_scan

#: BIDS suffix of a contrast; what BIDS has no word for goes by T2w, as scanners export it.
SUFFIXES = {
    "t1": "T1w",
    "t2": "T2w",
    "stir": "T2w",
    "pd": "PDw",
    "gre": "T2starw",
    "dixon": "T2starw",
    "random-tissue": "T2w",
}
#: Of a simulated scan, in participants.tsv.
_COLUMNS = ("contrast", "field_of_view", "variant")
FIELDS_OF_VIEW = ("cervical", "thoracic", "lumbar", "whole", "spine-generic", "random")


def write_study(
    out: Path, *, count: int, seed: int, contrast: str = "random", field_of_view: str = "random"
) -> Iterator[Path]:
    """Simulate `count` scans into a BIDS tree and yield each image's path once it is written.

    Scan i depends on the seed and i alone. The tree is what `lookonce train` and `lookonce evaluate` read.

    Raises
    ------
    UsageError
        If the contrast or field of view is unknown.
    OutputError
        If a file cannot be written.
    """
    if contrast not in (*SUFFIXES, "random"):
        raise UsageError(f"contrast {contrast!r} is not one of {', '.join((*SUFFIXES, 'random'))}")
    if field_of_view not in FIELDS_OF_VIEW:
        raise UsageError(f"field of view {field_of_view!r} is not one of {', '.join(FIELDS_OF_VIEW)}")
    made_by = [{"Name": "LookOnce synth", "Version": __version__}]
    description = {"Name": "Simulated spine MRI", "BIDSVersion": "1.10.0", "GeneratedBy": made_by}
    write_text(out / "dataset_description.json", json.dumps(description, indent=1) + "\n")
    people = read_participants(out)
    for index in range(count):
        scan = simulate_scan(np.random.default_rng([seed, index]), contrast=contrast, field_of_view=field_of_view)
        stem = f"sub-sim{seed}n{index:04d}_{SUFFIXES[scan.contrast]}"
        subject = stem.split("_")[0]
        image = out / subject / "anat" / f"{stem}.nii.gz"
        labels = out / LABELS_FOLDER / subject / "anat" / f"{stem}{LABEL_ENDINGS[0]}"
        volume, _ = truth(scan).to_volume(scan.image.shape, affine=scan.affine)
        write_files(
            {
                image: _encode_image(scan),
                labels: encode_labels(volume, SpineImage(scan.image, scan.affine)),
                labels.with_name(f"{label_stem(labels)}.json"): _sidecar(scan, seed, index),
            }
        )
        people[subject] = {name: getattr(scan, name) or "n/a" for name in _COLUMNS}
        write_text(out / "participants.tsv", _participants(people))
        yield image


def _participants(people: dict[str, dict[str, str]]) -> str:
    """The table of everybody in the tree, so that `lookonce evaluate --by field_of_view` can group them."""
    rows = sorted((subject, *(known.get(name, "n/a") for name in _COLUMNS)) for subject, known in people.items())
    return "".join("\t".join(row) + "\n" for row in [("participant_id", *_COLUMNS), *rows])


def truth(scan: SimulatedScan) -> DiscLabels:
    """The exact labels of a simulated scan."""
    return DiscLabels(
        Disc(Level(int(level)), (float(x), float(y), float(z)))
        for level, (x, y, z) in zip(scan.levels, scan.points, strict=True)
    )


def _encode_image(scan: SimulatedScan) -> bytes:
    image = nib.Nifti1Image(np.round(scan.image * 4095).astype(np.int16), scan.affine)
    image.header.set_xyzt_units("mm")
    image.set_sform(scan.affine, code="scanner")
    image.set_qform(scan.affine, code="scanner")
    return gzip.compress(image.to_bytes(), compresslevel=4, mtime=0)


def _sidecar(scan: SimulatedScan, seed: int, index: int) -> bytes:
    values = [level.nifti_value for level in truth(scan).levels]
    record = {
        "SpatialReference": "orig",
        "GeneratedBy": [{"Name": "LookOnce synth", "Version": __version__}],
        "AnnotatedLevels": [min(values), max(values)] if values else None,
        "Variant": scan.variant,
        "Simulated": {"seed": seed, "index": index, "contrast": scan.contrast, "field_of_view": scan.field_of_view},
        "Points": truth(scan).to_records(),
    }
    return (json.dumps(record, indent=1) + "\n").encode()
