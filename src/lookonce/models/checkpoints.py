"""Reads the weights out of a torch checkpoint that may come from anywhere: no code in it runs, damage is noticed."""

from __future__ import annotations

import hashlib
import io
import pickle
import re
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lookonce.errors import WeightsError

#: Where a checkpoint keeps its tensors, the published form first; a bare state dict is taken as well.
WEIGHTS_KEYS = ("model_weights", "state_dict")
#: What `DataParallel` puts in front of every name.
PARALLEL_PREFIX = "module."

_ZIP_MAGIC = b"PK\x03\x04"


@dataclass(frozen=True)
class Checkpoint:
    """The tensors of a checkpoint by name, without the prefix of `DataParallel`, and the file that they come from."""

    name: str
    sha256: str
    tensors: dict[str, Tensor]


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a file of `torch.save` that holds ``{"model_weights": state_dict}``, or a state dict alone.

    Raises
    ------
    WeightsError
        If it is not there, no torch file, truncated or damaged, if it holds code or objects besides tensors (nothing
        of it is run), or no state dict.
    """
    content = _read(path)
    _check_start(path, content)
    if content.startswith(_ZIP_MAGIC):
        _check_archive(path, content)
    state = _state_dict(path, _unpickled(path, content))
    # A file may name one value a billion times; what is built from it must not outgrow it.
    claimed = sum(tensor.numel() * tensor.element_size() for tensor in state.values())
    if claimed > len(content):
        raise WeightsError(
            f"{path}: claims {claimed} bytes of tensors and has {len(content)}; it is no sound checkpoint"
        )
    return Checkpoint(path.name, hashlib.sha256(content).hexdigest(), _without_prefix(state))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise WeightsError(f"{path}: no such file; check the name and the folder") from None
    except IsADirectoryError:
        raise WeightsError(f"{path}: is a folder; name the checkpoint file in it") from None
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror or error}); check its permissions") from None


def _check_start(path: Path, content: bytes) -> None:
    start = content[:512].lstrip()
    if not content:
        raise WeightsError(f"{path}: is empty (0 bytes); download it again")
    if start[:14].lower() in (b"<!doctype html", b"<html>") or start[:6].lower() == b"<html ":
        raise WeightsError(f"{path}: is a web page, not a checkpoint; download the file itself with a browser")
    if start.startswith(b"version https://git-lfs"):
        raise WeightsError(f"{path}: is a git-lfs placeholder without its content; fetch it: git lfs pull")
    if content[8:9] == b"{" and len(content) > int.from_bytes(content[:8], "little"):
        raise WeightsError(f"{path}: is a safetensors file, not one of torch.save; this command reads the latter")
    if not content.startswith((_ZIP_MAGIC, b"\x80")):
        raise WeightsError(f"{path}: is no torch file; give the checkpoint as its authors published it")


def _check_archive(path: Path, content: bytes) -> None:
    """Raise WeightsError unless the zip archive that `torch.save` writes is whole; torch itself checks no checksums."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        raise WeightsError(f"{path}: is truncated (the archive's list of contents is missing); copy it again") from None
    if sum(entry.file_size for entry in archive.infolist()) > len(content):
        raise WeightsError(f"{path}: unpacks to more than it holds; torch.save does not write such files")
    try:
        damaged = archive.testzip()
    except Exception:  # a damaged archive makes zipfile raise almost anything
        damaged = "its contents"
    if damaged is not None:
        raise WeightsError(f"{path}: is damaged ({damaged} fails its checksum); copy it again")


def _unpickled(path: Path, content: bytes) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of deprecated forms of files that others wrote
            return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL ([\w.]+)", str(error))
        if named is None and not content.startswith(_ZIP_MAGIC):
            raise WeightsError(
                f"{path}: is a pickle, not a checkpoint of torch.save, or is damaged; nothing in it was run"
            ) from None
        what = f" ({named[1]})" if named else ""
        raise WeightsError(
            f"{path}: holds code or objects besides tensors{what}; none of it was run. Only a plain state dict is "
            "imported: in an environment where you trust the file, save its state_dict() alone"
        ) from None
    except Exception:  # whatever bytes make torch stumble over
        raise WeightsError(
            f"{path}: is truncated, damaged, or no checkpoint of torch.save; download it again"
        ) from None


def _state_dict(path: Path, content: Any) -> dict[str, Tensor]:
    if not isinstance(content, dict):
        raise WeightsError(f"{path}: holds a {type(content).__name__}, not a dictionary with {WEIGHTS_KEYS[0]}")
    key = next((key for key in WEIGHTS_KEYS if key in content), None)
    state = content if key is None else content[key]
    if isinstance(state, dict) and state and all(isinstance(name, str) for name in state):
        odd = [name for name, value in state.items() if not isinstance(value, Tensor)]
        if not odd:
            return dict(state)
        found = f"{odd[0]} is a {type(state[odd[0]]).__name__}, not a tensor"
    else:
        found = f"it is an empty or no state dict ({type(state).__name__})"
    if key is None:
        found = f"it holds {', '.join(sorted(map(str, content))[:5]) or 'nothing'}"
    raise WeightsError(f"{path}: has no weights in {key or WEIGHTS_KEYS[0]}: {found}")


def _without_prefix(state: dict[str, Tensor]) -> dict[str, Tensor]:
    if all(name.startswith(PARALLEL_PREFIX) for name in state):
        return {name.removeprefix(PARALLEL_PREFIX): tensor for name, tensor in state.items()}
    return state
