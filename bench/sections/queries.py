from bench.suite.figures import Findings
from bench.suite.section import Section

SECTION = Section("queries", "queries", "queries", lambda _: 1, lambda _: Findings())
