"""``surgeline check``: how many readings of a recording would be scored, and why not the rest.

``refusals.py`` says which readings decoding would refuse, ``course.py`` takes the others through
the detector's own core, ``tally.py`` counts what became of them, ``report.py`` is the result,
``advice.py`` what to do about it, ``output.py`` shows it, ``command.py`` is the command.
"""
