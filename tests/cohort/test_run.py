"""Runs of a study: what they leave, what they do again, and that being killed makes no difference."""

from __future__ import annotations

import csv
import errno
import hashlib
import json
import os
import re
import sys
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from tests.cohort.studies import alone, backwards, in_order, results

from lookonce.cohort.engines import WorkerLostError
from lookonce.cohort.run import label_study, summarise_study
from lookonce.errors import OutputError
from lookonce.io.bids import read_labels
from lookonce.report.locking import folder_lock

STEMS = ("sub-01_T1w", "sub-01_T2w", "sub-02_T2w", "sub-03_T2w")


def table(path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file, delimiter="\t"))


def summarise(told) -> None:
    summarise_study(told.job, told.study(), whole=told.study())


@pytest.fixture
def study(told):
    told.add(*STEMS)
    return told


def test_every_scan_has_its_files_and_says_what_it_was_made_of(study):
    assert set(study.run().values()) == {"done"}
    folder = study.out / "sub-02" / "anat"
    assert {path.name.removeprefix("sub-02_T2w_") for path in folder.iterdir()} == {
        *("label-discs_dlabel.nii.gz", "label-discs_dlabel.json", "discs.csv", "discs.json"),
    }
    sidecar = json.loads((folder / "sub-02_T2w_label-discs_dlabel.json").read_text())
    assert sidecar["Sources"] == ["bids:raw:sub-02/anat/sub-02_T2w.nii.gz"]
    assert sidecar["InputSHA256"] == hashlib.sha256(study.image("sub-02_T2w").read_bytes()).hexdigest()
    assert sidecar["Model"]["SHA256"] == study.job.sha256
    assert sidecar["GeneratedBy"][0]["Version"]
    assert sidecar["GeneratedBy"][0]["Command"].startswith("lookonce cohort ")
    description = json.loads((study.out / "dataset_description.json").read_text())
    assert description["DatasetType"] == "derivative"
    assert description["GeneratedBy"][0]["Name"] == "LookOnce"


def test_the_table_has_a_row_for_every_disc_and_the_page_a_card_for_every_scan(study):
    study.labeller.fails = {"sub-03_T2w"}
    study.run()
    summarise(study)
    rows = table(study.out / "group_discs.tsv")
    assert len(rows) == 3 * 6
    assert rows[0] == {
        **{"scan": "sub-01_T1w", "subject": "sub-01", "session": "n/a", "contrast": "T1w", "level": "3"},
        **{"name": "C2/C3", "x": rows[0]["x"], "y": rows[0]["y"], "z": rows[0]["z"], "confidence": "0.9000"},
        **{"shift_probability": "0.010000", "flags": "n/a"},
    }
    assert set(json.loads((study.out / "group_discs.json").read_text())) == set(rows[0])
    page = (study.out / "qc" / "index.html").read_text()
    assert all(stem in page for stem in STEMS)


def test_nothing_is_done_twice(study):
    study.run()
    times = {path: path.stat().st_mtime_ns for path in study.out.rglob("*_discs.json")}
    assert set(study.run().values()) == {"done"}
    assert sorted(study.labeller.calls) == sorted(STEMS)
    assert {path: path.stat().st_mtime_ns for path in study.out.rglob("*_discs.json")} == times


def test_what_has_changed_is_done_again_and_nothing_else(study):
    study.run()
    study.labeller.calls.clear()
    os.utime(study.image("sub-03_T2w"))  # touched only
    study.run()
    assert study.labeller.calls == []
    content = study.image("sub-01_T2w").read_bytes()
    study.image("sub-02_T2w").write_bytes(content)
    study.run()
    assert study.labeller.calls == ["sub-02_T2w"]
    (study.out / "sub-03/anat/sub-03_T2w_discs.csv").unlink()
    study.run()
    assert study.labeller.calls == ["sub-02_T2w", "sub-03_T2w"]


def test_another_model_labels_everything_again(study, monkeypatch):
    study.run()
    study.labeller.calls.clear()
    other = replace(study.job, sha256="1" * 64)
    monkeypatch.setattr(
        "lookonce.cohort.sessions._session", lambda *_: type("Model", (), {"identity": {"sha256": "1" * 64}})
    )
    study.run(job=other)
    assert sorted(study.labeller.calls) == sorted(STEMS)


