"""Assets over HTTP: how each is now, its readings and verdicts, its type, whether it is silent."""
