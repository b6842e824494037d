from bench.suite.section import Section
from bench.suite.figures import Findings
SECTION = Section("queries","queries","queries",lambda _:1,lambda _:Findings())
