# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Which of the words that are known was meant by one that is not."""

from __future__ import annotations

from collections.abc import Iterable

#: How alike two words are, from 0 to 1, of which one may be the other with a slip.
_LEAST_LIKENESS = 0.7
#: What is typed may be of any length; no word that is known is longer.
_MOST_CHARACTERS = 64


def closest(word: str, known: Iterable[str]) -> str:
    """The known word that is most like this one; empty if none is."""
    # Not before it is needed, which is seldom: it takes its time.
    import difflib

    return next(iter(difflib.get_close_matches(word[:_MOST_CHARACTERS], list(known), 1, _LEAST_LIKENESS)), "")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A sentence that asks whether a known word was meant, with a blank before it; empty if none is like this one."""
    close = closest(word, known)
    return f" Did you mean {close}?" if close else ""
