"""Grafana's dashboards, as code: ``python -m deploy.dashboards`` writes them as JSON.

``model.py`` turns panels into Grafana's JSON, ``sources.py`` knows the three data sources and how
to ask them; each of ``fleet.py``, ``engine.py``, ``alarms.py``, ``pipeline.py`` is one dashboard,
``writing.py`` writes all files. Names of measurements, metrics and tables come from their homes, so
they cannot drift. A test asks real servers every query
(``tests/integration/test_observability.py``).
"""
