"""The built web page, served from the package; everything that it needs, and nothing else."""

from __future__ import annotations

from importlib import resources
from pathlib import Path, PurePosixPath

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from lookonce.server.guard import error_response
from lookonce.server.refusals import NotInstalledError

#: Some systems know other types, or none, and browsers run no module of another type.
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".wasm": "application/wasm",
    ".onnx": "application/octet-stream",
    ".svg": "image/svg+xml",
}
#: Names of built files hold a checksum of their content.
_FOR_EVER = "public, max-age=31536000, immutable"
_HASHED_FOLDER = "assets"


def page_folder() -> Path:
    """Where the built page lies; `make web` puts it there."""
    return Path(str(resources.files("lookonce.server") / "page"))


def page_app(folder: Path) -> ASGIApp:
    """What answers for the files of the built page in `folder`; where there is none, it says so."""
    return Page(directory=folder, html=True) if (folder / "index.html").is_file() else _no_page


class Page(StaticFiles):
    """The files of the built page."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """See `StaticFiles.get_response`."""
        response = await super().get_response(path, scope)
        place = PurePosixPath(path)
        response.headers["Cache-Control"] = _FOR_EVER if place.parts[:1] == (_HASHED_FOLDER,) else "no-cache"
        if response.status_code == 200 and place.suffix in _TYPES:
            response.headers["Content-Type"] = _TYPES[place.suffix]
        return response


async def _no_page(scope: Scope, receive: Receive, send: Send) -> None:
    error = NotInstalledError(
        "there is nothing at this address; the web page is not part of this installation, the API is: see /openapi.json"
    )
    await error_response(error)(scope, receive, send)
