"""The producer's ports on a real broker, and in memory for tests."""
