"""From scores of healthy (and, where there are any, faulty) windows to a threshold. Pure numpy.

``strategies.py`` are the ways as functions, ``peaks_over_threshold.py`` is the longest of them;
``rule.py`` is their registry: what a command line or a manifest names.
"""
