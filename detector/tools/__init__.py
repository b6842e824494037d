"""Tools for operators: parity, what-if replay, dead letters, and checking data of one's own.

They never touch live state. May import ``common``, ``models`` and the detector's core; never Faust,
never Redis. Start here: ``recording.py`` (the readings of a run, from the topic or a data set);
``parity/``, ``whatif/``, ``deadletter/`` and ``check/`` are one command each.
"""
