"""How WebSockets stand in the API description, and what a plain request to one is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from api.http.problems import documented, illustrated
from common.errors import RequestRefusedError


def upgrade_required(prefix: str) -> RequestRefusedError:
    """Return the refusal of a request that asks for no WebSocket."""
    return RequestRefusedError(
        426,
        "upgrade_required",
        f"This is a WebSocket: connect with ws:// or wss://, or ask for {prefix}/stream.",
    )


def socket_answers(example: Mapping[str, Any]) -> dict[int | str, dict[str, Any]]:
    """Return OpenAPI's ``responses`` of a WebSocket, with an example of a message."""
    return {
        101: {
            "description": "The connection is open; each message is one JSON text.",
            "content": {"application/json": {"example": example}},
        },
        **documented(404),
        **illustrated(426, upgrade_required="This is a WebSocket: connect with ws:// or wss:// …"),
    }
