"""The container recipes: what they copy is there, builds a wheel alone, and what they install and start exists."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCKERFILE, APPTAINER = ROOT / "containers/Dockerfile", ROOT / "containers/lookonce.def"

pytestmark = pytest.mark.skipif(not DOCKERFILE.exists(), reason="no containers/: this is not a checkout")


def section(text: str, name: str) -> list[str]:
    """The lines of one section of an Apptainer definition, without indent."""
    body = re.search(rf"^%{name}\n(.*?)(?=^%|\Z)", text, re.MULTILINE | re.DOTALL)
    assert body, name
    return [line.strip() for line in body.group(1).splitlines() if line.strip()]


def copied() -> dict[str, dict[str, str]]:
    """Source to place in the image, by recipe."""
    docker = {}
    for line in re.findall(r"^COPY (.+)$", DOCKERFILE.read_text(), re.MULTILINE):
        *sources, target = line.split()
        docker |= {source: f"{target}{source}" if target.endswith("/") else target for source in sources}
    return {"docker": docker, "apptainer": dict(line.split() for line in section(APPTAINER.read_text(), "files"))}


def installs() -> dict[str, str]:
    """The line that installs, by recipe."""
    found = {"docker": re.search(r"pip install [^&\n]+", DOCKERFILE.read_text())}
    found["apptainer"] = re.search(r"pip install [^&\n]+", "\n".join(section(APPTAINER.read_text(), "post")))
    return {recipe: match.group(0).strip() for recipe, match in found.items() if match}


def test_both_recipes_make_the_same_image():
    assert copied()["docker"] == copied()["apptainer"]
    assert installs()["docker"] == installs()["apptainer"]
    bases = re.findall(r"^(?:FROM|From:) (\S+)$", DOCKERFILE.read_text() + APPTAINER.read_text(), re.MULTILINE)
    assert len(bases) == 2
    assert len(set(bases)) == 1


def test_the_base_is_a_python_that_the_project_runs_on():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    version = re.search(r"^FROM python:3\.(\d+)-slim", DOCKERFILE.read_text(), re.MULTILINE)
    oldest = re.fullmatch(r">=3\.(\d+)", project["requires-python"])
    assert int(version.group(1)) >= int(oldest.group(1))


def test_what_is_installed_and_started_exists():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = re.search(r'"/source\[([\w,]+)\]"', installs()["docker"]).group(1).split(",")
    assert set(extras) <= set(project["optional-dependencies"])
    assert not any("torch" in need for extra in extras for need in project["optional-dependencies"][extra])
    started = re.search(r'ENTRYPOINT \["(\w+)"\]', DOCKERFILE.read_text()).group(1)
    assert started in project["scripts"]
    assert section(APPTAINER.read_text(), "runscript") == [f'exec {started} "$@"']


def test_the_copied_files_alone_build_the_package_with_its_weights(tmp_path):
    for source, target in copied()["docker"].items():
        place = tmp_path / target.removeprefix("/source/")
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, place, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / source, place)
    target = tmp_path / "installed"
    call = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--target", target]
    subprocess.run([*call, tmp_path], check=True)
    assert (target / "lookonce/weights/discs.onnx").stat().st_size > 1e6
