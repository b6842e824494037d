"""The version of an artifact: a digest of all else that its ``manifest.json`` says.

So two artifacts that differ in anything never share a version, and a file that was edited no longer
has the version that it names. That guards against accidents and quiet edits, not against somebody
who works the digest out anew: who made an artifact is for its owner to know, and which bytes a
detector ran is in each alert (``sha256``).
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

DRAFT: Final = "draft"
"""Stands where the version will be, while the digest is taken."""

VERSION_DIGITS: Final = 12
"""Of the content's digest: enough to never meet again, short enough to read out."""

VERSION_LINE: Final = re.compile(rb'^  "version": "[^"\\\n]*"', re.MULTILINE)
"""Two spaces: the manifest's own; versions further in are of something else."""


def version_of(manifest_json: bytes) -> str:
    """Return the version that the content of a manifest has, whatever it says itself.

    Args:
        manifest_json: Bytes as ``Manifest.to_json`` writes them, of this layout or an older one.

    Raises:
        ValueError: If they are not written so.
    """
    draft = f'  "version": "{DRAFT}"'.encode()
    blanked, count = VERSION_LINE.subn(draft, manifest_json)
    if count != 1:
        raise ValueError("it does not say its version on one line of its own, as it was written")
    return hashlib.sha256(blanked).hexdigest()[:VERSION_DIGITS]


def check_version(named: str, manifest_json: bytes) -> None:
    """Refuse a manifest that is not what its version was given to.

    Args:
        named: The version it says.
        manifest_json: As for :func:`version_of`.

    Raises:
        ValueError: Saying both versions.
    """
    found = version_of(manifest_json)
    if found != named:
        raise ValueError(
            f"it says version {named}, and its content is that of {found}: it was changed or "
            "damaged"
        )
