"""Names that may begin files and identifiers of C and C++, as models' names must."""

from __future__ import annotations

import re

LONGEST_NAME = 48

_HEADERS = """
    assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal stdalign stdarg stdatomic
    stdbit stdbool stdckdint stddef stdint stdio stdlib stdnoreturn string tgmath threads time uchar wchar wctype
"""
HEADERS = frozenset(_HEADERS.split())
"""Of C's standard library: ``string.h`` of a network would stand in for the one that is meant."""

_KEYWORDS = """
    alignas alignof and and_eq asm auto bitand bitor bool break case catch char char16_t char32_t char8_t class
    co_await co_return co_yield compl concept const const_cast consteval constexpr constinit continue decltype
    default delete do double dynamic_cast else enum explicit export extern false float for friend goto if inline int
    long mutable namespace new noexcept not not_eq nullptr operator or or_eq private protected public register
    reinterpret_cast requires restrict return short signed sizeof static static_assert static_cast struct switch
    template this thread_local throw true try typedef typeid typename typeof typeof_unqual union unsigned using
    virtual void volatile wchar_t while xor xor_eq
"""
KEYWORDS = frozenset(_KEYWORDS.split())
"""Of C23 and C++23 together."""

ENDINGS = ("_push", "_weights", "_kernels")
"""``NET_PUSH_ARENA_SIZE`` is a macro of the network ``net``, ``net_weights.h`` one of its files."""


def name_problem(name: str) -> str | None:
    """What keeps a name from being part of C and C++ identifiers, with a name that could; None for a good one."""
    if name in KEYWORDS:
        return f"it is a keyword of C or C++. Try: {name}_net"
    if name.lower() in HEADERS:    # some file systems take String.h for string.h
        return f"C's standard library has a header {name.lower()}.h. Try: {name}_net"
    taken = next((ending for ending in ENDINGS if name.lower().endswith(ending)), None)
    if taken:    # beside a network of the first half of that name
        return f"names that end in {taken} are those of a network's own files and macros. Try: {name}_net"
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name, re.ASCII) and "__" not in name and len(name) <= LONGEST_NAME:
        return None
    usable = re.sub(r"_+", "_", re.sub(r"[^A-Za-z0-9]", "_", name)).strip("_")[:LONGEST_NAME].rstrip("_")
    if not usable[:1].isalpha() or usable in KEYWORDS or usable.lower() in HEADERS:
        usable = f"net_{usable}".rstrip("_")[:LONGEST_NAME]
    return (
        f"not a C identifier (a letter, then letters, digits and single underscores, at most {LONGEST_NAME}). "
        f"Try: {usable}"
    )
