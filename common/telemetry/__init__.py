"""Telemetry of two spacecraft, SMAP and MSL: NASA's streams with their labelled anomalies.

Start at ``streams.py``: a stream, and how it is read. ``files.py`` says where the files may lie and
in which layout, ``labels.py`` reads the list of anomalies and says which of them are disputed,
``published.py`` knows the digests of what was published. May import ``common`` alone.
"""
