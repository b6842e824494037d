"""The commands that ask the api over HTTP, one module each, and ``machines`` and ``keys``.

``client.py`` asks, ``asking.py`` is what all commands share, ``targets.py`` finds what a name is.
Pure: ``urgency.py`` (worst first), ``lines.py`` (one line a row), ``plot.py``, ``wording.py``,
``stamps.py``. Start here: ``assets.py``. For users: docs/terminal.md.
"""
