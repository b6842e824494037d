"""What a worker costs: end to end, each stage of its core, its state store, a rebuild.

One command a file. None needs more than ``make demo`` installs.
"""
