"""`lookonce synth` and what it prints."""

from __future__ import annotations

import sys

import pytest

from lookonce.cli.app import main
from lookonce.io.bids import labelled_scans


@pytest.fixture
def run(monkeypatch, capsys):
    """Run `lookonce synth` in this process; returns exit code, stdout and stderr."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["lookonce", "synth", *map(str, arguments)])
        monkeypatch.setenv("COLUMNS", "300")
        with pytest.raises(SystemExit) as left:
            main()
        return int(left.value.code or 0), *capsys.readouterr()

    return run


def test_every_scan_s_path_is_printed(run, tmp_path):
    code, stdout, stderr = run("spine", tmp_path / "out", "-n", 1, "--contrast", "t1", "--field-of-view", "lumbar")
    assert (code, stderr) == (0, "")
    assert [str(scan.image) for scan in labelled_scans(tmp_path / "out")] == stdout.splitlines()


@pytest.mark.parametrize(
    ("arguments", "choices"),
    [
        (("knee", "out"), "'spine'"),
        (("spine", "out", "--contrast", "flair"), "'stir'"),
        (("spine", "out", "--field-of-view", "all"), "'whole'"),
        (("spine", "out", "-n", "0"), ""),
    ],
)
def test_a_wrong_choice_is_bad_usage_that_lists_the_right_ones(arguments, choices, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, stdout, stderr = run(*arguments)
    assert (code, stdout) == (2, "")
    assert choices in stderr
    assert list(tmp_path.iterdir()) == []
