from bench.suite.section import Section
from bench.suite.figures import Findings
SECTION = Section("throughput","throughput","throughput",lambda _:1,lambda _:Findings())
