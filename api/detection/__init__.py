"""Scoring on request: what is asked of a model, and what it answers.

``ports.py`` is the way to the models, ``values.py`` what crosses it, ``rows.py`` makes rows of what
came as JSON, or says what is wrong with it, ``uploads.py`` keeps a file while it is read. No model
is opened in the api's own process.
"""
