"""What Surgeline costs, how good its models are, and whether it holds.

``make bench`` (``python -m bench``) measures everything once, beside what others would have built;
single questions have commands of their own, which their first lines name.

- ``sections/`` what ``make bench`` measures, ``suite/`` how a run is told and kept, ``results/``
  the last whole run; ``report.py`` writes it into docs/performance.md, ``scale.py`` reckons with it
- ``peers/`` what others would have built
- ``worker/``, ``stores/``, ``api/`` what one part costs alone
- ``quality/`` how good models, thresholds and remaining life are
- ``trials/`` whether live equals batch, among strangers, under faults, and with planted defects
- ``support/`` what all of them start: servers, workers, fleets

May import everything of Surgeline; nothing but tests may import it. What ``make demo`` installs is
enough for ``python -m bench`` and for ``worker/``, ``stores/`` and ``api/``, but for
``api/console/``, which needs a browser. Start with ``__main__.py``.
"""
