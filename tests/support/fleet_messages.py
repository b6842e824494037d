"""A fleet's readings as messages, and what goes wrong in real ones."""

from __future__ import annotations

import json
from collections.abc import Sequence

from bench.support.messages import START, asset_name, fleet_messages

__all__ = ["START", "asset_name", "fleet_messages", "untidy"]


def untidy(messages: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return a fleet's messages with what goes wrong in real ones, again and again.

    Cycles are missing, come twice and come late; readings are refused for five reasons. Each
    message says whose it is, so each gets its verdict: as many as there are messages.
    """
    found: list[tuple[bytes, bytes]] = []
    for number, (key, value) in enumerate(messages):
        match number % 500:
            case 100:  # missing; comes late, below
                continue
            case 110:
                found += [(key, value), messages[number - 10]]
            case 200:
                found += [(key, value), (key, value)]
            case 300:
                found += [(key, _with(value, sensors={})), (key, value)]
            case 310:
                found += [(key, _with(value, settings={"mach": "fast"})), (key, value)]
            case 320:
                found += [(key, _with(value, note="." * 70_000)), (key, value)]
            case 330:
                found += [(key, _with(value, sensors=_tenfold(value))), (key, value)]
            case 340:
                found += [(b"somebody-else", value), (key, value)]
            case _:
                found.append((key, value))
    return found


def _with(value: bytes, **fields: object) -> bytes:
    return json.dumps(json.loads(value) | fields, separators=(",", ":")).encode()


def _tenfold(value: bytes) -> dict[str, float]:
    sensors: dict[str, float] = json.loads(value)["sensors"]
    return {name: number * 10 for name, number in sensors.items()}
