"""What stands behind the ports: SQL, the broker, child processes, HTTP; for tests, memory."""
