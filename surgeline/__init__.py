"""Surgeline in Python: score a frame, describe a machine from one, train on one.

    import surgeline

    found = surgeline.load("fd001").score(frame)

``models.py`` holds :func:`load` and :class:`Model`, ``rows.py`` scores a frame row by row,
``description.py`` is ``surgeline init`` on a frame, ``learning.py`` is ``surgeline train``,
``reading.py`` makes recordings of frames, ``wording.py`` puts messages in the words of Python. All
errors are :class:`SurgelineError`.

Composed from the other packages like ``deploy``; none of them imports this one. Start here, then
``docs/library.md``.
"""

from __future__ import annotations

from common.errors import SurgelineError
from surgeline.description import Description, machine_from_frame
from surgeline.learning import train
from surgeline.models import Model, load

__all__ = ["Description", "Model", "SurgelineError", "load", "machine_from_frame", "train"]
