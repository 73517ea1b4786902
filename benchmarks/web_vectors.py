"""Vectors that keep the web page's pipeline equal to Python's: inputs of every stage, and what Python makes of them.

    python benchmarks/web_vectors.py          # keep the inputs, write Python's answers anew
    python benchmarks/web_vectors.py --draw   # new inputs from simulated scans (minutes), then the answers

The inputs do not follow the weights: candidates of a network long replaced are candidates all the same. `npm test` in
`web/` compares TypeScript with the answers, `tests/test_web.py` Python.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from lookonce.anatomy import ADULT_SPACING, Level, VertebraCount
from lookonce.decode.certainty import Calibration
from lookonce.decode.heatmaps import Candidates, find_candidates
from lookonce.decode.midline import onto_midline
from lookonce.geometry import SlabStack, reorient, sagittal_slabs, scale_intensity
from lookonce.io.markups import encode_markups
from lookonce.io.nifti import SpineImage, encode_labels, read_image
from lookonce.labeling import LabelResult, look
from lookonce.landmarks import Disc, DiscLabels
from lookonce.numbering import number_discs
from lookonce.results import result_record
from lookonce.runtime.session import DiscSession
from lookonce.runtime.weights import find_model
from lookonce.synth import simulate_scan

FOLDER = Path(__file__).parents[1] / "web" / "vectors"
Case = dict[str, Any]
Answer = Callable[[Case], Case]


def packed(array: NDArray) -> Case:
    """An array as JSON: little-endian bytes in base64, the last index running fastest."""
    array = np.ascontiguousarray(array)
    return {
        "dtype": array.dtype.name,
        "shape": list(array.shape),
        "base64": base64.b64encode(array.astype(array.dtype.newbyteorder("<")).tobytes()).decode(),
    }


def unpacked(entry: Case) -> NDArray:
    values = np.frombuffer(base64.b64decode(entry["base64"]), np.dtype(entry["dtype"]).newbyteorder("<"))
    return values.reshape(entry["shape"])


def answer_slabs(case: Case) -> Case:
    slabs = sagittal_slabs(
        unpacked(case["volume"]).transpose(2, 1, 0),
        np.array(case["affine"]),
        spacing=case["spacing"],
        lateral_step=case["lateral_step"],
        lateral_range=None if case["lateral_range"] is None else tuple(case["lateral_range"]),
    )
    scaled = np.rint(scale_intensity(slabs.data) * 65535).astype(np.uint16)
    return {"slabs": packed(scaled), "affine": slabs.affine.tolist()}


def answer_candidates(case: Case) -> Case:
    found = find_candidates(
        unpacked(case["heat"]).astype(np.float32) / 255,
        unpacked(case["names"]).astype(np.float32) / 4,
        affine=np.array(case["affine"]),
        stride=case["stride"],
        lateral_sigma_mm=case["lateral_sigma_mm"],
    )
    return candidates_to_json(found)


def answer_numbering(case: Case) -> Case:
    found = Candidates(**{name: np.array(values) for name, values in case["candidates"].items()})
    slabs = SlabStack(np.zeros(case["shape"], dtype=np.float32), np.array(case["affine"]))
    numbering = number_discs(found, slabs, calibration=Calibration(**case["certainty"]))
    return {
        "picked": numbering.picked.tolist(),
        "levels": numbering.levels.tolist(),
        "confidence": numbering.confidence.tolist(),
        "level_shift": {str(shift): share for shift, share in numbering.level_shift.items()},
        "counted_from": numbering.counted_from,
        "doubts": numbering.doubts,
        "variant": numbering.variant,
    }


def answer_midline(case: Case) -> Case:
    slabs = SlabStack(unpacked(case["slabs"]).astype(np.float32) / 255, np.array(case["affine"]))
    return {"points": onto_midline(np.array(case["points"]), slabs).tolist()}


def answer_results(case: Case) -> Case:
    path = FOLDER / "scan.nii"
    try:
        path.write_bytes(base64.b64decode(case["nifti"]))
        image = read_image(path)
    finally:
        path.unlink(missing_ok=True)
    labels = DiscLabels(Disc(Level(level), tuple(point), sure) for level, point, sure in case["discs"])
    result = LabelResult(labels, {0: 0.9, 1: 0.1}, True, "C2", None, ["look at it"])
    volume, warnings = labels.to_volume(image.data.shape, affine=image.affine)
    record = result_record(path.name, result, image, {})
    return {
        "affine": image.affine.tolist(),
        "grey": [float(value) for value in image.data.ravel(order="F")[:: case["every"]]],
        "read_warnings": image.warnings,
        "volume_warnings": warnings,
        "labels": base64.b64encode(encode_labels(volume, image, packed=False)).decode(),
        "csv": labels.to_csv(),
        "markups": json.loads(encode_markups(labels, name="scan_discs", uncertain=result.uncertain)),
        "record": {key: record[key] for key in ("discs", "level_shift", "runner_up", "uncertain", "counted_from")},
    }


ANSWERS: dict[str, Answer] = {
    "slabs": answer_slabs,
    "candidates": answer_candidates,
    "numbering": answer_numbering,
    "midline": answer_midline,
    "results": answer_results,
}


def candidates_to_json(found: Candidates) -> Case:
    return {name: getattr(found, name).tolist() for name in ("slab", "world_mm", "probability", "evidence")}


def load(stage: str) -> list[Case]:
    """The cases of a stage: each with its `input` and Python's `answer`."""
    return json.loads(gzip.decompress((FOLDER / f"{stage}.json.gz").read_bytes()))


