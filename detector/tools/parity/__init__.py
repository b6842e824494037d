"""``surgeline parity``: live equals batch, or where it does not.

``expected.py`` computes what must be, ``live.py`` reads what is, ``differences.py`` and
``evidence.py`` compare, ``report.py`` does all of it, ``output.py`` shows it, ``command.py`` is the
command.
"""
