"""Alerts as they come: from the topic into the history, and from there to whoever listens.

``projection.py`` writes the history, ``arriving.py`` rings the bell (``change_signal.py``);
``stream.py`` wakes and reads on from where it stood, in pages that streams share (``pages.py``);
``alarm_stream.py`` does so in alerts and in operators' actions at once. ``keeping.py`` removes what
is old.
"""
