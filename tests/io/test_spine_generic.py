"""What a data set holds: scans with and without labels, labels without scans, placeholders."""

from __future__ import annotations

import pytest
from tests.spine_generic_tree import OLD, add_scan, make_annex

from lookonce.errors import InputError
from lookonce.io.spine_generic import SourceScan, source_scans


def test_scans_are_found_with_labels_of_either_naming_and_without(tmp_path):
    new = add_scan(tmp_path, "sub-02_T2w")
    add_scan(tmp_path, "sub-02_T2w", naming=OLD)  # the same scan's labels under the older name
    old = add_scan(tmp_path, "sub-01_ses-b_acq-sag_T1w", naming=OLD)
    bare = add_scan(tmp_path, "sub-01_T1w", naming=None)
    scans = source_scans(tmp_path)
    assert [(scan.stem, scan.image, scan.labels) for scan in scans] == [
        ("sub-01_T1w", *bare),
        ("sub-01_ses-b_acq-sag_T1w", *old),
        ("sub-02_T2w", *new),
    ]
    assert [(scan.subject, scan.session, scan.contrast) for scan in scans] == [
        ("sub-01", "", "T1w"),
        ("sub-01", "ses-b", "T1w"),
        ("sub-02", "", "T2w"),
    ]


def test_other_images_and_other_labels_are_no_scans(tmp_path):
    scan = add_scan(tmp_path, "sub-01_T2w")
    for stem in ("sub-01_T2star", "sub-01_acq-T1w_MTS"):
        add_scan(tmp_path, stem)
    add_scan(tmp_path, "sub-01_T2w", naming="_label-spine_dseg")
    _, resampled = add_scan(tmp_path, "sub-01_space-other_T2w")
    (tmp_path / "sub-01" / "anat" / "sub-01_space-other_T2w.nii.gz").unlink()
    assert resampled.exists()
    assert [(found.image, found.labels) for found in source_scans(tmp_path)] == [scan]


@pytest.mark.parametrize("link", [True, False])
def test_placeholders_of_git_annex_are_listed(tmp_path, link):
    image, labels = add_scan(tmp_path, "sub-01_T2w")
    for path in (image, labels):
        make_annex(path, link=link)
    assert [(scan.image, scan.labels) for scan in source_scans(tmp_path)] == [(image, labels)]


def test_labels_whose_scan_is_missing_are_listed(tmp_path):
    add_scan(tmp_path, "sub-01_T2w")
    image, labels = add_scan(tmp_path, "sub-02_T2w")
    image.unlink()
    lonely = source_scans(tmp_path)[1]
    assert lonely == SourceScan(image.parent.relative_to(tmp_path), "sub-02_T2w", None, labels)


def test_a_folder_without_scans_says_what_was_expected(tmp_path):
    with pytest.raises(InputError, match=r"holds no scan; expected sub-\*/anat/sub-\*_T1w\.nii\.gz or"):
        source_scans(tmp_path)
    with pytest.raises(InputError, match=r"nowhere: no such folder; give the one that holds sub-\*"):
        source_scans(tmp_path / "nowhere")
