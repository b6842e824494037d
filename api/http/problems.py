"""Everything that is not a success has one body: ``application/problem+json`` (RFC 9457).

``errors`` names each field at fault, so that a caller need not read prose.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError, WebSocketRequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from common.errors import BackendError, RequestRefusedError
from common.logs import get_logger

MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER_S: Final = 5
MAX_ECHO_CHARS: Final = 200
MAX_DETAIL_CHARS: Final = 2000
MAX_ERRORS: Final = 20
"""Fields at fault that are named; a body may have thousands."""

_log = get_logger(__name__)


class FieldError(BaseModel):
    """One field of the request that is wrong."""

    where: str = Field(description="`query`, `body`, `path` or `header`.", examples=["query"])
    field: str = Field(description="Its name; dots lead into the body.", examples=["limit"])
    message: str = Field(
        description="What was expected.",
        examples=["Input should be less than or equal to 10000"],
    )
    received: str | None = Field(None, description="What came, cut short.", examples=["20000"])


class Problem(BaseModel):
    """What went wrong."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "type": "urn:surgeline:problem:invalid_request",
                "title": "Unprocessable Content",
                "status": 422,
                "detail": "query limit: Input should be less than or equal to 10000",
                "errors": [
                    {
                        "where": "query",
                        "field": "limit",
                        "message": "Input should be less than or equal to 10000",
                        "received": "20000",
                    }
                ],
            }
        }
    )

    type: str = Field(description="Stable name of this kind of problem.")
    title: str = Field(description="The status in words.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What came, what was expected, what to do.")
    errors: list[FieldError] = Field(
        default=[], description="Fields at fault, if any; the first of them, if there are many."
    )
    request_id: str | None = Field(
        None, description="Where to look in the api's log; only for defects of the api."
    )


def invalid(where: str, field: str, message: str, received: object = None) -> Exception:
    """Return the error that says one field is wrong, for checks that types cannot express."""
    return RequestValidationError(
        [{"type": "value_error", "loc": (where, field), "msg": message, "input": received}]
    )


def invalid_fields(fields: Iterable[tuple[tuple[str | int, ...], str, object]]) -> Exception:
    """Return the error that says that fields are wrong: each path, from ``body`` on, and why."""
    return RequestValidationError(
        [
            {"type": "value_error", "loc": path, "msg": message, "input": received}
            for path, message, received in fields
        ]
    )


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return OpenAPI's ``responses`` for these problem statuses."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in statuses
    }


def illustrated(status: int, **details: str) -> dict[int | str, dict[str, Any]]:
    """Return OpenAPI's ``responses`` for one problem status, with an example of each kind.

    Args:
        status: The status.
        details: By kind, such as ``already_acknowledged``, what a detail of it says.
    """
    found = documented(status)
    found[status]["content"][MEDIA_TYPE]["examples"] = {
        code: {
            "value": {
                "type": f"urn:surgeline:problem:{code}",
                "title": HTTPStatus(status).phrase,
                "status": status,
                "detail": detail,
                "errors": [],
            }
        }
        for code, detail in details.items()
    }
    return found


def install(app: FastAPI) -> None:
    """Give every failure of ``app`` the one body."""

    async def on_invalid(_request: Request, exc: Exception) -> JSONResponse:
        kinds = (RequestValidationError, WebSocketRequestValidationError)
        assert isinstance(exc, kinds)  # noqa: S101 - registered for these
        found = exc.errors()
        errors = [_field_error(error) for error in found[:MAX_ERRORS]]
        detail = "; ".join(f"{item.where} {item.field}: {item.message}" for item in errors)
        if len(found) > MAX_ERRORS:
            detail += f"; and {len(found) - MAX_ERRORS} more"
        return problem_response(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_request", detail, errors)

    async def on_http(request: Request, exc: Exception) -> JSONResponse:
        assert isinstance(exc, HTTPException)  # noqa: S101 - registered for it
        status = HTTPStatus(exc.status_code)
        detail = str(exc.detail)
        if detail == status.phrase:
            detail = f"{request.method} {request.url.path}: {status.phrase.lower()}. See /docs."
        return problem_response(status, status.name.lower(), detail, headers=exc.headers)

    async def on_refused(_request: Request, exc: Exception) -> JSONResponse:
        assert isinstance(exc, RequestRefusedError)  # noqa: S101 - registered for it
        return problem_response(
            HTTPStatus(exc.status), exc.code, str(exc), headers=retry_after(exc)
        )

    async def on_backend(request: Request, exc: Exception) -> JSONResponse:
        assert isinstance(exc, BackendError)  # noqa: S101 - registered for it
        return backend_problem(exc, request.url.path)

    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(WebSocketRequestValidationError, on_invalid)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(RequestRefusedError, on_refused)
    app.add_exception_handler(BackendError, on_backend)


def retry_after(exc: RequestRefusedError) -> dict[str, str]:
    """Return the header that says when to ask again, where that is known."""
    return {} if exc.retry_after_s is None else {"Retry-After": str(exc.retry_after_s)}


def backend_problem(exc: BackendError, path: str) -> JSONResponse:
    """Return the answer where a backend failed, and log why."""
    _log.warning("a backend failed", path=path, why=str(exc))
    if exc.retriable:
        return problem_response(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "backend_unavailable",
            str(exc),
            headers={"Retry-After": str(RETRY_AFTER_S)},
        )
    return problem_response(HTTPStatus.BAD_GATEWAY, "backend_refused", str(exc))


def problem_response(
    status: HTTPStatus,
    code: str,
    detail: str,
    errors: list[FieldError] | None = None,
    headers: Mapping[str, str] | None = None,
    request_id: str | None = None,
) -> JSONResponse:
    """Return the answer that says what went wrong."""
    problem = Problem(
        type=f"urn:surgeline:problem:{code}",
        title=status.phrase,
        status=status.value,
        detail=_cut(detail, MAX_DETAIL_CHARS),
        errors=errors or [],
        request_id=request_id,
    )
    return JSONResponse(
        problem.model_dump(exclude={"request_id"} if request_id is None else None),
        status_code=status.value,
        headers=None if headers is None else dict(headers),
        media_type=MEDIA_TYPE,
    )


def _field_error(error: Mapping[str, Any]) -> FieldError:
    where, *path = (_cut(str(part), MAX_ECHO_CHARS) for part in error["loc"])
    received = error.get("input")
    message = _cut(str(error["msg"]).removeprefix("Value error, "), MAX_DETAIL_CHARS)
    match error["type"]:
        case "extra_forbidden":
            message = f"there is no such {'parameter' if where == 'query' else 'field'}"
        case "missing":
            received = None
    return FieldError(
        where=where,
        field=".".join(path) or where,
        message=message,
        received=None if received is None else _echo(received),
    )


def _echo(received: object) -> str:
    """Return what came, cut short."""
    try:
        return _cut(str(received), MAX_ECHO_CHARS)
    except (ValueError, RecursionError):  # an endless number, or nesting
        return type(received).__name__


def _cut(text: str, most_chars: int) -> str:
    """Return text that fits an answer: not too long, and without lone surrogates."""
    return text[:most_chars].encode(errors="backslashreplace").decode()
