# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The options of freezer-agent: those of an action, from the engine's table, and a few that are the program's own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from ansible_collections.freezer.backup.plugins.module_utils._engine.action import spec
from ansible_collections.freezer.backup.plugins.module_utils._engine.action.row import Row

#: Options of the program, by the option of an action that each follows in the help.
_OWN: Mapping[str, Sequence[Row]] = {
    "config": (
        Row("stdin", None, "", "Take options from a JSON object on standard input; it wins over the file."),
        Row("allow_exec", None, "", "Run the command of an exec also if it came on standard input."),
    ),
    "metadata_out": (
        Row("result_fd", None, "N", "Write the whole result, also of a failure, as JSON to this descriptor."),
        Row("progress_fd", None, "N", "Write how far it is, as JSON in one place, to this descriptor of a file."),
    ),
    "quiet": (Row("debug", None, "", "Show where in the program an unexpected error came from."),),
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

#: The marks of Ansible's documentation in the texts of the table.
_MARKS = re.compile(r"(RV|[OVCEM])\(((?:[^()]|\([^()]*\))*)\)")


def flags() -> Iterator[Row]:
    """Every flag that the help shows."""
    for _title, group in GROUPS:
        yield from group


def spelling(key: str) -> str:
    """A key as it is typed at a shell."""
    return f"--{key.replace('_', '-')}"


def as_typed(text: str) -> str:
    """A text of the table without its marks: options as they are typed, values and names as they are."""
    return _MARKS.sub(_typed, text)


def _typed(mark: re.Match[str]) -> str:
    kind, inner = mark.groups()
    if kind == "M":
        verbs = {module: verb for verb, module in spec.MODULES.items()}
        return f"--action {verbs[inner.rpartition('.')[2]]}"
    if kind == "RV":
        return inner.removeprefix("ignore:")
    if kind != "O":
        return inner
    name, _equals, value = inner.partition("=")
    if name in (row.name for row in spec.GROUPS[""]):
        return inner
    row = spec.BY_NAME[name]
    flag = spelling(row.spelling or name)
    return f"{flag} {value}" if value and row.metavar else flag


def about(row: Row) -> str:
    """What an option is, with its values and its default, in the form of a line of the help."""
    said = as_typed(row.text).rstrip(".")
    beside = []
    if any(not re.search(rf"\b{choice}\b", said) for choice in row.choices):
        beside.append(f"{', '.join(row.choices[:-1])} or {row.choices[-1]}")
    if row.repeated:
        beside.append("can be given several times")
    default = as_typed(row.otherwise) or (
        "" if isinstance(row.typed_default, bool) or not row.is_declared else _shown(row.typed_default)
    )
    if default:
        beside.append(f"default: {default}")
    return f"{said[:1].lower()}{said[1:]}" + (f" ({'; '.join(beside)})" if beside else "")


def _shown(default: object) -> str:
    return "" if default is None else f"{default:.0f}" if isinstance(default, float) else str(default)
