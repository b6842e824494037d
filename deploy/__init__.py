"""Puts the services together: the ``surgeline`` command, and the whole stack on this machine.

May import everything. Start here: ``cli.py``.
"""
