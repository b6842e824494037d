"""From readings to verdicts and alerts: the pure core, its ports, their adapters, the Faust app.

May import: ``common``, ``models``. Only ``app.py`` and ``adapters/faust_*.py`` import Faust.
Start here: ``core/pipeline.py``, then ``delivery/service.py``; ``worker/`` is the
process around them.
"""
