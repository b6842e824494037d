"""The report of ``surgeline evaluate``: intervals, events, plots, one HTML file.

``comparison.py`` measures a model beside the baselines; ``card.py`` writes its card. ``page.py``
puts the page together: ``bootstrap.py`` draws engines and gives intervals (numpy only),
``events.py`` runs the alarm rule over whole records, ``uncertainty.py`` says in plain sentences who
is better, ``ranking.py`` and ``main_findings.py`` are the table and the sentences on top,
``curves.py`` holds the numbers behind the plots, ``figures.py`` and ``engine_courses.py`` draw them
(matplotlib), ``svg.py`` makes a drawing fit the page. Needs the extra ``train``; nothing that
serves imports this.
"""
