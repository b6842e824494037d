"""The score store in InfluxDB: ``store.py`` implements the port.

``lines.py`` writes line protocol, ``queries.py`` and ``summaries.py`` ask and read answers,
``errors.py`` says what a refusal means.
"""
