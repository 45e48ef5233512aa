# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The options of freezer-agent: those of an action, from the engine's table, and a few that are the program's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ansible_collections.freezer.backup.plugins.module_utils._engine.action import spec
from ansible_collections.freezer.backup.plugins.module_utils._engine.action.spec import Row

#: Options of the program, by the option of an action that each follows in the help.
_OWN: Mapping[str, Sequence[Row]] = {
    "config": (
        Row("stdin", None, "", "take options from a JSON object on standard input; it wins over the file"),
        Row("allow_exec", None, "", "run the command of an exec also if it came on standard input"),
    ),
    "metadata_out": (
        Row("result_fd", None, "N", "write the whole result, also of a failure, as JSON to this descriptor"),
        Row("progress_fd", None, "N", "write how far it is, as JSON in one place, to this descriptor of a file"),
    ),
    "quiet": (Row("debug", None, "", "show where in the program an unexpected error came from"),),
}

#: What the help shows: titles, and the flags below each.
GROUPS: Sequence[tuple[str, Sequence[Row]]] = tuple(
    (title, tuple(flag for row in rows for flag in (row, *_OWN.get(row.name, ()))))
    for title, rows in spec.GROUPS.items()
    if title
)

#: Options of upstream's agent that change nothing here, and that the help does not show.
IGNORED: Sequence[Row] = tuple(row for row in spec.GROUPS[""] if row.name in spec.WITHOUT_EFFECT)

#: Keys that are freezer-agent's own; all others are the engine's. The second set says where to read and to answer, so
#: it can be given on the command line only.
OWN_KEYS = frozenset({"action", "debug", "log_file", "metadata_out", "quiet"})
COMMAND_LINE_KEYS = frozenset({"allow_exec", "config", "progress_fd", "result_fd", "stdin"})


def flags() -> Iterator[Row]:
    """Every flag that the help shows."""
    for _title, group in GROUPS:
        yield from group
