"""``python -m detector``: one worker."""

from __future__ import annotations

import signal

if __name__ == "__main__":
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # Until the command listens there is nothing to stop: Ctrl-C ends it without a traceback.
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    from detector.cli import app

    app()
