"""``surgeline alerts``, ``scores`` and ``machines``: what the api and its files know, as tables."""