def test_a_new_scan_of_a_session_is_labelled_without_the_others(study):
    study.run()
    study.labeller.calls.clear()
    study.add("sub-02_T1w")
    study.run()
    assert study.labeller.calls == ["sub-02_T1w"]
    study.run()
    assert study.labeller.calls == ["sub-02_T1w"]


def test_failures_are_named_and_stop_no_other(study):
    study.image("sub-02_T2w").write_bytes(b"")
    study.labeller.fails = {"sub-01_T1w"}
    states = study.run()
    assert states == {**dict.fromkeys(STEMS, "done"), "sub-02_T2w": "failed", "sub-01_T1w": "failed"}
    rows = {row["scan"]: row for row in table(study.out / "manifest.tsv")}
    assert rows["sub-02_T2w"]["message"] == "sub-02/anat/sub-02_T2w.nii.gz: is empty (0 bytes); copy it again"
    assert rows["sub-02_T2w"]["kind"] == "unreadable"
    assert rows["sub-01_T1w"]["kind"] == "nothing-found"
    assert len(rows) == len(STEMS)


def test_failures_are_tried_again_only_when_asked_or_mended(study):
    study.labeller.fails = {"sub-02_T2w", "sub-01_T1w"}
    study.run()
    study.labeller.calls.clear()
    study.run()
    assert study.labeller.calls == []
    study.labeller.fails = set()
    study.run(job=replace(study.job, retry_failed=True))
    assert study.labeller.calls == ["sub-01_T1w", "sub-02_T2w"]
    assert set(study.run().values()) == {"done"}
    assert len(study.labeller.calls) == 2


def test_a_mended_scan_is_labelled_without_being_asked(study):
    whole = study.image("sub-02_T2w").read_bytes()
    study.image("sub-02_T2w").write_bytes(whole[:100])
    assert study.run()["sub-02_T2w"] == "failed"
    study.image("sub-02_T2w").write_bytes(whole)
    assert study.run()["sub-02_T2w"] == "done"


def test_labels_of_a_file_that_has_broken_since_are_removed(study):
    study.run()
    study.image("sub-02_T2w").write_bytes(b"")
    study.run()
    assert list((study.out / "sub-02" / "anat").iterdir()) == []


def test_an_unexpected_error_is_a_failure_of_that_scan(study, monkeypatch):
    def label(image, **_):
        raise ZeroDivisionError("oh")

    monkeypatch.setattr("lookonce.cohort.sessions.label", label)
    assert set(study.run().values()) == {"failed"}
    assert "lookonce label" in table(study.out / "manifest.tsv")[0]["message"]


def test_a_scan_whose_worker_dies_is_a_failure_of_that_scan(study):
    def engine(work, tasks):
        for task in tasks:
            yield task, WorkerLostError("died") if task.name == "sub-02" else work(task)

    assert study.run(engine)["sub-02_T2w"] == "failed"
    study.labeller.calls.clear()
    assert study.run()["sub-02_T2w"] == "failed"
    assert study.run(job=replace(study.job, retry_failed=True))["sub-02_T2w"] == "done"
    assert study.labeller.calls == ["sub-02_T2w"]


def test_the_scan_over_which_workers_die_costs_its_session_nothing_else(study):
    deaths = []

    def engine(work, tasks):
        for task in tasks:
            if "sub-01_T1w" in [scan.stem for scan in task.scans] and not _is_known(study, "sub-01_T1w"):
                deaths.append(task)
                yield task, WorkerLostError("died")
            else:
                yield task, work(task)

    states = {**dict.fromkeys(STEMS, "done"), "sub-01_T1w": "failed"}
    assert study.run(engine) == states
    assert study.run(engine) == states
    assert study.labeller.calls.count("sub-01_T2w") == 1
    assert len(deaths) == 2
    row = next(row for row in table(study.out / "manifest.tsv") if row["state"] == "failed")
    assert (row["scan"], row["kind"], row["message"]) == (
        "sub-01_T1w",
        "worker-lost",
        "sub-01/anat/sub-01_T1w.nii.gz: died",
    )


def _is_known(study, stem: str) -> bool:
    return bool(list((study.out / ".lookonce").rglob(f"{stem}.json")))


