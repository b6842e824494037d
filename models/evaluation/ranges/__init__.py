"""How well scores and flags agree with anomalies that are ranges of rows. Numpy; never adjusted.

``volume.py``: VUS-PR, VUS-ROC and range-AUC, of a score without a threshold. Of flags:
``events.py`` (found, missed, false; delay), ``affiliation.py`` (how near), ``rows.py`` (row by row;
and the plain AUC, which needs scikit-learn). ``trivial.py`` has what anybody gets for nothing: one
alarm over everything, chance, no alarm; every table shows them. ``figures.py`` puts the figures of
one series together, ``summary.py`` those of one model. None of them counts a whole range as found
because one row of it was (point adjustment): under that rule chance looks excellent.

Checked against the authors' code: ``bench/quality/range_oracles.py`` runs it, in a venv of its own,
and ``tests/unit/models_ranges/`` compares with what it recorded.
"""
