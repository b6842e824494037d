"""The process around the detector: its health, its memory, other fleets while it runs, its end."""
