"""Peers in the same run: the same network, rings, broker and kind of sink, in another framework.

In each round Surgeline's worker runs beside the peers, so that a ratio is of one moment of this
machine; those that start slowly and are far from close take part in fewer rounds. A peer whose
scores differ from ours, or are not all there, fails the section.
"""

from __future__ import annotations

import asyncio
from typing import Final

from bench.peers.catalogue import FAUST, FAUST_TAKE, PEERS, PLAIN, QUIX_STREAMS
from bench.suite.figures import Findings
from bench.suite.section import Context, Section
from bench.support.stage import servers
from bench.support.taking import backlog, taken_by_peer, taken_by_workers

OURS: Final = "Surgeline, one worker"
OUR_ENGINES: Final = 600
QUICK_PART: Final = 6
LEAST_ENGINES: Final = 4


def run(context: Context) -> Findings:
    """Measure all of them, round by round."""
    return asyncio.run(_run(context))


async def _run(context: Context) -> Findings:
    found = Findings()
    for peer in PEERS:
        peer.python()  # makes its environment, before anything is measured
    with servers() as running:
        sizes = {_engines(context, size) for size in (OUR_ENGINES, *(p.engines for p in PEERS))}
        waiting = {size: await backlog(running, size) for size in sorted(sizes)}
        for number in range(context.rounds):
            context.tell(f"{OURS}, round {number + 1}")
            ours = waiting[_engines(context, OUR_ENGINES)]
            taken = await taken_by_workers(
                running.beside(ours.kafka), ours.expected, extra=context.workers
            )
            found.add(OURS, "scores/s", taken.scores_per_s)
            for peer in PEERS:
                if number >= peer.rounds:
                    continue
                context.tell(f"{peer.name}, round {number + 1}")
                part = waiting[_engines(context, peer.engines)]
                taken = await taken_by_peer(running, peer, part)
                found.add(peer.name, "scores/s", taken.scores_per_s)
    ours_per_s = found.figures[OURS].values
    by_event = found.figures[FAUST.name].median
    faust = [
        max(by_event, taken_at_once) for taken_at_once in found.figures[FAUST_TAKE.name].values
    ]
    found.compare("e2e_over_stock_faust", ours_per_s[: len(faust)], faust)
    found.compare("e2e_over_plain_aiokafka", ours_per_s, found.figures[PLAIN.name].values)
    found.compare("e2e_over_quixstreams", ours_per_s, found.figures[QUIX_STREAMS.name].values)
    return found


def _engines(context: Context, size: int) -> int:
    return max(LEAST_ENGINES, size // QUICK_PART) if context.quick else size


SECTION: Final = Section(
    "peers",
    "Peers, with the same network, rings, broker and sink",
    "stock Faust, a plain aiokafka loop, Quix Streams and HTTP requests beside one worker",
    lambda context: context.rounds + sum(min(peer.rounds, context.rounds) for peer in PEERS),
    run,
)
