"""What people meet at a terminal: the frame around every command, its consoles, its hints.

``entry.py`` holds a program's first and last lines, ``cli.py`` turns a user's mistake into one
line, ``console.py`` and ``printable.py`` keep foreign text from commanding the terminal,
``nearest.py`` and ``extras.py`` say what may have been meant or is not installed. May import
``common.errors``.
"""
