"""The commands that ask the api over HTTP, one module each, and ``machines`` and ``keys``.

``server/`` asks, ``shown/`` is what a terminal shows. Start here: ``assets.py``. For users:
docs/terminal.md.
"""
