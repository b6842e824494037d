"""``surgeline deadletter``: list, show and retry what could not be used.

``letters.py`` reads and retries, ``output.py`` shows, ``command.py`` holds the commands.
"""
