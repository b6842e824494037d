"""The ways to the broker and to Redis: clients alike, as which user, over TLS or not.

May import: the drivers, ``common.intake`` (how consumers read), settings, TLS and errors.
Start here: ``kafka.py`` (topics, producers, consumers) and ``redis_link.py`` (one server, or a
cluster); who we are at each is in ``kafka_access.py`` and ``redis_access.py``.
"""
