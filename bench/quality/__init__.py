"""How good what we compute is: false warnings, remaining life, blanks, other people's recordings.

One command a file or room, on recordings that must be at hand; needs what ``make setup`` installs.
``range_oracles.py`` has the authors of range metrics compute what our tests compare with.
"""
