"""What every service shares: wire records, names, settings, errors, clock, logs, stores.

May import: the standard library, pydantic, numpy and drivers; never another package of ours.
Start here: ``records/`` (what is on the wire), ``topics.py`` (what it is called),
``settings/`` (what can be set); ``machines/`` (what a kind of machine reports) and ``readers/``
(files of recorded machines); ``links/`` (the ways to the broker and to Redis). ``terminal/`` and
``files/`` hold small things that all share.
"""
