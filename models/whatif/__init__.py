"""What another rule would have made of the same readings. Pure.

``stored.py`` steps the alarm through stored verdicts under two rules, ``matching.py`` says which
alert of one side is which of the other. The command ``surgeline whatif`` computes both sides from
readings (``detector/tools/whatif``) and matches them here; the api does it from stored scores.
"""
