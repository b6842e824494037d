"""Notifications: webhooks and e-mail tell people and programs of alerts, at least once each.

``receivers.py`` is the file of who is told what, ``rules.py`` decides for one alert (pure),
``words.py`` is what a person reads (pure), ``signing.py`` signs webhooks (pure), ``retries.py``
says when to try again (pure); ``ports.py`` is the outbox and the ways out, ``dispatcher.py`` takes
from the one and gives to the other. docs/notifications.md tells what holds. Start here:
``dispatcher.py``.
"""
