"""Bodies of requests, written to a folder of their own within limits of size and time."""

from __future__ import annotations

import asyncio
from pathlib import Path

from starlette.requests import Request

from lookonce.errors import InputError
from lookonce.server.refusals import FormError, SlowUploadError, TooLargeError
from lookonce.server.settings import Limits

#: What results call their input, and how the names of their files begin.
UPLOAD_NAME = "upload"


async def receive(request: Request, folder: Path, limits: Limits) -> Path:
    """Write a request's body to a file in `folder`.

    Returns
    -------
    Path
        Its name is the same for all; none is taken from the client.

    Raises
    ------
    FormError
        If the body is a form.
    TooLargeError, SlowUploadError
        If it is longer, or takes longer, than `limits` allow.
    InputError
        If it is empty.
    """
    if request.headers.get("content-type", "").lower().startswith("multipart/"):
        raise FormError("send the file itself as the body, not a form: curl --data-binary @scan.nii.gz URL")
    path = folder / UPLOAD_NAME
    try:
        async with asyncio.timeout(limits.upload_seconds):
            await _write_body(request, path, limits.upload_bytes)
    except TimeoutError:
        raise SlowUploadError(
            f"the upload did not arrive within {limits.upload_seconds:.0f} s; try again over a faster line"
        ) from None
    if not path.stat().st_size:
        raise InputError("the upload is empty; send a file as the body: curl --data-binary @scan.nii.gz URL")
    return path


async def _write_body(request: Request, path: Path, most_bytes: int) -> None:
    too_large = TooLargeError(f"the upload is larger than the {most_bytes / 1e6:.0f} MB that this service takes")
    # The HTTP parser has seen to it that the length, where it is given, is a number.
    if int(request.headers.get("content-length", 0)) > most_bytes:
        raise too_large
    size = 0
    with path.open("xb") as file:
        async for chunk in request.stream():
            size += len(chunk)
            if size > most_bytes:
                raise too_large
            file.write(chunk)
