"""The delivery protocol (docs/architecture.md) over ports: nothing lost, nothing twice.

Start at ``service.py``. ``stored.py`` makes the states whole before a batch, ``recovery.py`` brings
lost ones back from the topic, ``quarantine.py`` sets one bad record aside, ``slices.py`` cuts what
is published.
"""
