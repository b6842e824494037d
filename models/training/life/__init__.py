"""Remaining life: boosted trees (``boosting.py``), intervals around them (``band.py``)."""
