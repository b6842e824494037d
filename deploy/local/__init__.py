"""The whole stack as processes on this machine: broker, Valkey, detector, api.

Start here: ``stack.py`` (which processes, in which order), ``programs.py`` (their command lines).
"""
