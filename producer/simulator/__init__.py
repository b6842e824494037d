"""Simulated engines: ``simulate.py`` makes them, with constants that ``estimate.py`` fitted.

They resemble FD001 and are always labelled as simulated.
"""
