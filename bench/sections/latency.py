from bench.suite.figures import Findings
from bench.suite.section import Section

SECTION = Section("latency", "latency", "latency", lambda _: 1, lambda _: Findings())
