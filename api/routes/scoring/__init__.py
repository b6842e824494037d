"""Scores on request: of readings that are sent, and what another rule would have raised."""
