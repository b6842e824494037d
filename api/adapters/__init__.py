"""What stands behind the ports: SQL, the broker, child processes, HTTP; and memory for tests."""
