"""Takes names and passwords out of addresses before anyone sees them: errors, logs, screens."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote

MASK: Final = "**********"

MIN_SECRET_CHARS: Final = 4
"""A password shorter than this is masked in its address, and not wherever its letters stand."""

_URL: Final = re.compile(r"\s*[A-Za-z][A-Za-z0-9+.\-]*://")
_USER_INFO_OF_ONE: Final = re.compile(r"(?<=://).*@", re.DOTALL)
# Bounded, so that no text makes them slow.
_USER_INFO: Final = re.compile(r"(?<=://)\S{0,1000}@")
_BARE_USER_INFO: Final = re.compile(r"[^\s/,@:'\"]{1,100}:[^\s/,@]{1,200}@")
_PARAMETER: Final = re.compile(
    r"([?&;](?:\w{0,30}(?:password|passwd|pwd|token|secret|apikey|api_key)\w{0,30}|p|user|u)=)"
    r"[^&;#\s'\"]*",
    re.IGNORECASE,
)


def without_credentials(text: str, *addresses: str) -> str:
    """Return the text with nothing in it that opens a server.

    The user info of every URL in it is masked, as are parameters that look like secrets. Masking
    errs on the side of too much: everything up to a URL's last ``@`` goes.

    Args:
        text: A URL, or a sentence with URLs in it.
        addresses: URLs whose passwords may stand anywhere in ``text``, such as the one a driver
            failed to connect to, whose error is the text.

    Example:
        >>> without_credentials("http://user:p@ss@influx:8086")
        'http://**********@influx:8086'
    """
    for address in addresses:
        for secret in _secrets(address):
            text = text.replace(secret, MASK)
    user_info = _USER_INFO_OF_ONE if _URL.match(text) and "\n" not in text else _USER_INFO
    text = user_info.sub(f"{MASK}@", text)
    text = _BARE_USER_INFO.sub(f"{MASK}@", text)
    return _PARAMETER.sub(rf"\g<1>{MASK}", text)


def _secrets(address: str) -> list[str]:
    """Return what must not be shown of an address, longest first, as written and as meant."""
    found: set[str] = set()
    if user_info := _USER_INFO_OF_ONE.search(address):
        whole = user_info[0][:-1]
        password = whole.partition(":")[2] or whole  # a lone user may be a token
        found |= {whole, password}
    found |= {item[0].partition("=")[2] for item in _PARAMETER.finditer(address)}
    found |= {unquote(secret) for secret in found}
    return sorted((item for item in found if len(item) >= MIN_SECRET_CHARS), key=len, reverse=True)