def test_a_remedy_that_only_single_scans_have_is_told_as_a_study_has_it(study):
    scan = nib.load(study.image("sub-02_T2w"))
    nib.save(nib.Nifti1Image(np.stack([scan.get_fdata()] * 3, axis=-1), scan.affine), study.image("sub-02_T2w"))
    study.labeller.warns = {"sub-03_T2w": ["the numbering is uncertain (60 %); check it, or give --first-level"]}
    assert study.run()["sub-02_T2w"] == "failed"
    (failed,) = (row for row in table(study.out / "manifest.tsv") if row["state"] == "failed")
    assert "3 volumes" in failed["message"]
    assert "(0 to 2) into a file of its own, or leave this one out with --exclude" in failed["message"]
    warnings = json.loads((study.out / "sub-03/anat/sub-03_T2w_discs.json").read_text())["warnings"]
    assert any("GeneratedBy: Manual" in warning for warning in warnings)
    summarise(study)
    for path in (path for path in study.out.rglob("*") if path.suffix in (".json", ".tsv", ".html")):
        assert not re.search("--(volume|first-level|localizer)", path.read_text()), path


def test_markups_come_with_the_results_and_go_when_those_change_without_them(study):
    study.run(job=replace(study.job, markups=True))
    (markups,) = study.out.rglob("sub-02_T2w_discs.mrk.json")
    assert len(read_labels(markups)) == 6
    study.run()
    assert markups.exists()
    assert len(study.labeller.calls) == len(STEMS)
    study.image("sub-02_T2w").write_bytes(study.image("sub-01_T2w").read_bytes())
    study.run()
    assert not markups.exists()
    study.run(job=replace(study.job, markups=True))
    assert markups.exists()


def test_the_manifest_tells_of_every_scan_where_the_table_tells_of_some(study):
    study.run()
    summarise_study(study.job, study.study().part(["03"]), whole=study.study())
    assert {row["scan"] for row in table(study.out / "group_discs.tsv")} == {"sub-03_T2w"}
    assert [row["scan"] for row in table(study.out / "manifest.tsv")] == sorted(STEMS)


def test_what_another_call_may_take_for_a_leftover_is_written_under_its_lock(study, monkeypatch):
    move, free = os.replace, []

    def replacing(part, path):
        if path.parent == study.out and path.suffix in (".tsv", ".json", ".md"):
            try:
                with folder_lock(study.out / ".lookonce", patience=0):
                    free.append(path.name)
            except OutputError:
                pass
        return move(part, path)

    monkeypatch.setattr("os.replace", replacing)
    study.run()
    summarise(study)
    assert free == []


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="file names are text there")
def test_names_that_are_no_text_stop_nothing(study):
    for suffix in (b"T1w", b"T2w"):
        path = os.fsencode(study.root) + b"/sub-m\xfcller/anat/sub-m\xfcller_" + suffix + b".nii.gz"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        Path(os.fsdecode(path)).write_bytes(b"" if suffix == b"T1w" else study.image("sub-02_T2w").read_bytes())
    states = study.run()
    assert [state for stem, state in states.items() if "ller" in stem] == ["failed", "done"]
    summarise(study)
    calls = list(study.labeller.calls)
    assert study.run() == states
    assert study.labeller.calls == calls


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_a_pipe_called_like_a_scan_is_a_failure_and_blocks_nothing(study):
    study.image("sub-02_T2w").unlink()
    os.mkfifo(study.root / "sub-02/anat/sub-02_T2w.nii.gz")
    assert study.run()["sub-02_T2w"] == "failed"
    assert "is a pipe or a device" in (study.out / "manifest.tsv").read_text()


