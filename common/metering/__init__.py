"""What every service counts: the one home of metric names, their labels and their bounds.

``names.py`` is the list, ``spec.py`` says what an entry is and makes the instrument,
``batch_histogram.py`` is a histogram that takes a whole batch at once. Services make instruments of
the entries (``detector/metrics.py``, ``api/metrics.py``); dashboards and ``docs/metrics.md`` are
written from the same entries. May import records, errors and topics; nothing of a service.
"""
