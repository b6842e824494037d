"""How good is a model: which assets may be looked at, whole records through a scorer, figures.

``labels.py``: what is known of a recording's readings; ``engines.py``: C-MAPSS files as recordings;
``splits.py``: who is fitted, chosen and measured on. ``batch_path.py`` scores whole records with
the very scorer the detector uses (parity compares with it), ``collection.py`` cuts whole recordings
into windows with what is known of each; ``measure.py`` gives the figures (scikit-learn).
``life.py`` has those of remaining life, ``intervals.py`` says how sure they are. ``faults.py`` puts
known faults into healthy records, ``fault_table.py`` counts which are seen.
"""
