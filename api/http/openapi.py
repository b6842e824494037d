"""The words around the generated API description."""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI

from api.http.problems import Problem, documented

DESCRIPTION: Final = """
Scores, alerts and assets of a fleet of machines, and replays of recorded ones.

* Times are RFC 3339 in UTC. A higher score is more anomalous; a threshold is reached at equality.
* Unknown or repeated parameters are refused, so that a misspelt filter does not answer everything.
* Whatever is not a success has one body, `Problem`, and names each field at fault.
* Pages: give `next_cursor` as `cursor`, with all other parameters as they were.
* What a channel's name stands for is at `/api/v1/machines`, and beside the name where one is given.
* Where keys are in use: `Authorization: Bearer KEY` or `X-API-Key: KEY`; browsers log in.
* What comes from the simulator is marked `simulated`.
"""

TAGS: Final[list[dict[str, Any]]] = [
    {"name": "assets", "description": "What is known, and how each one is now."},
    {"name": "scores", "description": "The verdict on every reading."},
    {"name": "alerts", "description": "Alarms raised, escalated, cleared; also live."},
    {"name": "alarms", "description": "Alarms, and what operators do about them; also live."},
    {"name": "maintenance", "description": "When assets and fleets are out of service."},
    {"name": "notifications", "description": "Who is told by webhook and e-mail."},
    {"name": "machines", "description": "Fleets, their models, and what their machines report."},
    {"name": "detect", "description": "Score what you send, or compare rules; nothing is stored."},
    {"name": "replays", "description": "Send a data set or the simulator through the system."},
    {"name": "access", "description": "Logging in, keys, and the log of who asked for what."},
    {"name": "system", "description": "Alive, ready, what is running."},
]


OPEN_TO_ALL: Final = frozenset({"/health", "/ready"})
"""Routes that ask nobody whose a request is, and lean on no store of the api's."""

KEYS: Final[dict[str, Any]] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key."},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "session": {"type": "apiKey", "in": "cookie", "name": "surgeline_session"},
}
"""How a request says whose it is, where keys are in use."""


EVERYWHERE: Final = (421, 500)
"""What any route may answer: another host was asked for, or the api has a defect."""

WITH_A_KEY: Final = (401, 429, 502, 503)
"""What a route that needs a key may answer besides: looking the key up may fail, too."""

CHANGING: Final = (403, 408, 413, 415, 429)
"""What the gate answers to what might change something, before any route sees it."""


def problems_of(path: str, method: str) -> tuple[int, ...]:
    """Return which problems a route may answer by what stands before it, whatever it does itself.

    Args:
        path: As the description has it.
        method: In small letters.
    """
    found = set(EVERYWHERE)
    if path not in OPEN_TO_ALL:
        found.update(WITH_A_KEY)
    if method not in ("get", "head", "options"):
        found.update(CHANGING)
    return tuple(sorted(found))


def describe_problems(app: FastAPI) -> None:
    """Put the one error body into the API description, in place of FastAPI's own.

    What stands before the routes answers for all of them, so those answers are added here to each.
    """
    generate = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = generate()
            schemas = schema["components"]["schemas"]
            for name in ("HTTPValidationError", "ValidationError"):
                schemas.pop(name, None)
            problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas.update(problem.pop("$defs"))
            schemas["Problem"] = problem
            for path, item in schema["paths"].items():
                for method, operation in item.items():
                    added = documented(*problems_of(path, method))
                    answers = {str(status): answer for status, answer in added.items()}
                    answers |= operation["responses"]  # what a route says of itself holds
                    operation["responses"] = dict(sorted(answers.items()))
            schema["components"]["securitySchemes"] = KEYS
            schema["security"] = [{name: []} for name in KEYS] + [{}]
        return app.openapi_schema or generate()

    # FastAPI's documented way to extend the description
    app.openapi = described  # type: ignore[method-assign]
