"""Windows scored in a process of their own, beside the worker's: ``beside.py`` decides, and asks.

``child.py`` is what runs there, ``running.py`` the worker's end of it, ``link.py`` what goes
between them.
"""
