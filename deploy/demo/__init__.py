"""``surgeline demo``: the whole stack once, over a fleet of test engines, with a report.

May import everything. Start here: ``command.py``; ``run.py`` is the run, ``findings.py`` what is
read back from stores and topics, ``report.py`` how it is shown.
"""
