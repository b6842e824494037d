from bench.suite.figures import Findings
from bench.suite.section import Section

SECTION = Section("growth", "growth", "growth", lambda _: 1, lambda _: Findings())
