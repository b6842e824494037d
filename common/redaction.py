"""Takes user names, passwords and tokens out of what people and logs get to see."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote

MASK: Final = "***"

MIN_SECRET_CHARS: Final = 4
"""A password shorter than this is masked in its address, and not wherever its letters stand."""

_SCHEME: Final = r"([a-z][a-z0-9+.\-]{0,30}://)"
_HOST: Final = r"(?:[\w.\-]+|\[[\da-f:.]*\])(?::\d*)?"

_USER_INFO: Final = re.compile(rf"{_SCHEME}[^/?#\s]*@", re.IGNORECASE)
"""Everything between ``scheme://`` and the last ``@`` before the path."""

_TORN_USER_INFO: Final = re.compile(
    rf"{_SCHEME}(?!(?:{_HOST}(?:,{_HOST})*)?(?:[/?#\s'\"),;]|$))[^\s]*@", re.IGNORECASE
)
"""Likewise where the password has a ``/``, ``?`` or ``#``: what stands before it is no host."""

_TORN_ADDRESS: Final = re.compile(
    rf"^(\s*[a-z][a-z0-9+.\-]*://)(?!(?:{_HOST}(?:,{_HOST})*)?(?:[/?#]|$))[^\n]*@", re.IGNORECASE
)
"""Likewise where the whole text is one address, whose password may hold a space too."""

_BARE_USER_INFO: Final = re.compile(
    r"(?<![\w./@:*])[^\s/:@'\"(]{1,200}:[^\s/@]{1,200}@(?=[\w.\-\[])"
)
"""``user:password@host`` without a scheme, as somebody may mistype it."""

_QUERY: Final = re.compile(
    r"([?&;](?:[\w.\-]{0,30}(?:passw(?:or)?d|pwd|token|secret|credential|api[_-]?key|auth|signature)"
    r"[\w.\-]{0,30}|p|user|u)=)[^&;#\s'\"]+",
    re.IGNORECASE,
)

_USER_INFO_OF_ONE: Final = re.compile(r"(?<=://).*@", re.DOTALL)


def without_credentials(text: str, *addresses: str) -> str:
    """Return a URL, or a text that has URLs in it, with nothing in it that opens a server.

    Scheme, host, port and path stay. Any text is allowed; one without credentials comes back as it
    is.

    Args:
        text: A URL, or a sentence with URLs in it.
        addresses: URLs whose passwords may stand anywhere in ``text``, such as the one a driver
            failed to connect to, whose error is the text.

    Example:
        >>> without_credentials("http://me:hush@db.example:8086/x?token=abc&org=us")
        'http://***@db.example:8086/x?token=***&org=us'
    """
    for address in addresses:
        for secret in _secrets(address):
            text = text.replace(secret, MASK)
    text = _TORN_ADDRESS.sub(rf"\1{MASK}@", text)
    text = _USER_INFO.sub(rf"\1{MASK}@", text)
    text = _TORN_USER_INFO.sub(rf"\1{MASK}@", text)
    text = _BARE_USER_INFO.sub(f"{MASK}@", text)
    return _QUERY.sub(rf"\1{MASK}", text)


def _secrets(address: str) -> list[str]:
    """Return what must not be shown of an address, longest first, as written and as meant."""
    found: set[str] = set()
    if user_info := _USER_INFO_OF_ONE.search(address):
        whole = user_info[0][:-1]
        password = whole.partition(":")[2] or whole  # a lone user may be a token
        found |= {whole, password}
    found |= {item[0].partition("=")[2] for item in _QUERY.finditer(address)}
    found |= {unquote(secret) for secret in found}
    return sorted((item for item in found if len(item) >= MIN_SECRET_CHARS), key=len, reverse=True)
