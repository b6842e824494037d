"""From a data set or the simulator to readings on the topic, at a chosen pace, never twice.

May import: ``common``. Start here: ``replay.py``; ``own_data/`` describes other people's machines,
``ingest/`` reads their messages.
"""
