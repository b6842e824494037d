"""How good remaining life is, and what it costs (``cost.py``)."""
