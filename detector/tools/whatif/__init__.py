"""``surgeline whatif``: recorded readings under another threshold, model or rule.

``rule.py`` is what may be changed, ``report.py`` computes both sides (``models.whatif.matching``
pairs their alerts), ``output.py`` shows them, ``command.py`` is the command.
"""
