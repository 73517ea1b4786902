"""A miniature Spine Generic, prepared: what is written, what is left out, and that one bad file stops no other."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from tests.conftest import ALL_ORIENTATIONS, Scan
from tests.spine_generic_tree import AFFINE, DISCS, NEW, OLD, add_scan, label_scan, make_annex, save

from lookonce.errors import InputError, OutputError, UsageError
from lookonce.io.bids import labelled_scans, read_labels, read_participants, read_sidecar
from lookonce.io.lists import read_subjects
from lookonce.preparation import prepare_spine_generic
from lookonce.preparation.splits import SHARES, split_of

SUBJECTS = ("sub-amu01", "sub-amu02", "sub-10")  # train, test, validation


@pytest.fixture
def source(tmp_path) -> Path:
    """Three subjects on three lists, two contrasts, both namings, in several orientations."""
    root = tmp_path / "data"
    for place, subject in enumerate(SUBJECTS):
        for contrast, naming in (("T1w", OLD), ("T2w", NEW)):
            add_scan(root, f"{subject}_{contrast}", naming=naming, orientation=ALL_ORIENTATIONS[5 * place])
    return root


@pytest.fixture
def out(tmp_path) -> Path:
    return tmp_path / "prepared"


def rows_of(out: Path) -> dict[str, dict[str, str]]:
    """Lines of the report by the scan's stem."""
    with (out / "report.csv").open(newline="") as file:
        return {Path(row["image"]).name.partition(".")[0]: row for row in csv.DictReader(file)}


def files_of(out: Path) -> dict[str, bytes]:
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def test_the_tree_is_what_training_and_evaluation_read(source, out):
    result = prepare_spine_generic(source, out)
    assert result.scans == {"done": 6, "excluded": 0, "failed": 0}
    scans = labelled_scans(out)
    assert [scan.image.name for scan in scans] == sorted(
        f"{subject}_{contrast}.nii.gz" for subject in SUBJECTS for contrast in ("T1w", "T2w")
    )
    for scan in scans:
        original = source / scan.image.relative_to(out)
        assert scan.image.read_bytes() == original.read_bytes()
        assert scan.labels.name.endswith(f"{NEW}.nii.gz")
        assert scan.annotated == (3, 6)
        image, labels = nib.load(scan.image), nib.load(scan.labels)
        assert labels.get_data_dtype() == np.uint8
        np.testing.assert_array_equal(image.affine, labels.affine)
        assert set(np.unique(labels.dataobj)) == {0, *DISCS}
        truth = np.array(list(DISCS.values())) @ AFFINE[:3, :3].T + AFFINE[:3, 3]
        np.testing.assert_allclose(read_labels(scan.labels).points, truth, atol=1e-3)


def test_every_scan_has_its_picture_and_its_line(source, out):
    prepare_spine_generic(source, out)
    for stem, row in rows_of(out).items():
        subject, contrast = stem.split("_")
        with np.load(out / "pictures" / contrast / f"{stem}.npz") as picture:
            assert picture["levels"].tolist() == list(DISCS)
            assert [float(row["row_mm"]), float(row["column_mm"])] == pytest.approx(picture["pixel_mm"], abs=1e-4)
        assert (row["subject"], row["contrast"], row["state"]) == (subject, contrast, "done")
        assert (row["split"], row["discs"], row["reason"]) == (split_of(subject), "4", "")


def test_the_lists_hold_the_prepared_subjects_and_so_does_the_table(source, out):
    (source / "participants.tsv").write_text('participant_id\tsex\tnote\nsub-amu01\tF\t"a, b"\nsub-none\tM\tx\n')
    result = prepare_spine_generic(source, out)
    assert [read_subjects(out / f"{name}.txt") for name in SHARES] == [{"sub-amu01"}, {"sub-10"}, {"sub-amu02"}]
    assert result.subjects == {"train": 1, "validation": 1, "test": 1}
    assert read_participants(out) == {
        "sub-10": {"sex": "n/a", "note": "n/a", "split": "validation"},
        "sub-amu01": {"sex": "F", "note": '"a, b"', "split": "train"},
        "sub-amu02": {"sex": "n/a", "note": "n/a", "split": "test"},
    }


def test_what_the_data_set_says_of_itself_and_of_its_labels_is_kept(source, out):
    (source / "dataset_description.json").write_text('{"Name": "Spine", "BIDSVersion": "1.2.0", "License": "CC0"}')
    labels = source / "derivatives/labels/sub-10/anat" / f"sub-10_T2w{NEW}.json"
    labels.write_text('{"Author": "N. N.", "AnnotatedLevels": [2, 9], "GeneratedBy": [{"Name": "Manual"}]}')
    prepare_spine_generic(source, out)
    about = json.loads((out / "dataset_description.json").read_text())
    assert (about["License"], about["GeneratedBy"][-1]["Name"]) == ("CC0", "LookOnce prepare")
    sidecar = read_sidecar(out / labels.relative_to(source).with_suffix(".nii.gz"))
    assert (sidecar["Author"], sidecar["AnnotatedLevels"]) == ("N. N.", [2, 9])
    assert [entry["Name"] for entry in sidecar["GeneratedBy"]] == ["Manual", "LookOnce prepare"]
    assert sidecar["Sources"] == [f"derivatives/labels/sub-10/anat/sub-10_T2w{NEW}.nii.gz"]


