"""Alarms over HTTP: what is shown of them, their figures, and what operators ask of them."""
