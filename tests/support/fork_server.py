"""``python -m tests.support.fork_server SOCKET MODULE...``: imports once, forks when it is asked.

A worker's imports take it longer than all it does in most tests. Here they are done once for all
workers of a test process. Each worker is a process of its own all the same: it has its own folder,
environment, arguments, output and signals, and runs its program from the first line. Only what the
program imports is there already. Client: ``forked.py``.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import sys
from pathlib import Path
from typing import Final

REQUEST_BYTES: Final = 1 << 20
FILES: Final = 3
"""What comes with a request: where its output goes, its errors, and the line for its exit code."""

Request = dict[str, object]


def serve(line: socket.socket) -> Request | None:
    """Fork a process for each request, and tell the exit code of each that has ended.

    Returns:
        In a process that was forked: what it is to become. In the server: none, when the client is
        gone.
    """
    woken, wakes = socket.socketpair()
    for end in (woken, wakes):
        end.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)  # it only has to wake
    signal.set_wakeup_fd(wakes.fileno(), warn_on_full_buffer=False)
    waiting: dict[int, socket.socket] = {}
    while True:
        ready, _, _ = select.select([line, woken], [], [])
        if woken in ready:
            woken.recv(4096)
            _tell_ends(waiting)
        if line not in ready:
            continue
        message, files, _, _ = socket.recv_fds(line, REQUEST_BYTES, FILES)
        if not message:
            return None
        child = os.fork()
        if child == 0:
            _take_over(files)
            for other in (line, woken, wakes, *waiting.values()):
                other.close()
            request: Request = json.loads(message)
            return request
        output, errors, status = files
        os.close(output)
        os.close(errors)
        waiting[child] = socket.socket(fileno=status)
        waiting[child].sendall(f"{child}\n".encode())


def _tell_ends(waiting: dict[int, socket.socket]) -> None:
    for child in list(waiting):
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            with waiting.pop(child) as asking:
                try:
                    asking.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
                except BrokenPipeError:
                    continue  # nobody asks any more


def _take_over(files: list[int]) -> None:
    """Take the files as standard output and errors; every signal does what it does at a start."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    output, errors, status = files
    os.dup2(output, 1)
    os.dup2(errors, 2)
    for file in (output, errors, status):
        os.close(file)


def become(request: Request) -> None:
    """Run a module as ``python -m`` does."""
    environment, arguments = request["environment"], request["arguments"]
    assert isinstance(environment, dict)
    assert isinstance(arguments, list)
    os.chdir(str(request["folder"]))
    os.environ.clear()
    os.environ.update(environment)
    module, *others = arguments
    sys.argv = [module, *others]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def main() -> None:
    """Import, serve, and in a forked process: run."""
    number, *modules = sys.argv[1:]
    for module in modules:
        importlib.import_module(module)
    threads = list(Path("/proc/self/task").iterdir())
    assert len(threads) == 1, "a process with threads cannot be forked"
    # Nobody's garbage collector needs to look through the imports, nor copy their pages for it
    gc.collect()
    gc.freeze()
    with socket.socket(fileno=int(number)) as line:
        request = serve(line)
    if request is not None:
        become(request)


if __name__ == "__main__":
    main()
