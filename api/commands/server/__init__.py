"""Asking the api over HTTP: a client, what all commands ask, and what a name means."""
