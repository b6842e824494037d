from bench.suite.section import Section
from bench.suite.figures import Findings
SECTION = Section("startup","startup","startup",lambda _:1,lambda _:Findings())
