"""Experiment tracking and the model registry, both optional: extra ``mlflow``, off by default.

Start at ``gate.py``, pure: when may a candidate replace production. ``validation.py`` gives the
numbers that it compares; ``promotion.py`` is the way from a candidate to production; ``record.py``
says what is kept of a run; ``registry.py`` is the port, ``mlflow_registry.py`` the only importer of
MLflow. ``resolve.py`` turns ``models:/surgeline@production`` into a folder for whoever loads an
artifact. The commands are in ``models/cli/promotion.py``.
"""
