from bench.suite.figures import Findings
from bench.suite.section import Section

SECTION = Section("startup", "startup", "startup", lambda _: 1, lambda _: Findings())
