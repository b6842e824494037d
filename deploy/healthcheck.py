"""``python -m deploy.healthcheck URL...``: exit code 0 if one of the pages answers with a 2xx.

What container engines call, every few seconds: the standard library only, so that it is quick.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from http.client import HTTPException
from typing import Final
from urllib.request import ProxyHandler, build_opener

TIMEOUT_S: Final = 3.0
SHOWN_BYTES: Final = 300


def main(urls: Sequence[str]) -> int:
    """Ask each page in turn; print the answer that decided, or why none did.

    Args:
        urls: ``http://`` addresses of this container's own services.

    Returns:
        The exit code.
    """
    opener = build_opener(ProxyHandler({}))  # no proxy has any business between us and loopback
    reasons = []
    for url in urls:
        try:
            with opener.open(url, timeout=TIMEOUT_S) as answer:
                sys.stdout.write(f"{url}: {answer.status}\n")
                return 0
        except (OSError, HTTPException, ValueError) as exc:  # an HTTPError is an OSError
            reasons.append(f"{url}: {_words(exc)}")
    sys.stdout.write("\n".join(reasons or ["no URL was given"]) + "\n")
    return 1


def _words(exc: Exception) -> str:
    """Return what went wrong; of an answer that is no 2xx, the first bytes of what it says."""
    read = getattr(exc, "read", None)
    body = read(SHOWN_BYTES).decode(errors="replace") if callable(read) else ""
    return f"{exc} {body}".strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
