"""What benchmarks start and need: servers, workers, subscribers, fleets of any size.

May import no section, no single question, and no test: tests import this. Start with ``stage.py``.
"""
