"""Alarms over HTTP: lists and streams, what operators do, maintenance windows, events as rows."""
