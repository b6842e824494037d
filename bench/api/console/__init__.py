"""How the console does before a large fleet, in a real browser: ``python -m bench.api.console``."""
