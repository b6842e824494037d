"""What the api's answers cost with a large fleet: its questions, alarms, silence, and the console.

One command a file or room. ``console/`` needs a Chromium, and what ``make setup`` installs.
"""
