"""Lists of scans to leave out, in the forms that Spine Generic and its relatives have."""

from __future__ import annotations

import pytest

from lookonce.errors import InputError
from lookonce.io.exclusions import Exclusions, read_exclusions

LIKE_SPINE_GENERIC = """
csa_t1:
- sub-balgrist01  # Motion artifact
- sub-oxfordFmrib04_T1w.nii.gz  # T1w scan is not aligned with other contrasts
csa_t2:
- beijingVerio  # Site did not respect parameters (TR=2, FA=180)
- sub-balgrist01  # Motion artifact
labels:
  checked:
    - sub-pavia04/anat/sub-pavia04_T2w_label-discs_dlabel.nii.gz
    - sub-geneva02: bad position, as sub-geneva03
    - {subject: sub-mgh01, reason: motion}
  note: all others of stanford are fine
"""


@pytest.fixture
def read(tmp_path):
    def read(text: str) -> Exclusions:
        path = tmp_path / "exclude.yml"
        path.write_text(text)
        return read_exclusions(path)

    return read


@pytest.mark.parametrize(
    ("stem", "reason"),
    [
        ("sub-balgrist01_T2w", "sub-balgrist01 (csa_t1), sub-balgrist01 (csa_t2)"),
        ("sub-balgrist011_T2w", None),
        ("sub-oxfordFmrib04_T1w", "sub-oxfordFmrib04_T1w (csa_t1)"),
        ("sub-oxfordFmrib04_T2w", None),
        ("sub-beijingVerio03_T1w", "beijingVerio (csa_t2)"),
        ("sub-beijingVerioX03_T1w", None),
        ("sub-pavia04_T2w", "sub-pavia04_T2w_label-discs_dlabel (labels/checked)"),
        ("sub-pavia04_T1w", None),
        ("sub-geneva02_T1w", "sub-geneva02 (labels/checked)"),
        ("sub-geneva03_T1w", None),
        ("sub-mgh01_T1w", "sub-mgh01 (labels/checked/subject)"),
        ("sub-stanford01_T1w", None),
    ],
)
def test_subjects_files_and_sites_are_left_out_and_nothing_else(read, stem, reason):
    assert read(LIKE_SPINE_GENERIC).reason(stem) == reason


def test_a_plain_list_without_categories_is_read(read):
    exclusions = read(
        "- sub-1005491_T2w.nii.gz  # tilted\n- sub-cal088_ses-M0 # poor\n- 1006023\n- sub-03, sub-04 moved\n"
    )
    left_out = ("sub-1005491_T2w", "sub-cal088_ses-M0_T2w", "sub-1006023_T1w", "sub-03_T1w", "sub-04_T1w")
    assert all(exclusions.reason(stem) for stem in left_out)
    kept = ("sub-1005491_T1w", "sub-cal088_ses-M1_T2w", "sub-10060231_T1w")
    assert not any(exclusions.reason(stem) for stem in kept)


@pytest.mark.parametrize("text", ["", "# nobody so far\n", "csa_t1:\n"])
def test_an_empty_list_leaves_nobody_out(read, text):
    assert read(text) == Exclusions()


@pytest.mark.parametrize(
    ("text", "problem"),
    [("a: [", "is no YAML"), ("\x00", "is no YAML"), ("/annex/objects/SHA256E-s1--0.yml\n", "holds no list")],
)
def test_a_damaged_list_is_refused_rather_than_ignored(read, text, problem):
    with pytest.raises(InputError, match=rf"exclude\.yml: {problem}.*; mend it"):
        read(text)


def test_a_list_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match=r"mine\.yml: cannot be read \(No such file"):
        read_exclusions(tmp_path / "mine.yml")
