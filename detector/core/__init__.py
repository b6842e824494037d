"""The decisions: what each reading gets, when an alarm changes, what the next state is.

Pure: values in, values out; no waiting, no clock, no I/O. Read ``pipeline.py`` first.
Rooms: ``reading/`` from a fetch to readings, ``state/`` what is remembered, ``conclusion/`` from
scores to alerts. What goes on as it should, nearly everything, is taken many at once
(``reading/many.py``, ``steady.py``); ``reading/decoding.py`` and ``assembler.py`` are the
definition, and take what is unusual.
"""
