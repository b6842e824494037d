"""Readers: files of recorded machines to a ``Recording`` (``common/recording.py``).

``cmapss.py`` reads NASA's turbofan files, ``telemetry.py`` streams of spacecraft. A table of one's
own, CSV or Parquet, takes these steps:

- ``files.py``: what a person named (files, folders, patterns) as a list of files
- ``table_file.py``: a file to a ``Table`` (``table.py``), by way of ``csv_text.py`` for CSV
- ``roles.py``: which column is the time, the asset, the counter, the label; ``times.py`` reads time
- ``gathering.py``: the rows of all files, by asset, in the order of time; ``names.py`` names assets
- ``recording_file.py``: these rows as a recording of a machine type, with ``ticks.py`` for cycles
- ``frames.py``: a pandas or polars frame to a ``Table``, and columns back to such a frame

May import ``common`` alone. Polars is imported when a table is read, not before.
"""
