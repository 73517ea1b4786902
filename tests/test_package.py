import importlib.metadata
import subprocess
import sys

import pytest

import lookonce

# nibabel loads the bare `scipy`, which is cheap; what costs time and memory are its subpackages.
HEAVY = (
    "lightning",
    "matplotlib",
    "onnxscript",
    "scipy.interpolate",
    "scipy.linalg",
    "scipy.ndimage",
    "scipy.optimize",
    "scipy.signal",
    "scipy.spatial",
    "scipy.special",
    "scipy.stats",
    "torch",
)


def heavy_modules_after(statement: str) -> str:
    code = f"{statement}; print(*(name for name in {HEAVY!r} if name in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:] = {[entry for entry in sys.path if entry]!r}; {code}"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("module", ["lookonce", "lookonce.labeling", "lookonce.segmentation.output"])
def test_importing_what_labels_or_segments_leaves_heavy_libraries_alone(module):
    assert heavy_modules_after(f"import {module}") == ""


def test_the_package_loads_its_pipeline_on_first_use_only():
    assert heavy_modules_after("import lookonce; assert 'lookonce.labeling' not in sys.modules") == ""


def test_the_lazy_names_are_the_pipeline_s_own():
    from lookonce import labeling, segmentation

    assert lookonce.label is labeling.label
    assert lookonce.segment is segmentation.segment
    assert set(lookonce.__all__) <= set(dir(lookonce))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'labels'"):
        _ = lookonce.labels


def test_the_version_is_the_one_that_pip_knows():
    try:
        installed = importlib.metadata.version("lookonce")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("lookonce is on the path but not installed: no metadata to compare")
    assert lookonce.__version__ == installed