def test_excluded_scans_leave_no_trace_but_their_line(source, out):
    (source / "exclude.yml").write_text("csa_t2:\n- sub-10_T2w.nii.gz  # motion\n- sub-amu02\n")
    result = prepare_spine_generic(source, out)
    assert result.scans == {"done": 3, "excluded": 3, "failed": 0}
    rows = rows_of(out)
    assert rows["sub-10_T2w"]["reason"] == "the list of exclusions names sub-10_T2w (csa_t2)"
    assert {stem for stem, row in rows.items() if row["state"] == "done"} == {
        "sub-10_T1w",
        "sub-amu01_T1w",
        "sub-amu01_T2w",
    }
    assert not [name for name in files_of(out) if "sub-amu02" in name or "sub-10_T2w" in name]
    assert "sub-amu02" not in (out / "test.txt").read_text()


def test_another_list_takes_the_place_of_the_data_set_s_own(source, out, tmp_path):
    (source / "exclude.yml").write_text("- sub-10\n")
    (tmp_path / "mine.yaml").write_text("- sub-amu01\n")
    prepare_spine_generic(source, out, exclude=tmp_path / "mine.yaml")
    assert {row["subject"] for row in rows_of(out).values() if row["state"] == "excluded"} == {"sub-amu01"}


def break_image_annex_text(source: Path) -> None:
    make_annex(source / "sub-10/anat/sub-10_T2w.nii.gz", link=False)


def break_image_annex_link(source: Path) -> None:
    make_annex(source / "sub-10/anat/sub-10_T2w.nii.gz", link=True)


def break_labels_annex(source: Path) -> None:
    make_annex(labels_of(source), link=False)


def break_labels_missing(source: Path) -> None:
    labels_of(source).unlink()


def break_image_missing(source: Path) -> None:
    (source / "sub-10/anat/sub-10_T2w.nii.gz").unlink()


def break_image_truncated(source: Path) -> None:
    path = source / "sub-10/anat/sub-10_T2w.nii.gz"
    path.write_bytes(path.read_bytes()[:2000])


def break_labels_elsewhere(source: Path) -> None:
    scan = label_scan()
    affine = scan.affine.copy()
    affine[2, 3] += 30
    save(labels_of(source), Scan(scan.data, affine, scan.blob_mm))


def break_labels_empty(source: Path) -> None:
    save(labels_of(source), label_scan({1: (7, 20, 60), 50: (7, 20, 65)}))


def break_labels_doubled(source: Path) -> None:
    scan = label_scan()
    scan.data[7, 25, 5] = 4
    save(labels_of(source), scan)


def break_sidecar(source: Path) -> None:
    labels_of(source).with_name(f"sub-10_T2w{NEW}.json").write_text("{")


def labels_of(source: Path) -> Path:
    return source / "derivatives/labels/sub-10/anat" / f"sub-10_T2w{NEW}.nii.gz"


@pytest.mark.parametrize(
    ("damage", "reason", "remedy"),
    [
        (break_image_annex_text, "is a git-annex pointer", "git annex get sub-10_T2w.nii.gz"),
        (break_image_annex_link, "is a git-annex pointer", "git annex get sub-10_T2w.nii.gz"),
        (break_labels_annex, "dlabel.nii.gz: is a git-annex pointer", f"git annex get sub-10_T2w{NEW}.nii.gz"),
        (break_labels_missing, "no disc labels derivatives/labels/sub-10/anat/sub-10_T2w_label-", "label the scan"),
        (break_image_missing, "no scan sub-10/anat/sub-10_T2w.nii.gz", "copy it"),
        (break_image_truncated, "the file ends after", "copy it again"),
        (break_labels_elsewhere, "C2/C3, C3/C4 outside the image (up to 18 voxels)", "the labels are of another scan"),
        (break_labels_empty, "holds only the values 1, 50, so no disc", "correct the labels"),
        (break_labels_doubled, "the value 4 marks places 41 mm apart", "correct the labels"),
        (break_sidecar, "cannot be read as JSON", "mend or remove it"),
    ],
    ids=lambda part: part.__name__.removeprefix("break_") if callable(part) else "",
)
def test_a_bad_file_is_named_with_its_remedy_and_the_others_are_done(source, out, damage, reason, remedy):
    damage(source)
    result = prepare_spine_generic(source, out)
    assert result.scans == {"done": 5, "excluded": 0, "failed": 1}
    row = rows_of(out)["sub-10_T2w"]
    assert row["state"] == "failed"
    assert reason in row["reason"]
    assert remedy in row["remedy"]
    assert str(source.parent) not in row["reason"] + row["remedy"]  # the report may be published
    assert not [name for name in files_of(out) if "sub-10_T2w" in name]
    assert len(labelled_scans(out)) == 5


