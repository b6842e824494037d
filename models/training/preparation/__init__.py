"""Recordings to windows, split, normalised; ``own_data.py``: why somebody's own do not do."""
