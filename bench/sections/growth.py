from bench.suite.section import Section
from bench.suite.figures import Findings
SECTION = Section("growth","growth","growth",lambda _:1,lambda _:Findings())
