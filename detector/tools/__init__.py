"""Tools for operators: parity, what-if replay and dead letters. They never touch live state.

May import ``common``, ``models`` and the detector's core; never Faust, never Redis. Start here:
``recording.py`` (the readings of a run, from the topic or a data set), ``parity.py``,
``whatif.py``, ``deadletter.py``; ``cli.py`` is the command line over them.
"""
