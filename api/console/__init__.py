"""The operator's console: static pages over the api, with no build step and no internet.

Start at ``static/main.js`` (the frame), then ``static/store.js`` (what the pages show, kept live);
each page has a module of its own. ``files.py`` serves them. ``static/vendor/README.md`` lists the
libraries.
"""
