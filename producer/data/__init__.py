"""Data files: fetched and checked by digest (``download.py``), by command (``command.py``)."""
