"""Who may ask: API keys with roles, sessions of browsers, limits, and the log of what was asked.

``keys.py`` and ``roles.py`` are pure, ``rights.py`` is the table of who may call which route,
``limits.py`` counts; ``ports.py`` is where keys, sessions and the audit log are kept; ``guard.py``
decides, ``door.py`` stands before every route, ``actors.py`` tells routes who acts. Start here:
``rights.py``.
"""
