"""`lookonce cohort`: a whole study, called as BIDS Apps are."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import nullcontext
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperCommand

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager

    from lookonce.cohort.engines import Engine
    from lookonce.cohort.manifest import Job, Standing
    from lookonce.cohort.run import Progress
    from lookonce.io.bids import Scan


class Level(StrEnum):
    """Analysis levels of BIDS Apps."""

    PARTICIPANT = "participant"
    GROUP = "group"


#: So many of the scans of one state are named by --dry-run without --json.
MOST_NAMED = 20

BidsDir = Annotated[Path, typer.Argument(metavar="BIDS_DIR", file_okay=False, help="The data set, with sub-* in it.")]
OutDir = Annotated[Path, typer.Argument(metavar="OUT_DIR", file_okay=False, help="Folder for the derivatives.")]
Levels = Annotated[
    list[Level],
    typer.Argument(
        metavar="{participant,group}...",
        help="participant: label the scans. group: the table and the QC page. Both: one after the other.",
    ),
]
Participants = Annotated[
    list[str] | None,
    typer.Option(
        "--participant-label", "--participant_label", metavar="LABEL...", help="Only these (with or without sub-)."
    ),
]
Sessions = Annotated[
    list[str] | None,
    typer.Option("--session-label", "--session_label", metavar="LABEL...", help="Only these (with or without ses-)."),
]
Suffixes = Annotated[
    list[str] | None, typer.Option("--suffix", metavar="SUFFIX...", help="BIDS suffixes to label; by default T1w T2w.")
]
Entities = Annotated[
    list[str] | None,
    typer.Option(
        "--entity",
        metavar="KEY=VALUE...",
        help="Only scans whose name says so: acq=sag run=1; several values of a key are alternatives, acq= is none.",
    ),
]
Exclude = Annotated[
    Path | None,
    typer.Option(
        metavar="YAML", dir_okay=False, help="List of what to leave out, as SCT's QC and Spine Generic keep it."
    ),
]
Model = Annotated[str, typer.Option(metavar="NAME", help="A shipped model (see `lookonce models`) or an .onnx file.")]
Jobs = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, help="Processes, or jobs of the batch system; by default as many as cores."),
]
EngineName = Annotated[Literal["local", "dask"], typer.Option("--engine", help="Who does the work.")]
Scheduler = Annotated[str | None, typer.Option(metavar="tcp://HOST:PORT", help="With dask: a scheduler that runs.")]
Cluster = Annotated[
    Path | None,
    typer.Option(
        metavar="YAML", dir_okay=False, help="With dask: jobs of a batch system, as dask-jobqueue describes them."
    ),
]
RetryFailed = Annotated[bool, typer.Option("--retry-failed", help="Try scans again that failed before.")]
Markups = Annotated[
    bool, typer.Option("--markups", help="Also each scan's points for 3D Slicer (.mrk.json), to look at and correct.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what there is to do, and write nothing.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


class SpacedOptions(TyperCommand):
    """A command whose repeatable options may be given as BIDS Apps do: ``--participant-label 01 02``.

    Once all three arguments are there, the words after such an option are all its own; before, only the first is.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Repeat the option before each of its words."""
        repeated = {name for option in self.params if getattr(option, "multiple", False) for name in option.opts}
        single = {
            name
            for option in self.params
            if not getattr(option, "multiple", False) and not getattr(option, "is_flag", False)
            for name in option.opts
            if name.startswith("-")
        }
        spaced: list[str] = []
        arguments, option, waits = 0, "", False
        for word in args:
            if word.startswith("-"):
                option = word if word in repeated else ""
                waits = word in repeated or word in single
            elif waits:
                waits = False
            elif option and arguments >= 3:
                spaced.append(option)
            else:
                arguments, option = arguments + 1, ""
            spaced.append(word)
        return super().parse_args(ctx, spaced)


def cohort(
    bids_dir: BidsDir,
    out_dir: OutDir,
    levels: Levels,
    participant_label: Participants = None,
    session_label: Sessions = None,
    suffix: Suffixes = None,
    entity: Entities = None,
    exclude: Exclude = None,
    model: Model = "discs",
    jobs: Jobs = None,
    engine: EngineName = "local",
    scheduler: Scheduler = None,
    cluster: Cluster = None,
    retry_failed: RetryFailed = False,
    markups: Markups = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Label a whole BIDS data set, and go on where an earlier call stopped.

    Writes BIDS derivatives; manifest.tsv in OUT_DIR tells how far each scan is.

    Example: lookonce cohort study study/derivatives/lookonce participant group --jobs 4

    Example: lookonce cohort study out participant --participant-label 01 02 --exclude exclude.yml
    """
    from lookonce.cohort.manifest import survey
    from lookonce.cohort.plan import CONTRASTS, find_study
    from lookonce.cohort.run import label_study, make_job, summarise_study

    suffixes = tuple(dict.fromkeys(suffix or CONTRASTS))
    whole = find_study(bids_dir, _selection(suffixes, entity or [], exclude))
    study = whole.part(participant_label or [], session_label or [])
    jobs = jobs or _cores()
    threads = max(1, _cores() // jobs) if engine == "local" else 1
    job = make_job(
        bids_dir,
        out_dir,
        model=model,
        suffixes=suffixes,
        threads=threads,
        retry_failed=retry_failed,
        markups=markups,
    )
    outputs: dict[str, Path] = {}
    if dry_run or Level.PARTICIPANT not in levels:
        found = survey(job, study).standings
    else:
        with _engine(job, engine, scheduler, cluster, jobs) as workers:
            found = label_study(job, study, workers, whole=whole, report=_report)
    if Level.GROUP in levels and not dry_run:
        outputs = summarise_study(job, study, whole=whole)
    _tell(found, outputs, as_json=as_json, dry_run=dry_run, retry_failed=retry_failed)


def _selection(suffixes: tuple[str, ...], entities: Sequence[str], exclude: Path | None) -> Any:
    from lookonce.cohort.plan import Selection
    from lookonce.errors import UsageError
    from lookonce.io.exclusions import Exclusions, read_exclusions

    wanted: dict[str, tuple[str, ...]] = {}
    for text in entities:
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise UsageError(f"--entity {text!r} should be KEY=VALUE, such as acq=sag")
        wanted[key] = (*wanted.get(key, ()), value)
    return Selection(suffixes, wanted, read_exclusions(exclude) if exclude else Exclusions())


def _engine(
    job: Job, name: str, scheduler: str | None, cluster: Path | None, jobs: int
) -> AbstractContextManager[Engine]:
    from lookonce.cohort.engines import LocalEngine
    from lookonce.errors import UsageError

    if name == "dask":
        from lookonce.cohort.dask import connected

        return connected(scheduler=scheduler, cluster=cluster, jobs=jobs, shared_folder=job.bids_dir)
    if scheduler or cluster:
        raise UsageError("--scheduler and --cluster belong to --engine dask")
    return nullcontext(LocalEngine(jobs))


def _cores() -> int:
    import os

    # Not all systems tell a process which cores it may use.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _report(progress: Progress) -> None:
    record = progress.record
    state = f"failed: {record.message}" if record.state == "failed" else " ".join([record.state, *record.flags])
    minutes, seconds = divmod(round(progress.seconds_left), 60)
    left = f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d} left"
    typer.echo(f"[{progress.done}/{progress.total}, {left}] {progress.scan.stem} {state}", err=True)


