"""Which defects are planted, and that what the campaign is told about files is still true."""

from __future__ import annotations

import tomllib

import pytest

from bench.trials.mutants.mutations import mutations_of
from bench.trials.mutants.run import ROOT, equivalents, shortened, subjects


def planted(source: str) -> list[tuple[str, str]]:
    """Return kind and changed statement of every mutation."""
    return [(item.kind, item.becomes) for item in mutations_of(source)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x = a < b", [("comparison", "x = a <= b"), ("comparison", "x = a > b")]),
        ("x = a is not b", [("comparison", "x = a is b")]),
        ("x = 0 <= a", [("comparison", "x = 0 < a"), ("off by one", "x = 1 <= a")]),
        ("x = a <= b < c", [("comparison", "x = a < b < c"), ("comparison", "x = a <= b <= c")]),
        ("x = 2", [("off by one", "x = 3"), ("off by one", "x = 1")]),
        ("x = 0.5", [("number", "x = 1.5")]),
        ("x = True", [("truth", "x = False")]),
        ("x = a and b", [("and, or", "x = a or b")]),
        ("x = not a", [("sign", "x = a")]),
        ("x = a + b", [("arithmetic", "x = a - b")]),
        ("x += a", [("arithmetic", "x -= a"), ("left out", "pass")]),
        ("x = min(a)", [("min, max, any, all", "x = max(a)")]),
        ("x = 'too_large'", [("wire text", "x = 'too_largex'")]),
        ("x = f'{a}.readings'", [("wire text", "x = f'{a}.readingsx'")]),
        ("x = f'with {a + b} a blank'", [("arithmetic", "x = f'with {a - b} a blank'")]),
        ("x = f(a=b, c=d)", [("swapped arguments", "x = f(a=d, c=b)")]),
        ("x = f(a, b)", [("swapped arguments", "x = f(b, a)")]),
        ("x = [a for a in b if c]", [("condition", "x = [a for a in b]")]),
        ("self.x = a", [("left out", "pass")]),
        ("f()", [("left out", "pass")]),
        ("raise a", [("left out", "pass")]),
        ("def f():\n    return a", [("returns nothing", "return None")]),
        ("if a:\n    x = b", [("condition", "if not a:")]),
        ("while a:\n    break", [("condition", "while not a:"), ("left out", "pass")]),
    ],
)
def test_each_kind_of_defect_is_planted(source: str, expected: list[tuple[str, str]]) -> None:
    assert planted(source) == expected


@pytest.mark.parametrize(
    "source",
    [
        '"""What it is."""',
        'def f():\n    """Do it."""',
        'X = Y\n"""How many."""',
        "x: Literal['raised'] = a",
        "def f(a: Annotated[int, 5]) -> Literal['b']:\n    pass",
        "assert a is not b",
        "logger.info('it_works', count=b, other=c)",
        "x = 'a sentence for a person'",
        "x = f'a sentence with {a} of {b:.3g}.'",
        "assert_never(a)",
        "T = TypeVar('T')",
        "from a import b",
        "def f():\n    return None",
        "x = zip(a, f(), strict=True)",
        "class A(B, metaclass=C):\n    pass",
    ],
)
def test_what_nobody_should_notice_is_left_alone(source: str) -> None:
    assert planted(source) == []


def test_each_mutant_is_the_whole_file_with_one_change() -> None:
    source = "def f(a):\n    if a < 3:\n        return 1\n    return a\n"

    for mutation in mutations_of(source):
        lines = zip(source.splitlines(), mutation.source.splitlines(), strict=True)
        assert [line for line, (one, two) in enumerate(lines, 1) if one != two] == [mutation.line]


def test_the_files_and_tests_of_a_campaign_exist_and_its_allow_list_is_not_stale() -> None:
    known = subjects([])

    assert len(known) == len(
        tomllib.loads((ROOT / "bench/trials/mutants/subjects.toml").read_text())["tests"]
    )
    for subject in known:
        assert (ROOT / subject.file).is_file(), subject.file
        paths = [test for test in subject.tests if test.startswith("tests/")]
        assert paths
        assert all((ROOT / path).is_file() for path in paths), subject.file
    assert all(len(item.why) > 20 for item in equivalents())


def test_a_long_statement_is_shown_around_its_change() -> None:
    was, becomes = shortened("a" * 300 + "b" + "c" * 300, "a" * 300 + "d" + "c" * 300)

    assert "b" in was
    assert "d" in becomes
    assert max(len(was), len(becomes)) < 120
