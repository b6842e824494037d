"""The decisions: what each reading gets, when an alarm changes, what the next state is.

Pure: values in, values out; no waiting, no clock, no I/O. Read ``pipeline.py`` first.
What goes on as it should, nearly everything, is taken many at once (``decoding_many.py``,
``steady.py``); ``decoding.py`` and ``assembler.py`` are the definition, and take what is unusual.
"""
