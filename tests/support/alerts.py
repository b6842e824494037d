"""Builders of alerts: short to write, valid on the wire, with derived ids."""

from __future__ import annotations

from bench.support.alerts import START, batch, make_alert, wire

__all__ = ["START", "batch", "make_alert", "wire"]
