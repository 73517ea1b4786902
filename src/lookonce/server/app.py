"""The routes of the service."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, HTTPConnection

from lookonce import __version__
from lookonce.errors import LookOnceError, UsageError
from lookonce.runtime.weights import find_model, model_names
from lookonce.server.guard import Guard, error_response
from lookonce.server.jobs import Jobs
from lookonce.server.logs import LOGGER
from lookonce.server.metrics import Metrics
from lookonce.server.page import page_app, page_folder
from lookonce.server.refusals import BusyError, NoTokenError, status_of
from lookonce.server.schema import (
    ErrorAnswer,
    Health,
    LabelAnswer,
    LabelOptions,
    ModelsAnswer,
    SegmentAnswer,
    SegmentOptions,
)
from lookonce.server.settings import Settings
from lookonce.server.tasks import ANSWER_NAME, Task

_log = logging.getLogger(LOGGER)
_ABOUT = (
    "Names the intervertebral discs of a spine MRI, and says how sure it is. Research use, not diagnosis. An upload is "
    "deleted when its answer is sent."
)
_UPLOAD = {
    "requestBody": {
        "required": True,
        "description": "The file itself, not a form.",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
_UPLOAD_ERRORS = {
    400: "The client left before its request was whole.",
    404: "No such model is installed.",
    408: "The upload did not arrive in time.",
    413: "It is, or claims to be, too large.",
    415: "The body is a form.",
    422: "It cannot be read or labelled, or an option makes no sense.",
    429: "As many requests wait as may; see the header Retry-After.",
    500: "The service is at fault.",
}
_RETRY_AFTER = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}}}
#: Of a service without a token.
_REFUSED = "Asked under another name than this machine's, or from another site's page."


def build_app(
    settings: Settings, do: Callable[[Task], dict[str, Any]], metrics: Metrics, *, page: Path | None = None
) -> Guard:
    """Put the service together.

    Parameters
    ----------
    settings : Settings
    do : callable
        Does a task, as `Workers.do`.
    metrics : Metrics
    page : Path, optional
        Folder of the built page; by default the one in the package.

    Raises
    ------
    WeightsError
        If a shipped model is damaged.
    """
    # The pages that FastAPI has for its documentation load scripts from elsewhere, which the policy forbids.
    app = FastAPI(
        title="LookOnce",
        version=__version__,
        description=_ABOUT,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        responses={} if settings.token else {403: {"model": ErrorAnswer, "description": _REFUSED}},
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
    )
    _answer_errors(app)
    app.include_router(_protected_routes(settings, Jobs(settings, do, metrics), metrics))

    @app.get("/healthz", summary="Whether the service is alive")
    async def healthz() -> Health:
        return Health(version=__version__)

    # What no route takes is a file of the page; as a route, it would also take what has another method.
    app.router.default = page_app(page or page_folder())
    # Around all of the framework, whose answer to an unexpected error would else lack the headers.
    return Guard(app, metrics, is_local=settings.token is None)


def _protected_routes(settings: Settings, jobs: Jobs, metrics: Metrics) -> APIRouter:
    needs = [] if settings.token is None else [Depends(_TokenCheck(settings.token))]
    router = APIRouter(dependencies=needs, responses={401: {"model": ErrorAnswer}} if needs else {})
    models = ModelsAnswer(models=[find_model(name).card.model_dump(mode="json") for name in model_names()])

    @router.get("/v1/models", summary="The models that are installed, with their cards")
    async def list_models() -> ModelsAnswer:
        return models

    @router.get("/metrics", summary="Figures for Prometheus", response_class=Response)
    async def show_metrics() -> Response:
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @router.post(
        "/v1/label",
        summary="Find and name the discs of a scan",
        description="The body is a NIfTI file, packed or not, a DICOM file, or a zip of DICOM files.",
        openapi_extra=_UPLOAD,
        responses=_responses(LabelAnswer),
    )
    async def label(request: Request, options: Annotated[LabelOptions, Query()]) -> Response:
        return _answered(request, *await jobs.run(request, lambda path: Task(path=path, label=options)))

    @router.post(
        "/v1/segment",
        summary="Outline a skin lesion, or count and outline cells, in a picture",
        description="The body is a JPEG, PNG, TIFF, BMP, WebP or GIF file. 404 where no model for this is installed.",
        openapi_extra=_UPLOAD,
        responses=_responses(SegmentAnswer),
    )
    async def segment(request: Request, options: Annotated[SegmentOptions, Query()]) -> Response:
        return _answered(request, *await jobs.run(request, lambda path: Task(path=path, segment=options)))

    return router


def _responses(answer: type) -> dict[int | str, dict[str, Any]]:
    zipped = {"application/zip": {"schema": {"type": "string", "format": "binary"}}}
    responses: dict[int | str, dict[str, Any]] = {200: {"model": answer, "content": zipped}}
    for status, text in _UPLOAD_ERRORS.items():
        responses[status] = {"model": ErrorAnswer, "description": text}
    responses[429]["headers"] = _RETRY_AFTER
    return responses


def _answered(request: Request, answer: dict[str, Any], content: bytes) -> Response:
    if "trace" in answer:
        _log.error("unexpected", extra={"fields": {"trace": answer["trace"]}})
    if "error" in answer:
        request.state.kind = answer["error"]["kind"]
        return JSONResponse({"error": answer["error"]}, status_of(answer["error"]["kind"]))
    if content:
        name = {"Content-Disposition": f'attachment; filename="{ANSWER_NAME}"'}
        return Response(content, media_type="application/zip", headers=name)
    return JSONResponse(answer["result"])


class _TokenCheck(HTTPBearer):
    """A dependency that lets only requests with the token through; the OpenAPI document tells of it."""

    def __init__(self, token: str) -> None:
        super().__init__(auto_error=False, description="The token in the file given with --token-file.")
        self._token = token.encode()

    async def __call__(self, request: HTTPConnection) -> None:
        given = await super().__call__(request)
        # In constant time: how long a wrong token takes must not tell how much of it is right.
        if given is None or not hmac.compare_digest(given.credentials.encode(), self._token):
            raise NoTokenError("send the service's token in the header Authorization: Bearer TOKEN")


def _answer_errors(app: FastAPI) -> None:
    """Let every error have the same form, the framework's own included."""

    @app.exception_handler(LookOnceError)
    async def refuse(request: Request, error: LookOnceError) -> Response:
        request.state.kind = error.kind
        headers = {"Retry-After": str(error.retry_after)} if isinstance(error, BusyError) else {}
        if isinstance(error, NoTokenError):
            headers["WWW-Authenticate"] = "Bearer"
        return error_response(error, headers)

    @app.exception_handler(RequestValidationError)
    async def refuse_options(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"][1:]) or "the request"
        return await refuse(request, UsageError(f"{name}: {first['msg']}; see /openapi.json"))

    @app.exception_handler(HTTPException)
    async def refuse_request(request: Request, error: HTTPException) -> Response:
        kind = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
        content = {
            "error": {"kind": kind, "message": "there is nothing at this address with this method; see /openapi.json"}
        }
        return JSONResponse(content, error.status_code, error.headers)

    @app.exception_handler(ClientDisconnect)
    async def forget(request: Request, error: ClientDisconnect) -> Response:
        request.state.kind = "client-left"
        return Response(status_code=400)

    @app.exception_handler(Exception)
    async def apologise(request: Request, error: Exception) -> Response:
        return error_response(LookOnceError("an unexpected error inside the service; please report it with its log"))
