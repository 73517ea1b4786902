"""The command `lookonce` as a whole: help, version, exit codes, missing extras."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import lookonce
from lookonce.cli import app as app_module
from lookonce.cli.app import app, main
from lookonce.errors import InputError, LookOnceError, NothingFoundError, OutputError, UsageError, WeightsError

COMMANDS = sorted(command.callback.__name__.replace("_", "-") for command in app.registered_commands)
#: What `lookonce --help` must do without, so that it answers at once.
HEAVY = ("jinja2", "nibabel", "numpy", "onnxruntime", "PIL", "scipy", "torch")


@pytest.fixture
def run(monkeypatch, capsys):
    """Run the entry point in this process; returns exit code, stdout and stderr."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["lookonce", *arguments])
        monkeypatch.setenv("COLUMNS", "200")
        with pytest.raises(SystemExit) as left:
            main()
        return int(left.value.code or 0), *capsys.readouterr()

    return run


def process(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a new process that finds the sources under test."""
    source = str(Path(lookonce.__file__).parents[1])
    environment = os.environ | {"PYTHONPATH": source, "COLUMNS": "200"}
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False, env=environment, timeout=120
    )


def test_the_version_is_printed(run):
    assert run("--version") == (0, f"lookonce {lookonce.__version__}\n", "")


def test_help_lists_every_command(run):
    code, stdout, _ = run("--help")
    assert code == 0
    assert {"label", "evaluate", "synth", "train", "recipes", "export", "models", "demo"} <= set(COMMANDS)
    assert "import-weights" in COMMANDS
    for command in COMMANDS:
        assert f" {command} " in stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_every_command_shows_an_example(command, run):
    code, stdout, _ = run(command, "--help")
    assert code == 0
    assert f"Example: lookonce {command}" in stdout


def test_an_unknown_command_is_bad_usage_and_the_nearest_one_is_named(run):
    code, stdout, stderr = run("labl")
    assert code == 2
    assert stdout == ""
    assert "No such command 'labl'" in stderr
    assert "'label'" in stderr


def test_an_unknown_option_is_bad_usage(run):
    assert run("label", "--first-levle", "3", "scan.nii.gz")[0] == 2


def test_a_call_without_a_command_shows_the_help():
    done = process("-m", "lookonce")
    assert done.returncode == 2
    assert "label" in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError, 2),
        (InputError, 3),
        (NothingFoundError, 4),
        (WeightsError, 5),
        (OutputError, 1),
        (LookOnceError, 1),
    ],
)
def test_an_error_is_one_line_and_its_exit_code(error, code, run, monkeypatch):
    def fail(**_):
        raise error("scan.nii.gz: why; what to do")

    monkeypatch.setattr(app_module, "app", fail)
    assert run() == (code, "", "lookonce: scan.nii.gz: why; what to do\n")


@pytest.mark.parametrize(
    ("module", "extra"), [("torch", "train"), ("lightning.pytorch", "train"), ("imageio", "report")]
)
def test_a_missing_extra_says_what_to_install(module, extra, run, monkeypatch):
    def fail(**_):
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)

    monkeypatch.setattr(app_module, "app", fail)
    code, stdout, stderr = run()
    assert (code, stdout) == (1, "")
    assert stderr == f"lookonce: this command needs {module}: pip install 'lookonce[{extra}]'\n"


def test_a_missing_module_that_no_extra_brings_is_not_hidden(monkeypatch):
    def fail(**_):
        raise ModuleNotFoundError("No module named 'numpy'", name="numpy")

    monkeypatch.setattr(app_module, "app", fail)
    monkeypatch.setattr(sys, "argv", ["lookonce"])
    with pytest.raises(ModuleNotFoundError):
        main()


def test_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom lookonce.cli.app import main\nsys.argv = ['lookonce', '--help']\n"
        f"try: main()\nexcept SystemExit: print('heavy:', *(name for name in {HEAVY!r} if name in sys.modules))"
    )
    done = process("-c", code)
    assert done.stdout.splitlines()[-1] == "heavy:", done.stdout + done.stderr


def test_the_package_runs_as_a_module():
    done = process("-m", "lookonce", "--version")
    assert (done.returncode, done.stdout) == (0, f"lookonce {lookonce.__version__}\n")
