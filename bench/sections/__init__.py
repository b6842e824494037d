"""What ``python -m bench`` measures, one file a section, in the order of ``bench/__main__.py``.

Each has ``SECTION``; whatever it starts comes from ``bench/support/``.
"""
