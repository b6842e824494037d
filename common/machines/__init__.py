"""Machine types: what a kind of machine reports, in one TOML file each.

Start at ``machine.py``: the values, and what a file may say. ``files.py`` reads a file, ``rows.py``
is the one place where measured values become the 32-bit rows that windows are made of,
``turbofan.toml`` (``turbofan.py``: the same, loaded), ``smap.toml`` and ``msl.toml`` ship.
``docs/machines.md`` tells how to describe a machine of your own.
"""
