"""Takes passwords and tokens out of what people and logs get to see."""

from __future__ import annotations

import re
from typing import Final

HIDDEN: Final = "***"

_SCHEME: Final = r"([a-z][a-z0-9+.\-]{0,30}://)"
_HOST: Final = r"(?:[\w.\-]+|\[[\da-f:.]*\])(?::\d*)?"

_USER_INFO: Final = re.compile(rf"{_SCHEME}[^/?#\s]*@", re.IGNORECASE)
"""Everything between ``scheme://`` and the last ``@`` before the path."""

_TORN_USER_INFO: Final = re.compile(
    rf"{_SCHEME}(?!(?:{_HOST}(?:,{_HOST})*)?(?:[/?#\s'\"),;]|$))[^\s]*@", re.IGNORECASE
)
"""Likewise where the password has a ``/``, ``?`` or ``#``: what stands before it is no host."""

_BARE_USER_INFO: Final = re.compile(
    r"(?<![\w./@:*])[^\s/:@'\"(]{1,200}:[^\s/@]{1,200}@(?=[\w.\-\[])"
)
"""``user:password@host`` without a scheme, as somebody may mistype it."""

_QUERY: Final = re.compile(
    r"([?&;][\w.\-]*(?:passw(?:or)?d|pwd|token|secret|credential|api[_-]?key|auth|signature)[\w.\-]*=)"
    r"[^&;#\s'\"]+",
    re.IGNORECASE,
)


def without_credentials(url: str) -> str:
    """Return a URL, or a text that has URLs in it, without user names, passwords and tokens.

    Scheme, host, port and path stay. Any text is allowed; one without credentials comes back as it
    is.

    Example:
        >>> without_credentials("http://me:hush@db.example:8086/x?token=abc&org=us")
        'http://***@db.example:8086/x?token=***&org=us'
    """
    text = _USER_INFO.sub(rf"\1{HIDDEN}@", url)
    text = _TORN_USER_INFO.sub(rf"\1{HIDDEN}@", text)
    text = _BARE_USER_INFO.sub(f"{HIDDEN}@", text)
    return _QUERY.sub(rf"\1{HIDDEN}", text)
