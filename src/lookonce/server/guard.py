"""What is true of every request and answer: who may ask, which headers protect browsers, what is counted."""

from __future__ import annotations

import logging
import time
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lookonce.errors import LookOnceError
from lookonce.server.logs import LOGGER
from lookonce.server.metrics import Metrics
from lookonce.server.refusals import RefusedError, status_of
from lookonce.server.settings import is_loopback

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' 'wasm-unsafe-eval'",
        "worker-src 'self' blob:",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "font-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
#: With the two policies of cross-origin isolation, WebAssembly may use threads.
SECURITY_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_log = logging.getLogger(LOGGER)


class Guard:
    """An ASGI application around all of the service.

    Parameters
    ----------
    app : ASGI application
    metrics : Metrics
    is_local : bool
        No token protects the service: only requests to a name of this machine are answered (a page of another site
        could otherwise give its own name this machine's address, and read the answers), and uploads only from the
        service's own page, or from no page at all.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, *, is_local: bool) -> None:
        self._app, self._metrics, self._is_local = app, metrics, is_local

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.monotonic(), 500
        scope.setdefault("state", {})

        async def send_guarded(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            if self._is_local and (reason := _why_refused(scope["method"], Headers(scope=scope))):
                scope["state"]["kind"] = RefusedError.kind
                await error_response(RefusedError(reason))(scope, receive, send_guarded)
            else:
                await self._app(scope, receive, send_guarded)
        finally:
            self._record(scope, status, time.monotonic() - started)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        # The route as it is written here; what a client puts into a path is not repeated.
        route = getattr(scope.get("route"), "path", "page")
        self._metrics.requests.labels(route, status).inc()
        self._metrics.seconds.labels(route).observe(seconds)
        fields = {"method": scope["method"], "route": route, "status": status, "seconds": round(seconds, 3)}
        _log.info("request", extra={"fields": fields | scope["state"]})


def error_response(error: LookOnceError, headers: dict[str, str] | None = None) -> JSONResponse:
    """An error as every answer of the service tells it."""
    content = {"error": {"kind": error.kind, "message": str(error)}}
    return JSONResponse(content, status_of(error.kind), headers)


def _why_refused(method: str, headers: Headers) -> str:
    """Why a request to a service without a token is not answered; empty where it is."""
    host = headers.get("host", "")
    # No other site can give its own name's address to these: they are addresses themselves, or never looked up.
    if not is_loopback(_hostname(f"//{host}")):
        return (
            "this service answers only requests to localhost or 127.0.0.1; to use it under another name, start it with "
            "--token-file"
        )
    # Links from elsewhere lead to the page; what they get, no other site can read.
    if method not in ("GET", "HEAD") and (
        headers.get("sec-fetch-site", "none") not in ("none", "same-origin")
        or headers.get("origin", f"http://{host}") not in (f"http://{host}", f"https://{host}")
    ):
        return "this service does no work for pages of other sites"
    return ""


def _hostname(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""
