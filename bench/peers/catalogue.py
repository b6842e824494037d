"""The peers: adding one is a module beside this one, and an entry here."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.peers.venv import python_of

QUIX: Final = Path(__file__).with_name("requirements-quix.txt")


@dataclass(frozen=True, slots=True)
class Peer:
    """Somebody else's way to do the same.

    Attributes:
        name: What tables call it.
        module: Its program.
        engines: Simulated engines it is given; fewer to those that are slow.
        python: Its interpreter.
        over_http: Whether it asks ``bench.peers.http_scorer``.
        rounds: How often it is measured at most; one that starts slowly and is far from close needs
            fewer.
    """

    name: str
    module: str
    engines: int
    python: Callable[[], Path] = lambda: Path(sys.executable)
    over_http: bool = False
    rounds: int = 3


PLAIN: Final = Peer("plain aiokafka", "bench.peers.plain_aiokafka", 600)
QUIX_STREAMS: Final = Peer("Quix Streams", "bench.peers.quix_streams", 600, lambda: python_of(QUIX))
FAUST: Final = Peer("stock Faust, by event", "bench.peers.stock_faust", 20, rounds=1)
FAUST_TAKE: Final = Peer("stock Faust, take", "bench.peers.stock_faust_take", 60, rounds=2)
HTTP: Final = Peer("HTTP request a window", "bench.peers.http_loop", 6, over_http=True, rounds=1)
PEERS: Final = (PLAIN, QUIX_STREAMS, FAUST, FAUST_TAKE, HTTP)