def test_labels_on_another_grid_are_moved_to_the_scan_s(source, out):
    stored = label_scan().stored(ALL_ORIENTATIONS[17])
    save(labels_of(source), Scan(np.pad(stored.data, ((0, 3), (0, 0), (0, 0))), stored.affine, stored.blob_mm))
    prepare_spine_generic(source, out)
    moved = out / labels_of(source).relative_to(source)
    reference = out / "derivatives/labels/sub-10/anat" / f"sub-10_T1w{NEW}.nii.gz"
    np.testing.assert_array_equal(nib.load(moved).get_fdata(), nib.load(reference).get_fdata())


def test_two_runs_write_the_same_bytes(source, tmp_path):
    prepare_spine_generic(source, tmp_path / "a")
    prepare_spine_generic(source, tmp_path / "b")
    assert files_of(tmp_path / "a") == files_of(tmp_path / "b")


def test_when_nothing_can_be_prepared_the_report_says_why_and_the_next_run_needs_no_option(tmp_path, out):
    root = tmp_path / "data"
    image, _ = add_scan(root, "sub-01_T2w")
    content = image.read_bytes()
    make_annex(image, link=True)
    with pytest.raises(InputError, match=r"none of its 1 scans .*report\.csv says why.* git annex get sub-01_T2w"):
        prepare_spine_generic(root, out)
    assert rows_of(out)["sub-01_T2w"]["state"] == "failed"
    assert not (out / "train.txt").exists()
    image.unlink()
    image.write_bytes(content)
    assert prepare_spine_generic(root, out).scans["done"] == 1


def test_a_prepared_set_is_replaced_on_request_alone_and_keeps_nothing_of_the_earlier_run(source, out):
    prepare_spine_generic(source, out)
    with pytest.raises(UsageError, match="holds a prepared data set; replace it with --overwrite"):
        prepare_spine_generic(source, out)
    (out / "notes.md").write_text("mine")
    (source / "exclude.yml").write_text("- sub-amu01\n- sub-10_T2w\n")
    prepare_spine_generic(source, out, overwrite=True)
    assert [scan.image.name for scan in labelled_scans(out)] == [
        "sub-10_T1w.nii.gz",
        "sub-amu02_T1w.nii.gz",
        "sub-amu02_T2w.nii.gz",
    ]
    left = files_of(out)
    assert not [name for name in left if "sub-amu01" in name or "sub-10_T2w" in name]
    assert not (out / "sub-amu01").exists()
    assert left["notes.md"] == b"mine"


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_with_anything_else_in_it_is_never_touched(source, out, overwrite):
    out.mkdir()
    (out / "thesis.tex").write_text("mine")
    with pytest.raises(UsageError, match="did not write; name an empty or a new folder"):
        prepare_spine_generic(source, out, overwrite=overwrite)
    assert files_of(out) == {"thesis.tex": b"mine"}


def test_a_prepared_set_is_a_source_too_and_never_its_own_target(source, out, tmp_path):
    prepare_spine_generic(source, out)
    before = files_of(out)
    with pytest.raises(UsageError, match="is the data set itself"):
        prepare_spine_generic(out, out, overwrite=True)
    assert files_of(out) == before
    prepare_spine_generic(out, tmp_path / "again")
    again = files_of(tmp_path / "again")
    assert {name: again[name] for name in before if name.endswith((".gz", ".npz", ".txt"))} == {
        name: content for name, content in before.items() if name.endswith((".gz", ".npz", ".txt"))
    }


def test_a_full_disk_stops_the_run(source, out, monkeypatch):
    from lookonce.preparation import spine_generic

    def full(_contents):
        raise OutputError("x: cannot be written (No space left on device); free some space")

    monkeypatch.setattr(spine_generic, "write_files", full)
    with pytest.raises(OutputError, match="No space left"):
        prepare_spine_generic(source, out)
    assert not list(out.rglob("*.nii.gz"))


def test_a_damaged_list_of_exclusions_stops_before_anything_is_written(source, out):
    (source / "exclude.yml").write_text("a: [")
    with pytest.raises(InputError, match=r"exclude\.yml: is no YAML"):
        prepare_spine_generic(source, out)
    assert not out.exists()


def test_the_source_is_only_read(source, out):
    before = files_of(source)
    prepare_spine_generic(source, out)
    assert files_of(source) == before
