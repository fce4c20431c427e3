"""Shell patterns of ids, matched in time that grows with the text and not with the number of stars."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated

from pydantic import Field

PATTERN_CHARS_MAX = 128
Pattern = Annotated[str, Field(min_length=1, max_length=PATTERN_CHARS_MAX)]


def matches_any(text: str, patterns: Sequence[str]) -> bool:
    """Whether a text matches one of the patterns: `*` any characters, `?` one, `[ab]` and `[!a-c]` one of a set."""
    return _matches_any(text, tuple(patterns))


# Hundreds of clients ask the same of the same few ids.
@lru_cache(maxsize=1024)
def _matches_any(text: str, patterns: tuple[str, ...]) -> bool:
    return any(_matches(text, _pieces(pattern)) for pattern in patterns)


def _matches(text: str, pieces: tuple[re.Pattern[str], ...]) -> bool:
    """Piece after piece at its leftmost place: each has a fixed length, so that nothing is ever tried twice."""
    first, rest = pieces[0], pieces[1:]
    if not rest:
        return first.fullmatch(text) is not None
    found = first.match(text)
    for piece in rest[:-1]:
        found = None if found is None else piece.search(text, found.end())
    if found is None:
        return False
    last = rest[-1]
    start = len(text) - _length(last)
    return start >= found.end() and last.fullmatch(text, start) is not None


@lru_cache(maxsize=1024)
def _pieces(pattern: str) -> tuple[re.Pattern[str], ...]:
    """What stands before, between and behind the stars."""
    pieces, piece, at = [], "", 0
    while at < len(pattern):
        if pattern[at] == "*":
            pieces.append(piece)
            piece = ""
            at += 1
            continue
        token, at = _token(pattern, at)
        piece += token
    pieces.append(piece)
    # An empty piece between two stars says nothing.
    inner = [one for one in pieces[1:-1] if one]
    kept = [pieces[0], *inner, *pieces[-1:]] if len(pieces) > 1 else pieces
    return tuple(re.compile(one, re.DOTALL) for one in kept)


def _token(pattern: str, at: int) -> tuple[str, int]:
    """The regular expression of one character of the text, and where the pattern goes on."""
    char = pattern[at]
    if char == "?":
        return ".", at + 1
    # As the shell reads it: a bracket right behind the opening one, or behind its `!`, is a member of the set.
    end = pattern.find("]", at + 3 if pattern[at + 1 : at + 2] == "!" else at + 2)
    if char != "[" or end < 0:
        return re.escape(char), at + 1
    return _set(pattern[at + 1 : end]), end + 1


def _set(members: str) -> str:
    is_negated = members.startswith("!")
    body, found, at = members.removeprefix("!"), "", 0
    while at < len(body):
        if body[at + 1 : at + 2] == "-" and at + 2 < len(body):
            low, high = body[at], body[at + 2]
            found += f"{re.escape(low)}-{re.escape(high)}" if low <= high else ""
            at += 3
        else:
            found += re.escape(body[at])
            at += 1
    if not found:
        return "." if is_negated else r"[^\s\S]"
    return f"[{'^' if is_negated else ''}{found}]"


def _length(piece: re.Pattern[str]) -> int:
    """Characters that a piece matches: every token is one."""
    return len(re.findall(r"\[\^?(?:\\.|[^\\\]])*\]|\\.|.", piece.pattern, re.DOTALL))
