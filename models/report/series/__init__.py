"""The report over many series whose anomalies are known: one HTML file, and CSVs beside it.

``content.py`` is what comes in: every model's results and figures. ``table.py`` makes the rows of
the tables, with what is trivial and what others have published (``published.py``) beside the
models; ``drawings.py`` draws a series, ``distributions.py`` all of them together; ``page.py`` puts
the page together. ``tables_csv.py`` and ``rows_csv.py`` write the CSVs. Start at ``folder.py``,
which writes all of it.
"""
