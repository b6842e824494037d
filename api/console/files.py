"""Serves the console's files: small, checked anew at each visit, and unable to load others.

The files people read are the source; there is no build step. What a browser gets of our own modules
and styles is the same without comments and long names, made when first asked for and again when
the file changes.
"""

from __future__ import annotations

import hashlib
import mimetypes
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import FileResponse, Response
from starlette.staticfiles import NotModifiedResponse, StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONSOLE_PATH: Final = "/console"
STATIC: Final = Path(__file__).parent / "static"
VENDOR: Final = STATIC / "vendor"
LEAST_COMPRESSED_BYTES: Final = 500
MINIFIED: Final = {".js": "application/javascript", ".css": "text/css"}

POLICY: Final = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ]
)
"""What the pages may load: files from here, and nothing that stands inside a page."""

HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    # an upgrade must not leave a browser with half of the old pages: it asks, and gets a 304
    "Cache-Control": "no-cache",
}


def console_files() -> ASGIApp:
    """Return what serves the console's files."""
    return _Guarded(ConsoleFiles(directory=STATIC))


def console_page() -> FileResponse:
    """Return the page that all of the console begins with."""
    return FileResponse(STATIC / "index.html", headers=HEADERS)


@dataclass(frozen=True, slots=True)
class Served:
    """One file as browsers get it.

    Attributes:
        plain: Its bytes.
        zipped: The same, gzipped; None where that is not worth it.
        digest: Of the bytes; browsers ask by it whether they have them already.
    """

    plain: bytes
    zipped: bytes | None
    digest: str


def served(path: Path) -> Served:
    """Return a file as browsers get it: our own code minified, libraries byte for byte."""
    plain = path.read_bytes()
    if path.suffix in MINIFIED and VENDOR not in path.parents:
        plain = minified(plain, MINIFIED[path.suffix])
    zipped = zipped_well(plain) if len(plain) >= LEAST_COMPRESSED_BYTES else None
    return Served(plain, zipped, hashlib.sha256(plain).hexdigest()[:32])


def minified(source: bytes, media_type: str) -> bytes:
    """Return code without what only its readers need; as it is where it cannot be parsed."""
    # it brings a runtime of its own, which an api that nobody opens a page of does without
    import minify

    try:
        short: str = minify.string(media_type, source.decode())
        # the line breaks that are left stand in templates, where they say nothing beside tags
        return re.sub(r"(?<=>)\n\s*|\n\s*(?=<)|(?<=\n)\s+", "", short).encode()
    except minify.MinifyError:
        return source  # the browser says where the mistake is, in lines that a person can read


def zipped_well(plain: bytes) -> bytes:
    """Return bytes gzipped, smaller than zlib can."""
    from zopfli.gzip import compress

    # all files in 40 ms; rounds and blocks take fifteen times as long and win a thousandth
    packed: bytes = compress(plain, numiterations=1, blocksplitting=False)
    return packed


class ConsoleFiles(StaticFiles):
    """Static files, prepared once for each state of a file."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory=directory)
        self._prepared: dict[str, tuple[tuple[int, int], Served]] = {}

    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        """Find a file and prepare it: this runs on a thread."""
        full_path, found = super().lookup_path(path)
        if found is not None and Path(full_path).is_file():
            state = (found.st_mtime_ns, found.st_size)
            known = self._prepared.get(full_path)
            if known is None or known[0] != state:
                self._prepared[full_path] = (state, served(Path(full_path)))
        return full_path, found

    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        """Answer with a prepared file, or say that the browser has it."""
        _, file = self._prepared[str(full_path)]
        asked = Headers(scope=scope)
        zipped = file.zipped if "gzip" in asked.get("accept-encoding", "") else None
        kind = mimetypes.guess_type(full_path)[0] or "text/plain"
        answer = Response(zipped or file.plain, status_code, media_type=kind)
        answer.headers["Vary"] = "Accept-Encoding"
        answer.headers["ETag"] = f'"{file.digest}{"-gzip" if zipped else ""}"'
        if zipped:
            answer.headers["Content-Encoding"] = "gzip"
        if self.is_not_modified(answer.headers, asked):
            return NotModifiedResponse(answer.headers)
        return answer


class _Guarded:
    """ASGI middleware that says with each file what its page may load."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self._app(scope, receive, with_headers)
