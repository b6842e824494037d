"""HTTP itself, whatever it is asked: what is refused, how problems, pages and HEAD are answered.

``gate.py`` stands before every route, ``defects.py`` behind; ``problems.py`` is the one body of all
that is no success, ``queries.py`` and ``cursors.py`` are how a question may be put.
"""
