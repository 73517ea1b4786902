"""How long `lookonce label` takes and how much memory it needs, as a whole process and stage by stage.

Example: python benchmarks/label_speed.py --repeats 7
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SHARED_SCAN = ROOT.parent / "shared/data/spine/cervical/sub-errsm11/anat/sub-errsm11_T2w.nii.gz"
#: Voxels and extent of the shared scan, for a simulated stand-in.
SHARED_VOXEL_MM, SHARED_WIDTH_MM = 1.0, 52.0
DEMO_VENV = ROOT / ".demo-venv"
STAGES = ("import", "load model", "read", "slabs", "network", "decode", "other", "write")


@dataclass(frozen=True)
class Usage:
    """What one process took."""

    wall_s: float
    cpu_s: float
    peak_mb: float


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        scan = options.scan or (SHARED_SCAN if SHARED_SCAN.exists() else _simulated(Path(folder)))
        if options.stages:
            print(json.dumps(_time_stages(scan, options.model, Path(folder))))
            return
        out = Path(folder) / "out"
        call = ["label", str(scan), "--model", options.model, "-o", str(out), "--overwrite"]
        label = _measure([options.python, "-m", "lookonce", *call], options.repeats)
        usage = _measure([options.python, "-m", "lookonce", "--help"], options.repeats)
        itself = [options.python, __file__, "--stages", "--scan", str(scan), "--model", options.model]
        stages = [json.loads(_run(itself)) for _ in range(options.repeats)]
    _print_tables(scan, options.repeats, label, usage, stages)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scan", type=Path, help="default: the shared sub-errsm11, else a simulated one of its size")
    parser.add_argument("--model", default="discs", help="as in `lookonce label` (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=5, help="after one to warm up (default: %(default)s)")
    parser.add_argument("--python", default=sys.executable, help="interpreter of the installation to measure")
    parser.add_argument("--stages", action="store_true", help="time the stages once, in this process, as JSON")
    return parser.parse_args()


def _simulated(folder: Path) -> Path:
    """A simulated cervical scan of about the size of the shared one."""
    import nibabel as nib
    import numpy as np

    from lookonce.synth import simulate_scan

    rng = np.random.default_rng(11)
    scan = simulate_scan(
        rng,
        field_of_view="cervical",
        contrast="t2",
        spacing=SHARED_VOXEL_MM,
        slice_thickness=SHARED_VOXEL_MM,
        lateral_extent=SHARED_WIDTH_MM,
    )
    path = folder / "simulated_T2w.nii.gz"
    nib.save(nib.Nifti1Image((scan.image * 4095).astype(np.int16), scan.affine), path)
    return path


def _environment() -> dict[str, str]:
    """Where the measured process finds the sources: those of this repository, installed or not."""
    return os.environ | {"PYTHONPATH": str(ROOT / "src")}


def _run(command: list[str]) -> str:
    return subprocess.run(command, env=_environment(), check=True, stdout=subprocess.PIPE, text=True).stdout


def _measure(command: list[str], repeats: int) -> list[Usage]:
    """Usage of a command by its whole process, `repeats` times after one that fills the caches."""
    return [_usage_of(command) for _ in range(repeats + 1)][1:]


def _usage_of(command: list[str]) -> Usage:
    started = time.perf_counter()
    process = subprocess.Popen(command, env=_environment(), stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    kilobytes = used.ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    return Usage(wall, used.ru_utime + used.ru_stime, kilobytes * 1024 / 1e6)


def _time_stages(scan: Path, model: str, folder: Path) -> dict[str, float]:
    """Seconds of each of `STAGES`; the pipeline's own functions are wrapped, so what is timed is what is run."""
    taken = dict.fromkeys(STAGES, 0.0)

    def timed(stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            started = time.perf_counter()
            try:
                return function(*arguments, **options)
            finally:
                taken[stage] += time.perf_counter() - started

        return call

    def import_all() -> None:
        import onnxruntime  # noqa: F401

        import lookonce.cli.app
        import lookonce.labeling
        import lookonce.results  # noqa: F401

    timed("import", import_all)()
    from lookonce import labeling, results
    from lookonce.io.nifti import read_image
    from lookonce.runtime.session import DiscSession
    from lookonce.runtime.weights import find_model

    session = timed("load model", lambda: DiscSession(find_model(model)))()
    image = timed("read", read_image)(scan)
    steps = {
        "sagittal_slabs": "slabs",
        "scale_intensity": "slabs",
        "find_candidates": "decode",
        "number_discs": "decode",
        "onto_midline": "decode",
    }
    for name, stage in steps.items():
        setattr(labeling, name, timed(stage, getattr(labeling, name)))
    session_type = type(session)
    session_type.__call__ = timed("network", session_type.__call__)  # type: ignore[method-assign]
    before = sum(taken.values())
    started = time.perf_counter()
    result = labeling.label(image, model=session)
    taken["other"] = time.perf_counter() - started - (sum(taken.values()) - before)
    timed("write", results.write_result)(image, result, folder, "scan")
    return taken


def _print_tables(
    scan: Path, repeats: int, label: list[Usage], usage: list[Usage], stages: list[dict[str, float]]
) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table(title=f"{scan.name}, median (worst) of {repeats}, {len(os.sched_getaffinity(0))} cores")
    for heading in ("whole process", "measured", "aim"):
        table.add_column(heading, justify="left" if heading == "whole process" else "right")
    table.add_row("lookonce label, wall", _seconds([run.wall_s for run in label]), "1.50 s")
    table.add_row("lookonce label, processor", _seconds([run.cpu_s for run in label]), "")
    table.add_row("lookonce label, peak memory", _megabytes([run.peak_mb for run in label]), "500 MB")
    table.add_row("lookonce --help, wall", _seconds([run.wall_s for run in usage]), "0.30 s")
    if DEMO_VENV.is_dir():
        size = sum(path.lstat().st_size for path in DEMO_VENV.rglob("*") if not path.is_dir()) / 1e6
        table.add_row("core install (.demo-venv)", f"{size:.0f} MB", "420 MB")
    console.print(table)

    medians = {stage: statistics.median(run[stage] for run in stages) for stage in STAGES}
    medians["start of Python, rest"] = max(statistics.median(run.wall_s for run in label) - sum(medians.values()), 0.0)
    shares = Table(title="stages of the same call")
    for heading in ("stage", "time", "share"):
        shares.add_column(heading, justify="left" if heading == "stage" else "right")
    for stage, seconds in medians.items():
        shares.add_row(stage, f"{1000 * seconds:.0f} ms", f"{100 * seconds / sum(medians.values()):.0f} %")
    console.print(shares)


def _seconds(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} s ({max(values):.2f})"


def _megabytes(values: list[float]) -> str:
    return f"{statistics.median(values):.0f} MB ({max(values):.0f})"


if __name__ == "__main__":
    main()
