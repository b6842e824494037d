"""How a run of ``python -m bench`` is told and kept: figures, ratios, goals, a table, a file.

Knows no section; ``section.py`` says what one is given. Start with ``figures.py``.
"""
