"""``surgeline init``: a table of somebody's machines, described as a machine type.

``infer.py`` decides (pure): what each column is (``columns.py``, with ``levels.py`` for set points,
``limits.py`` for what is plausible, ``units.py`` for units in names) and how often readings come
(``cadence.py``); ``remarks.py`` is what else there is to say. ``findings.py`` is what it all comes
to, ``describe.py`` writes it as TOML, ``output.py`` shows it, ``command.py`` is the command.

May import ``common`` alone.
"""
