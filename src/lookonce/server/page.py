"""The built web page and the networks that it runs, served from the package; nothing else is."""

from __future__ import annotations

from importlib import resources
from pathlib import Path, PurePath

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from lookonce.server.guard import error_response
from lookonce.server.refusals import NotInstalledError

#: Some systems know other types, or none, and browsers run no module of another type. What is packed the page unpacks.
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".wasm": "application/wasm",
    ".gz": "application/gzip",
    ".onnx": "application/octet-stream",
    ".svg": "image/svg+xml",
}
_FOR_EVER = "public, max-age=31536000, immutable"
#: Names of the files in this folder hold a checksum of their content.
_HASHED_FOLDER = "assets"
#: Under this name the page finds the package's own networks and cards.
_WEIGHTS_FOLDER = "weights"
_WEIGHTS_SUFFIXES = (".onnx", ".json")


def page_folder() -> Path:
    """Where the built page lies; `make web` puts it there."""
    return Path(str(resources.files("lookonce.server") / "page"))


def page_app(folder: Path) -> ASGIApp:
    """What answers for the files of the built page in `folder`; where there is none, it says so."""
    return Page(folder) if (folder / "index.html").is_file() else _no_page


class Page(StaticFiles):
    """The files of the built page in `folder`, and below ``weights/`` the shipped models."""

    def __init__(self, folder: Path) -> None:
        super().__init__(directory=folder, html=True)
        self._weights = StaticFiles(directory=str(resources.files("lookonce.weights")))

    async def get_response(self, path: str, scope: Scope) -> Response:
        """See `StaticFiles.get_response`."""
        place = PurePath(path)
        if place.parts[:1] != (_WEIGHTS_FOLDER,):
            response = await super().get_response(path, scope)
        elif place.suffix in _WEIGHTS_SUFFIXES:
            response = await self._weights.get_response(str(place.relative_to(_WEIGHTS_FOLDER)), scope)
        else:
            raise HTTPException(404)
        response.headers["Cache-Control"] = _FOR_EVER if place.parts[:1] == (_HASHED_FOLDER,) else "no-cache"
        if response.status_code == 200 and place.suffix in _TYPES:
            response.headers["Content-Type"] = _TYPES[place.suffix]
        return response


async def _no_page(scope: Scope, receive: Receive, send: Send) -> None:
    error = NotInstalledError(
        "there is nothing at this address; the web page is not part of this installation, the API is: see /openapi.json"
    )
    await error_response(error)(scope, receive, send)
