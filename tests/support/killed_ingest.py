"""``python -m tests.support.killed_ingest N ...``: an ingest that SIGKILL ends at its N-th commit.

All of that batch is sent and acknowledged by then, and nothing of it is committed.
"""

from __future__ import annotations

import os
import signal
import sys

from producer.adapters.kafka_source import KafkaMessageSource
from producer.ingest.ports import Taken
from producer.programs import app


def main() -> None:
    """Run the producer's commands with what comes after N."""
    left = int(sys.argv.pop(1))
    commit = KafkaMessageSource.commit

    async def commit_or_die(source: KafkaMessageSource, taken: Taken) -> bool:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return await commit(source, taken)

    KafkaMessageSource.commit = commit_or_die  # type: ignore[method-assign,assignment]  # a stand-in
    app()


if __name__ == "__main__":
    main()
