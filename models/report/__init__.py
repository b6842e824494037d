"""The report of ``surgeline evaluate``: intervals, events, plots, one HTML file.

Start at ``page.py``, which puts it together. ``bootstrap.py`` draws engines and gives intervals
(numpy only), ``events.py`` runs the alarm rule over whole lives, ``verdicts.py`` says in plain
sentences who is better, ``curves.py`` holds the numbers behind the plots, ``figures.py`` and
``lives.py`` draw them (matplotlib), ``svg.py`` makes a drawing fit the page. Needs the extra
``train``; imported by nothing that serves.
"""
