from bench.suite.section import Section
from bench.suite.figures import Findings
SECTION = Section("latency","latency","latency",lambda _:1,lambda _:Findings())
