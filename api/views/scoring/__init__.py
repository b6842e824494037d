"""Scoring on request over HTTP: windows that somebody sends, and rules tried on history."""
