"""Addresses of e-mail, as settings and files of receivers may name them."""

from __future__ import annotations

from typing import Final

_ATOM: Final = r"[A-Za-z0-9!#$%&'*+/=^_`{|}~\-]+"
_LABEL: Final = r"[A-Za-z0-9]([A-Za-z0-9\-]*[A-Za-z0-9])?"

MAIL_ADDRESS: Final = rf"{_ATOM}(\.{_ATOM})*@{_LABEL}(\.{_LABEL})*"
"""``local@domain`` in ASCII: atoms with single dots between them (RFC 5322), and a host's name.

Quotes, comments and ``?`` are left out: a header could read them as something else (an encoded
word), and then the mail would go to nobody, or to somebody else.
"""

LONGEST_ADDRESS: Final = 254
"""Characters (RFC 5321)."""