def save(stage: str, inputs: list[Case], answer: Answer) -> None:
    cases = [{"input": case, "answer": answer(case)} for case in inputs]
    content = gzip.compress(json.dumps(_short(cases)).encode(), compresslevel=9, mtime=0)
    (FOLDER / f"{stage}.json.gz").write_bytes(content)
    print(f"{stage}: {len(cases)} cases, {len(content) / 1000:.0f} kB")


def _short(value: Any) -> Any:
    """Numbers with nine digits: half the size, and far finer than the tolerances."""
    if isinstance(value, float):
        return float(f"{value:.9g}")
    if isinstance(value, dict):
        return {key: _short(entry) for key, entry in value.items()}
    return [_short(entry) for entry in value] if isinstance(value, list) else value


def draw() -> dict[str, list[Case]]:
    """New inputs of every stage, from simulated scans and the present network."""
    session = DiscSession(find_model(), threads=1)
    views = ("cervical", "lumbar", "thoracic", "whole", "whole")
    scans = [
        simulate_scan(np.random.default_rng([7, seed]), contrast=("t1", "t2")[seed % 2], field_of_view=view)
        for seed, view in enumerate(views)
    ]
    looks = [look(SpineImage(scan.image, scan.affine), session) for scan in scans]
    numbering = [
        _numbering_case(slabs, variant)
        for seed, (slabs, _, found) in enumerate(looks)
        for variant in _disturbed(found, np.random.default_rng(seed))
    ]
    numbering += [_variant_case(count) for count in (VertebraCount(lumbar=6), VertebraCount(thoracic=11))]
    return {
        "slabs": _draw_slabs(scans),
        "candidates": [_candidates_case(slabs, maps) for slabs, maps, _ in looks[:2]],
        "numbering": numbering,
        "midline": [_midline_case(scan, looks[i][2]) for i, scan in enumerate(scans[:2])],
        "results": _draw_results(scans[0]),
    }


