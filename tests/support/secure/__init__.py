"""Servers behind TLS and passwords: throw-away certificates, and a door before the broker."""
