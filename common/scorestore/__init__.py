"""The score store: the detector writes it, the api reads it.

One port (``port.py``), three adapters (``memory.py``, ``sqlite.py``, ``influx.py``) that keep the
same promises (``tests/contract/test_score_store.py``); ``open_score_store`` in ``factory.py`` picks
one from the settings. ``batch.py``, ``paging.py`` and ``tally.py`` are what the adapters share; the
other modules belong to the adapter they are named after. For users: ``docs/score-store.md``.
"""