def _draw_slabs(scans: list[Any]) -> list[Case]:
    """Oblique volumes in several orders of the axes: slices thinner and thicker than the slabs, whole and cut."""
    rng = np.random.default_rng(3)
    forms: list[tuple[tuple[str, str, str], tuple[float, float, float], tuple[float, float] | None]] = [
        (("S", "L", "P"), (2.2, 1.1, 1.9), None),
        (("R", "A", "S"), (1.0, 1.2, 1.8), (8.0, 16.0)),
        (("P", "I", "L"), (5.0, 2.0, 2.5), (3.0, 40.0)),
    ]
    cases = []
    for scan, (axes, size, reach) in zip(scans, forms, strict=False):
        turn, _ = np.linalg.qr(np.eye(3) + 0.1 * rng.normal(size=(3, 3)))
        affine = np.eye(4)
        affine[:3, :3] = turn * np.sign(np.diag(turn)) * size
        affine[:3, 3] = rng.normal(scale=40, size=3)
        volume = (255 * scan.image[4:24, 40:190:4, 40:220:4]).astype(np.uint8)
        volume, affine = reorient(volume, affine, axes=axes)
        cases.append(
            {
                "volume": packed(volume.transpose(2, 1, 0)),
                "affine": affine.tolist(),
                "spacing": 1.5,
                "lateral_step": 4.0,
                "lateral_range": reach,
            }
        )
    return cases


def _candidates_case(slabs: SlabStack, maps: Any) -> Case:
    rows = slice(0, 60)
    names = np.clip(np.rint(4 * maps.names[::3, :, rows]), -127, 127).astype(np.int8)
    affine = slabs.affine @ np.diag([3.0, 1, 1, 1])
    heat = np.rint(255 * maps.heat[::3, rows]).astype(np.uint8)
    # Names where there is nothing to name would only be weight.
    names *= (heat.max(axis=0) > 10)[None, None]
    return {
        "heat": packed(heat),
        "names": packed(names),
        "affine": affine.tolist(),
        "stride": 2,
        "lateral_sigma_mm": 6.5,
    }


