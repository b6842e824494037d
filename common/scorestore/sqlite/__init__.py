"""The score store in one SQLite file: ``store.py`` implements the port.

``thread.py`` keeps each connection on its own thread, ``schema.py`` makes and opens the file,
``rows.py`` turns verdicts into rows and back, ``reader.py`` and ``writer.py`` are the statements,
``growth.py`` is what columns add to summaries, ``known.py`` what a writer keeps in mind,
``errors.py`` what they may fail with.
"""
