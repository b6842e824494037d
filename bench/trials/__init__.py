"""Whether it holds: live equals batch, among strangers, under faults; and whether tests notice.

``make parity``, ``make hostile``, ``make soak``, ``make mutants``; they need what ``make setup``
installs, and the last three use the tests' own modules.
"""