def _disturbed(found: Candidates, rng: np.random.Generator) -> list[Candidates]:
    """As found; with discs missing; with false ones and doubtful names; cut off above; and with one disc more."""

    def of(index: NDArray, **changes: NDArray) -> Candidates:
        fields = {name: getattr(found, name)[index] for name in ("slab", "world_mm", "probability", "evidence")}
        return Candidates(**fields | changes)

    everything = np.arange(len(found))
    some = np.sort(rng.choice(everything, max(1, int(0.8 * len(found))), replace=False))
    doubtful = found.evidence + rng.normal(scale=2.0, size=found.evidence.shape)
    doubtful -= np.log(np.exp(doubtful).sum(axis=1, keepdims=True))
    faint = found.probability * rng.uniform(0.3, 1.0, len(found))
    cases = [found, of(some), of(everything, evidence=doubtful, probability=faint), of(everything[len(found) // 2 :])]
    if len(found) >= 20:
        index = np.sort(np.append(everything, len(found) - 2))
        lower = np.arange(len(index)) > len(found) - 2
        world, slab = found.world_mm[index].copy(), found.slab[index].copy()
        world[lower, 2] -= 33
        slab[lower, 1] += 22
        cases.append(of(index, world_mm=world, slab=slab))
    return cases


def _numbering_case(slabs: SlabStack, found: Candidates) -> Case:
    shape = [slabs.data.shape[0], max(slabs.data.shape[1], int(found.slab[:, 1].max()) + 20), slabs.data.shape[2]]
    return {
        "candidates": _short(candidates_to_json(found)),
        "shape": shape,
        "affine": _short(slabs.affine.tolist()),
        "certainty": {"cut": 0.79, "intercept": -1.48, "slope": 2.07, "most": 0.9},
    }


def _variant_case(count: VertebraCount) -> Case:
    """A whole spine with another number of vertebrae, seen clearly but for the names of the discs far from its ends."""
    rng = np.random.default_rng(count.lumbar)
    down = np.cumsum([40.0, *ADULT_SPACING.steps(count)])
    rows, total = down / 1.5, len(down)
    spread = 1.0 + 2.0 * np.minimum(np.arange(total), np.arange(total)[::-1]) / total
    named = np.linspace(Level.C1_C2, Level.L5_S1, total)
    logits = -0.5 * ((np.arange(26) - named[:, None]) / spread[:, None]) ** 2
    found = Candidates(
        slab=np.c_[np.full(total, 3.0), rows, np.full(total, 60.0)],
        world_mm=np.c_[rng.normal(size=total), rng.normal(size=total), -down],
        probability=rng.uniform(0.85, 0.99, total),
        evidence=logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)),
    )
    slabs = SlabStack(np.zeros((7, int(rows[-1]) + 40, 128), dtype=np.float32), np.diag([4.0, 1.5, 1.5, 1]))
    return _numbering_case(slabs, found)


def _midline_case(scan: Any, found: Candidates) -> Case:
    turned, affine = reorient(scan.image, scan.affine)
    sure = found.world_mm[found.probability > 0.5][:4]
    slabs = sagittal_slabs(turned, affine, spacing=1.5, lateral_step=2.0)
    place = np.linalg.inv(slabs.affine) @ np.append(sure[0], 1)
    top, front = max(int(place[1]) - 12, 0), max(int(place[2]) - 14, 0)
    cut = np.eye(4)
    cut[1:3, 3] = top, front
    part = scale_intensity(slabs.data)[:, top : top + 70, front : front + 50]
    return {
        "slabs": packed(np.rint(255 * part).astype(np.uint8)),
        "affine": (slabs.affine @ cut).tolist(),
        "points": sure.tolist(),
    }


def _draw_results(scan: Any) -> list[Case]:
    rng = np.random.default_rng(11)
    cases = []
    for kind, dtype, slope in ((nib.Nifti1Image, np.int16, None), (nib.Nifti2Image, np.uint8, (0.5, -3.0))):
        voxels = (200 * scan.image[::10, ::16, ::16][:3, :13, :10]).astype(dtype)
        turn, _ = np.linalg.qr(np.eye(3) + 0.2 * rng.normal(size=(3, 3)))
        affine = np.eye(4)
        affine[:3, :3], affine[:3, 3] = turn * (3.0, 2.0, 2.5), (5, -20, 30)
        image = kind(voxels, affine)
        image.header.set_qform(affine, code=1)
        image.header.set_sform(affine, code=0 if slope else 2)
        content = bytearray(image.to_bytes())
        if slope:  # nibabel writes no scaling of integers of its own accord
            header = image.header.copy()
            header["scl_slope"], header["scl_inter"] = slope
            content[: header.sizeof_hdr] = header.binaryblock
        places = [[2, 3, 4], [1, 8, 6], [1.4, 12, 8.6], [40, 2, 2]]
        points = (np.c_[places, np.ones(4)] @ affine.T)[:, :3]
        discs = [
            [level, point, sure]
            for level, point, sure in zip((3, 24, 103, 104), points.tolist(), (0.99, 0.5, 0.25, 1.0), strict=True)
        ]
        cases.append({"nifti": base64.b64encode(bytes(content)).decode(), "discs": discs, "every": 7})
    return cases


def run(about: str, answers: dict[str, Answer], draw_inputs: Callable[[], dict[str, list[Case]]]) -> None:
    """Write the answers to the inputs of every stage, drawn anew with ``--draw``."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draw", action="store_true", help="draw new inputs too")
    FOLDER.mkdir(parents=True, exist_ok=True)
    is_new = parser.parse_args().draw
    inputs = draw_inputs() if is_new else {stage: [case["input"] for case in load(stage)] for stage in answers}
    for stage, cases in inputs.items():
        # Through JSON, so that the answers are those of what is stored.
        save(stage, json.loads(json.dumps(_short(cases))), answers[stage])


if __name__ == "__main__":
    run(str(__doc__), ANSWERS, draw)