def test_neither_order_nor_restarts_change_a_byte(study, tmp_path):
    study.run()
    summarise(study)
    once = results(study.out)
    job = replace(study.job, out_dir=tmp_path / "other")
    part = study.study().part(["03"])
    label_study(job, part, in_order, whole=study.study())
    study.run(backwards, job)
    summarise_study(job, study.study(), whole=study.study())
    assert results(job.out_dir) == once


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_at_any_write_it_goes_on_and_leaves_the_same(study, tmp_path):
    study.labeller.says = {"sub-01_T2w": alone(range(3, 9), off=1)}
    study.run()
    summarise(study)
    once = results(study.out)
    job = replace(study.job, out_dir=tmp_path / "killed")
    kills = 0
    while not _ends(
        lambda: (study.run(job=job), summarise_study(job, study.study(), whole=study.study())), writes=3 + 7 * kills
    ):
        kills += 1
        for path in job.out_dir.rglob("*.json"):
            json.loads(path.read_text())  # whole, or not there
        for path in job.out_dir.rglob("*.nii.gz"):
            nib.load(path).get_fdata()
    assert kills >= 2
    assert results(job.out_dir) == once
    assert not list(job.out_dir.rglob("*.part"))


def _ends(work, writes: int) -> bool:
    """Work in a process that dies, cleaning up nothing, at its n-th write to the disk; whether it came to an end."""
    child = os.fork()
    if child == 0:
        left, sync = writes, os.fsync

        def dying(descriptor):
            nonlocal left
            left -= 1
            if left <= 0:
                os._exit(9)
            sync(descriptor)

        os.fsync = dying
        try:
            work()
        except BaseException:
            os._exit(1)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, 9)
    return code == 0


