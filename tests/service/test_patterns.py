"""Patterns mean what the shell means, and cost little however they are written."""

import fnmatch
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.patterns import matches_any


@pytest.mark.parametrize(
    ("pattern", "text", "is_match"),
    [
        ("dock-*", "dock-1", True), ("dock-*", "gate", False), ("*", "", True), ("?", "", False), ("a*a", "a", False),
        ("*[12]", "dock-2", True), ("[!a]x", "bx", True), ("[!a]x", "ax", False), ("[*]", "*", True),
        ("[a-c]", "b", True), ("[c-a]", "b", False), ("[", "[", True), ("[]]", "]", True), ("a.c", "abc", False),
        ("**", "any", True), ("A", "a", False), ("*a\n", "b\na\n", True),
    ],
)  # fmt: skip
def test_pattern_matches_as_in_a_shell(pattern: str, text: str, is_match: bool) -> None:
    assert matches_any(text, [pattern]) is is_match


@given(st.text("ab*?[]!-\\^.", max_size=10), st.text("ab*[]!-\\^.", max_size=10))
def test_pattern_matches_what_the_standard_library_matches(pattern: str, text: str) -> None:
    assert matches_any(text, [pattern]) is fnmatch.fnmatchcase(text, pattern)


def test_pattern_of_many_stars_costs_little() -> None:
    patterns = ["*a" * (60 + number % 4) + "b" for number in range(100)]

    began_s = time.perf_counter()
    found = matches_any("a" * 64, patterns)

    assert not found
    assert time.perf_counter() - began_s < 0.5
