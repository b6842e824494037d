"""``surgeline init``: a table of somebody's machines, described as a machine type.

``infer.py`` decides (pure), from ``cadence.py`` (how often), ``levels.py`` (set points),
``limits.py`` (what is plausible) and ``units.py`` (units in names); ``findings.py`` is what it
comes to, ``describe.py`` writes it as TOML, ``output.py`` shows it, ``command.py`` is the command.

May import ``common`` alone.
"""
