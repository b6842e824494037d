"""What the score stores cost: writing and reading, keeping within bounds, series in InfluxDB.

One command a file. None needs more than ``make demo`` installs, and InfluxDB's engine where named.
"""
