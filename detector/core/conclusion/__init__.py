"""From scores to verdicts, alarms and alerts.

Start at ``conclude.py``; ``weighing.py`` says what is held against an asset, ``alerts.py`` puts a
transition into words, ``evidence.py`` together what it rests on.
"""
