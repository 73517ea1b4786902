import json
import logging
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from lookonce.errors import InputError
from lookonce.io.bids import LabelledScan, labelled_scans, read_labels, read_participants, read_sidecar

NEW, OLD = "_label-discs_dlabel", "_labels-disc-manual"


def save(path: Path, labels: dict[tuple[int, int, int], float] | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = np.zeros((6, 7, 8), dtype=np.float32)
    for voxel, value in (labels or {}).items():
        data[voxel] = value
    nib.save(nib.Nifti1Image(data, np.diag([2.0, 1, 1, 1])), path)
    return path


def add_scan(root: Path, stem: str, place: str, ending: str = NEW, annotated: object = None) -> tuple[Path, Path]:
    image = save(root / place / f"{stem}.nii.gz")
    labels = save(root / "derivatives" / "labels" / place / f"{stem}{ending}.nii.gz", {(1, 2, 3): 5})
    if annotated is not None:
        sidecar = labels.with_name(f"{stem}{ending}.json")
        sidecar.write_text(json.dumps({"SpatialReference": "orig", "AnnotatedLevels": annotated}))
    return image, labels


def test_labels_of_both_names_and_with_sessions_are_found(tmp_path):
    first = add_scan(tmp_path, "sub-02_T2w", "sub-02/anat", annotated=[3, 12])
    second = add_scan(tmp_path, "sub-01_ses-b_acq-sag_T1w", "sub-01/ses-b/anat", OLD)
    add_scan(tmp_path, "sub-02_T2w", "sub-02/anat", OLD)  # the same scan under its older name
    assert labelled_scans(tmp_path) == [
        LabelledScan("sub-01", "ses-b", "T1w", *second),
        LabelledScan("sub-02", None, "T2w", *first, annotated=(3, 12)),
    ]


def test_labels_without_their_scan_are_passed_over_and_logged(tmp_path, caplog):
    image, labels = add_scan(tmp_path, "sub-01_T2w", "sub-01/anat")
    image.unlink()
    with caplog.at_level(logging.WARNING):
        assert labelled_scans(tmp_path) == []
    assert str(labels) in caplog.text


def test_a_scan_that_is_a_link_without_content_is_listed(tmp_path):
    image, _ = add_scan(tmp_path, "sub-01_T2w", "sub-01/anat")
    image.unlink()
    image.symlink_to("../../.git/annex/objects/nowhere")
    assert [scan.image for scan in labelled_scans(tmp_path)] == [image]


def test_a_folder_without_labels_is_refused(tmp_path):
    with pytest.raises(InputError, match="no labels here; expected them in derivatives/labels/sub"):
        labelled_scans(tmp_path)


@pytest.mark.parametrize("annotated", [[3], [12, 3], "3-12", [3.5, 12], {"first": 3}])
def test_a_damaged_range_of_levels_is_refused(tmp_path, annotated):
    add_scan(tmp_path, "sub-01_T2w", "sub-01/anat", annotated=annotated)
    with pytest.raises(InputError, match=r"sub-01_T2w_label-discs_dlabel.nii.gz: .*AnnotatedLevels.*\[first, last\]"):
        labelled_scans(tmp_path)


@pytest.mark.parametrize("content", ["{", "[1]", "\xff"])
def test_a_damaged_sidecar_is_refused_by_name(tmp_path, content):
    (tmp_path / "a.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(InputError, match=r"a\.json: .*mend or remove it"):
        read_sidecar(tmp_path / "a.nii.gz")


def test_labels_are_rounded_points_in_the_world(tmp_path):
    labels = read_labels(save(tmp_path / "l.nii.gz", {(1, 2, 3): 5.9999, (1, 2, 6): 5.0, (0, 0, 0): 50}))
    assert [level.label for level in labels.levels] == ["C4/C5", "C5/C6"]
    assert labels.points.tolist() == [[2, 2, 6], [2, 2, 3]]


def test_an_empty_label_file_has_no_labels(tmp_path):
    assert len(read_labels(save(tmp_path / "l.nii.gz"))) == 0


def test_participants_are_read_by_subject(tmp_path):
    assert read_participants(tmp_path) == {}
    table = '\ufeffparticipant_id\tsex\tnote\nsub-01\tF\t"quoted\n02\tM\n'
    (tmp_path / "participants.tsv").write_text(table, encoding="utf-8")
    assert read_participants(tmp_path) == {
        "sub-01": {"sex": "F", "note": '"quoted'},
        "sub-02": {"sex": "M", "note": "n/a"},
    }


def test_a_table_without_participants_is_refused(tmp_path):
    (tmp_path / "participants.tsv").write_text("subject,sex\n01,F\n")
    with pytest.raises(InputError, match=r"participants.tsv: has no column participant_id"):
        read_participants(tmp_path)


@pytest.mark.data
@pytest.mark.parametrize(("name", "count"), [("cervical", 4), ("lumbar", 42), ("template", 1)])
def test_the_development_data_are_found(spine_data, name, count):
    scans = labelled_scans(spine_data / name)
    assert len(scans) == count
    for scan in scans[::10]:
        first, last = scan.annotated
        assert all(first <= level <= last for level in read_labels(scan.labels).levels)
        assert scan.image.is_file()


def test_the_variant_in_the_sidecar_names_the_disc_above_the_sacrum(tmp_path):
    path = save(tmp_path / f"sub-01_T2w{NEW}.nii.gz", {(1, 2, 6): 23, (1, 2, 3): 25})
    assert [level.label for level in read_labels(path).levels] == ["L3/L4", "L5/S1"]
    path.with_name(f"sub-01_T2w{NEW}.json").write_text(json.dumps({"Variant": "4 lumbar vertebrae"}))
    assert [level.label for level in read_labels(path).levels] == ["L3/L4", "L4/S1"]