def _tell(
    found: Mapping[Scan, Standing], outputs: Mapping[str, Path], *, as_json: bool, dry_run: bool, retry_failed: bool
) -> None:
    """Print how far the study is, and leave with the exit code of its failures."""
    from lookonce.cohort.run import entry, exit_code

    counts: Counter[str] = Counter(standing.state for standing in found.values())
    if as_json:
        scans = [entry(scan, standing) for scan, standing in found.items()]
        where = {name: str(path) for name, path in outputs.items()}
        typer.echo(json.dumps({"scans": scans, "counts": dict(counts), "outputs": where}))
    else:
        _print_states(found, counts, named=("pending", "excluded", "failed") if dry_run else ("failed",))
        for name, path in outputs.items():
            typer.echo(f"{name:>8}  {path}")
    if counts["failed"] and not dry_run:
        if not retry_failed:
            typer.echo(
                f"lookonce: {counts['failed']} of {len(found)} scans failed; mend them, or use --retry-failed",
                err=True,
            )
        raise typer.Exit(exit_code(found.values()))


def _print_states(found: Mapping[Scan, Standing], counts: Mapping[str, int], *, named: Sequence[str]) -> None:
    typer.echo(f"{len(found)} scans: " + ", ".join(f"{count} {state}" for state, count in sorted(counts.items())))
    for state in named:
        scans = [(scan, standing) for scan, standing in found.items() if standing.state == state]
        for scan, standing in scans[:MOST_NAMED]:
            typer.echo(f"{state:>8}  {scan.stem}: {standing.reason}")
        if len(scans) > MOST_NAMED:
            typer.echo(f"{state:>8}  and {len(scans) - MOST_NAMED} more; --json names all")
