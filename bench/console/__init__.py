"""The console before a large fleet, in a real browser: ``python -m bench.console``.

Start with ``__main__.py``: ``fleet.py`` fills an api's stores, ``visit.py`` opens the pages and
scrolls them, ``trace.py`` reads what Chromium recorded meanwhile.
"""