def test_a_full_disk_fails_what_it_must_and_the_next_run_goes_on(study, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    study.run(in_order, replace(study.job), exclusions=_all_but("sub-01"))
    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(OutputError, match="free some space"):
            study.run()
    assert not list(study.out.rglob("*.part"))
    assert set(study.run().values()) == {"done"}
    assert sorted(study.labeller.calls).count("sub-01_T2w") == 1


@pytest.mark.parametrize("write", [1, 3, 5, 6, 8])
def test_a_disk_that_is_full_for_a_while_leaves_no_half_file_and_costs_one_scan_until_the_next_run(
    study, monkeypatch, write
):
    sync, left = os.fsync, [10**6]

    def full(descriptor):
        left[0] -= 1
        if left[0] <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(descriptor)

    def engine(work, tasks):
        for task in tasks:
            left[0] = write if task.name == "sub-02" else 10**6
            yield task, work(task)

    monkeypatch.setattr("os.fsync", full)
    assert study.run(engine) == {**dict.fromkeys(STEMS, "done"), "sub-02_T2w": "failed"}
    assert not list(study.out.rglob("*.part"))
    assert all(_is_whole(path) for path in study.out.rglob("*"))
    row = next(row for row in table(study.out / "manifest.tsv") if row["state"] == "failed")
    assert row["kind"] == "unwritable"
    assert "No space left on device" in row["message"]
    assert study.run() == dict.fromkeys(STEMS, "done")
    assert study.labeller.calls == [*sorted(STEMS), "sub-02_T2w"]
    other = replace(study.job, out_dir=study.out.with_name("other"))
    study.run(job=other)
    assert results(other.out_dir) == results(study.out)


def _is_whole(path) -> bool:
    if path.suffix == ".json":
        return bool(json.loads(path.read_text()))
    return path.suffix != ".gz" or nib.load(path).get_fdata().size > 0


def test_a_folder_that_cannot_be_written_fails_its_scans_and_no_other(study):
    blocked = study.out / ".lookonce" / "sub-02"
    blocked.parent.mkdir(parents=True)
    blocked.write_text("no folder")
    assert study.run() == {**dict.fromkeys(STEMS, "done"), "sub-02_T2w": "failed"}
    assert {row["scan"]: row["kind"] for row in table(study.out / "manifest.tsv")}["sub-02_T2w"] == "unwritable"
    blocked.unlink()
    assert study.run()["sub-02_T2w"] == "done"


def _all_but(subject):
    from lookonce.io.exclusions import Exclusions

    return Exclusions(tuple((stem.split("_")[0], "") for stem in STEMS if not stem.startswith(subject)))


def _place_by_hand(study, stem: str, levels) -> bytes:
    labels = study.out / stem.split("_")[0] / "anat" / f"{stem}_label-discs_dlabel.nii.gz"
    labels.parent.mkdir(parents=True, exist_ok=True)
    data = np.zeros((5, 5, 220), dtype=np.uint8)
    affine = np.diag([10.0, 10, 3, 1])
    affine[:3, 3] = (-20, -20, -620)
    for disc in alone(levels).labels:
        voxel = np.rint(np.linalg.solve(affine, [*disc.world_mm, 1])[:3]).astype(int)
        data[tuple(voxel)] = disc.level
    nib.save(nib.Nifti1Image(data, affine), labels)
    labels.with_name(f"{stem}_label-discs_dlabel.json").write_text('{"GeneratedBy": [{"Name": "Manual"}]}')
    return labels.read_bytes()


def test_labels_placed_by_hand_are_kept_and_enter_the_table(study):
    study.run()
    placed = _place_by_hand(study, "sub-02_T2w", range(5, 9))
    study.labeller.calls.clear()
    assert study.run()["sub-02_T2w"] == "manual"
    summarise(study)
    assert study.labeller.calls == []
    assert (study.out / "sub-02/anat/sub-02_T2w_label-discs_dlabel.nii.gz").read_bytes() == placed
    rows = [row for row in table(study.out / "group_discs.tsv") if row["scan"] == "sub-02_T2w"]
    assert [row["level"] for row in rows] == ["5", "6", "7", "8"]
    assert {(row["flags"], row["confidence"]) for row in rows} == {("manual", "n/a")}
    before = results(study.out)
    study.run()
    summarise(study)
    assert results(study.out) == before


def test_a_damaged_sidecar_of_hand_placed_labels_never_costs_them(study):
    _place_by_hand(study, "sub-02_T2w", range(5, 9))
    labels = study.out / "sub-02/anat/sub-02_T2w_label-discs_dlabel.nii.gz"
    labels.with_name("sub-02_T2w_label-discs_dlabel.json").write_text("{")
    assert study.run()["sub-02_T2w"] == "failed"
    assert labels.exists()


def test_contrasts_that_disagree_are_flagged_in_results_manifest_and_table(study):
    study.labeller.says = {"sub-01_T2w": alone(range(3, 9), off=1)}
    study.run()
    summarise(study)
    for stem in ("sub-01_T1w", "sub-01_T2w"):
        result = json.loads((study.out / f"sub-01/anat/{stem}_discs.json").read_text())
        assert result["uncertain"]
        assert "disagrees with" in result["warnings"][0]
    flags = {row["scan"]: row["flags"] for row in table(study.out / "manifest.tsv")}
    assert flags["sub-01_T1w"] == flags["sub-01_T2w"] == "uncertain;disagrees"
    assert flags["sub-02_T2w"] == "n/a"
    assert {row["flags"] for row in table(study.out / "group_discs.tsv")} == {"n/a", "uncertain;disagrees"}


def test_a_correction_by_hand_flags_the_scan_that_is_off(study):
    study.labeller.says = {"sub-01_T2w": alone(range(3, 9), off=1)}
    study.run()
    _place_by_hand(study, "sub-01_T1w", range(3, 9))
    study.run()
    flags = {row["scan"]: row["flags"] for row in table(study.out / "manifest.tsv")}
    assert flags["sub-01_T1w"] == "manual;disagrees"
    _place_by_hand(study, "sub-01_T1w", range(20, 24))
    study.run()
    flags = {row["scan"]: row["flags"] for row in table(study.out / "manifest.tsv")}
    assert flags == {"sub-01_T1w": "manual", **dict.fromkeys(STEMS[1:], "n/a")}
    assert study.labeller.calls.count("sub-01_T2w") == 2  # once more to take its doubt back


def test_stations_of_one_spine_are_numbered_together(told):
    told.add("sub-01_acq-1_T2w", "sub-01_acq-2_T2w")
    told.labeller.says = {
        "sub-01_acq-1_T2w": alone(range(3, 10)),
        "sub-01_acq-2_T2w": alone(range(8, 16), off=1, sure=0.6),
    }
    told.run()
    result = json.loads((told.out / "sub-01/anat/sub-01_acq-2_T2w_discs.json").read_text())
    assert [disc["level"] for disc in result["discs"]] == list(range(8, 16))
    assert result["counted_from"] == "sub-01_acq-1_T2w of the same session"
    assert not result["uncertain"]
    assert {row["scan"]: row["flags"] for row in table(told.out / "manifest.tsv")}["sub-01_acq-2_T2w"] == "station"
    told.run()
    assert len(told.labeller.calls) == 3
