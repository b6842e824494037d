"""From scores to verdicts, alarms and alerts.

Start at ``conclude.py``; ``weighing.py`` says what is held against an asset, ``calm.py`` steps
the alarms of assets that nothing is held against, ``watch.py`` those of one asset at a time,
``alerts.py`` puts a transition into words, ``evidence.py`` together what it rests on.
"""
