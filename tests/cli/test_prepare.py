"""`lookonce prepare` and what it prints."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.spine_generic_tree import add_scan, make_annex

import lookonce
from lookonce.cli.app import main


@pytest.fixture
def run(monkeypatch, capsys):
    """Run `lookonce` in this process; returns exit code, stdout and stderr."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["lookonce", *map(str, arguments)])
        monkeypatch.setenv("COLUMNS", "200")
        with pytest.raises(SystemExit) as left:
            main()
        return int(left.value.code or 0), *capsys.readouterr()

    return run


@pytest.fixture
def source(tmp_path) -> Path:
    root = tmp_path / "data"
    add_scan(root, "sub-amu01_T2w")
    add_scan(root, "sub-amu02_T2w", naming=None)
    add_scan(root, "sub-amu03_T2w")
    (root / "exclude.yml").write_text("csa_t2:\n- sub-amu03  # motion\n")
    return root


def test_failures_are_named_and_do_not_count_as_a_failed_command(run, source, tmp_path):
    out = tmp_path / "out"
    code, stdout, stderr = run("prepare", "spine-generic", source, out)
    assert (code, stdout) == (0, f"{out / 'report.csv'}\n")
    lines = stderr.splitlines()
    assert lines[:3] == ["[1/3] sub-amu01_T2w", "[2/3] sub-amu02_T2w", "[3/3] sub-amu03_T2w"]
    assert lines[3].startswith("sub-amu02/anat/sub-amu02_T2w.nii.gz: failed: there are no disc labels derivatives/")
    assert lines[3].endswith("; label the scan, or list it in exclude.yml")
    assert lines[4] == "Scans: 1 done, 1 excluded, 1 failed. Subjects: 1 train, 0 validation, 0 test."
    assert lines[5:] == [f"{name}.txt names nobody: there are too few subjects." for name in ("validation", "test")]


def test_the_summary_as_json(run, source, tmp_path):
    out = tmp_path / "out"
    code, stdout, _ = run("prepare", "spine-generic", source, out, "--json")
    summary = json.loads(stdout)
    assert code == 0
    assert summary["scans"] == {"done": 1, "excluded": 1, "failed": 1}
    assert summary["subjects"] == {"train": 1, "validation": 0, "test": 0}
    assert (summary["out"], summary["report"]) == (str(out), str(out / "report.csv"))
    assert [(entry["image"], entry["state"]) for entry in summary["not_done"]] == [
        ("sub-amu02/anat/sub-amu02_T2w.nii.gz", "failed"),
        ("sub-amu03/anat/sub-amu03_T2w.nii.gz", "excluded"),
    ]


def test_nothing_prepared_is_an_error_that_points_to_the_report(run, tmp_path):
    root, out = tmp_path / "data", tmp_path / "out"
    make_annex(add_scan(root, "sub-01_T1w")[0], link=True)
    code, stdout, stderr = run("prepare", "spine-generic", root, out)
    assert (code, stdout) == (3, "")
    assert "none of its 1 scans could be prepared" in stderr.splitlines()[-1]
    assert (out / "report.csv").is_file()


def test_a_second_run_needs_overwrite(run, source, tmp_path):
    out = tmp_path / "out"
    assert run("prepare", "spine-generic", source, out)[0] == 0
    code, _, stderr = run("prepare", "spine-generic", source, out)
    assert code == 2
    assert stderr == f"lookonce: {out}: holds a prepared data set; replace it with --overwrite or name another folder\n"
    assert run("prepare", "spine-generic", source, out, "--overwrite")[0] == 0


def test_the_help_names_the_data_sets_and_shows_an_example(run):
    assert " prepare " in run("--help")[1]
    assert " spine-generic " in run("prepare", "--help")[1]
    assert "Example: lookonce prepare spine-generic" in run("prepare", "spine-generic", "--help")[1]
    assert run("prepare")[0] == 2


def test_preparing_needs_neither_torch_nor_scipy(source, tmp_path):
    script = (
        "import sys\n"
        "sys.modules.update(dict.fromkeys(('torch', 'scipy', 'lightning', 'onnxruntime')))\n"  # not installed
        "from lookonce.preparation import prepare_spine_generic\n"
        "print(prepare_spine_generic(sys.argv[1], sys.argv[2]).scans['done'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(source), str(tmp_path / "out")],
        env={"PYTHONPATH": str(Path(lookonce.__file__).parents[1]), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr
