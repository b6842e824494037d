"""A stand-in for a service, run as a script: listens on a port and misbehaves as told.

Arguments: PORT, then any of ``die-at-once CODE``, ``mute`` (never listens), ``stubborn`` (ignores
SIGTERM), ``parent`` (starts a child of its own and says its pid), ``say TEXT``.
"""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time


def main(port: int, manners: list[str]) -> None:
    if "say" in manners:
        sys.stdout.write(manners[manners.index("say") + 1] + "\n")
        sys.stdout.flush()
    if "die-at-once" in manners:
        sys.exit(int(manners[manners.index("die-at-once") + 1]))
    if "stubborn" in manners:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if "parent" in manners:
        child = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"])
        sys.stdout.write(f"child {child.pid}\n")
        sys.stdout.flush()
    if "mute" not in manners:
        listener = socket.create_server(("127.0.0.1", port))
        listener.listen()
    while True:
        time.sleep(600)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
