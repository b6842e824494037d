"""The decisions: what each reading gets, when an alarm changes, what the next state is.

Pure: values in, values out; no waiting, no clock, no I/O. Read ``pipeline.py`` first.
"""
