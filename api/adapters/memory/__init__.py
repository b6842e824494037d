"""The ports in memory, for tests: they pass the suites that SQL and the broker pass."""
