"""`lookonce serve`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def serve(
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Where to listen; beyond this machine only with --token-file.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="N", min=0, max=65535, help="0 takes a free one.")] = 8000,
    token_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Holds a secret of 32 or more characters that every API request must bear."),
    ] = None,
) -> None:
    """Serve the web page and the REST API until Ctrl-C; what runs then is finished first.

    Uploads are deleted when they are answered. The log, lines of JSON on stderr, holds nothing of them.

    Example: lookonce serve --port 8000
    """
    from lookonce.server.run import serve as run
    from lookonce.server.settings import Settings, read_token

    settings = Settings(token=read_token(host, token_file))
    run(host, port, settings, on_ready=lambda address: typer.echo(f"LookOnce is at {address} (Ctrl-C ends it)"))
