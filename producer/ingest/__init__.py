"""Somebody else's JSON on a Kafka topic of theirs, made into readings: ``surgeline ingest``.

``map_file.py`` says where in their JSON things are, ``translate.py`` makes readings of their bytes
(pure), ``loop.py`` takes, sends, then commits. May import: ``common`` and the producer's publisher.
Start here: ``translate.py``, then ``loop.py``.
"""
