from bench.suite.section import Section
from bench.suite.figures import Findings
SECTION = Section("peers","peers","peers",lambda _:1,lambda _:Findings())
