# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes plugins/doc_fragments/_action.py, the options of backup, restore, verify and prune, from the table of options.

Ansible reads documentation without running it, so it has to be literal.

usage: .venv/bin/python tools/fragments.py            writes it
       .venv/bin/python tools/fragments.py --check    says what differs, as `make lint` does
"""

from __future__ import annotations

import argparse
import difflib
import re
import sys
import textwrap
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.freezer.backup.plugins.module_utils._engine.action.row import Row
from ansible_collections.freezer.backup.plugins.module_utils._engine.action.spec import BY_NAME, MODULES
from ansible_collections.freezer.backup.plugins.module_utils._module.action_specs import action_spec

CHECKOUT = Path(__file__).resolve().parent.parent
WRITTEN = CHECKOUT / "plugins/doc_fragments/_action.py"
COMMAND = ".venv/bin/python tools/fragments.py"

_WIDTH = 120
_HEAD = '''# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys of a freezer_action as options of modules: what all verbs take, and what one of them takes besides.

Written by tools/fragments.py from the table in module_utils/_engine/action.
"""

from __future__ import annotations


class ModuleDocFragment:
'''


def fragments() -> str:
    """The file as the table has it."""
    specs = {module: action_spec(verb) for verb, module in MODULES.items()}
    first, *others = specs.values()
    common = {name: option for name, option in first.items() if all(other.get(name) == option for other in others)}
    # What names options that some modules lack is each module's own, so that none is called another module's there.
    while foreign := [name for name in common if not _named(name) <= set(common)]:
        common = {name: option for name, option in common.items() if name not in foreign}
    parts = [_part("DOCUMENTATION", common, common)]
    for module, spec in specs.items():
        own = {name: option for name, option in spec.items() if name not in common}
        parts.append(_part(module.upper(), own, spec))
    return _HEAD + "\n".join(parts)


def _part(name: str, options: Mapping[str, Any], known: Collection[str]) -> str:
    lines = [f'    {name} = r"""', "options:"]
    for option, declared in sorted(options.items()):
        row = BY_NAME[option]
        lines += _option(option, [_qualified(text, known) for text in _texts(row)], declared, "  ")
    return "\n".join([*lines, '"""\n'])


def _texts(row: Row) -> list[str]:
    default = f"The default is {row.otherwise}." if row.otherwise else ""
    return [text for text in (row.text, default, *row.paragraphs, row.of_modules) if text]


def _named(option: str) -> set[str]:
    """The options that the texts of an option name."""
    return set(re.findall(r"\bO\((\w+)", " ".join(_texts(BY_NAME[option]))))


def _option(name: str, texts: Sequence[str], declared: Mapping[str, Any], indent: str) -> Iterator[str]:
    yield f"{indent}{name}:"
    yield f"{indent}  description:"
    for text in texts:
        yield from textwrap.wrap(
            _quoted(text),
            _WIDTH,
            initial_indent=f"{indent}    - ",
            subsequent_indent=f"{indent}      ",
            break_long_words=False,
            break_on_hyphens=False,
        )
    for key in ("type", "elements", "choices", "default", "aliases", "required"):
        if key in declared:
            yield f"{indent}  {key}: {_scalar(declared[key])}"
    if "options" in declared:
        yield f"{indent}  suboptions:"
        for inner, option in declared["options"].items():
            yield from _option(inner, [f"As O({inner}), for this storage alone."], option, f"{indent}    ")


def _qualified(text: str, known: Collection[str]) -> str:
    """The text with the module before options that are another module's."""

    def named(mark: re.Match[str]) -> str:
        name = mark[1]
        if name in known:
            return mark[0]
        module = next(module for verb, module in MODULES.items() if verb in BY_NAME[name].verbs)
        return f"O(freezer.backup.{module}#module:{name}"

    return re.sub(r"\bO\((\w+)", named, text)


def _quoted(text: str) -> str:
    plain = yaml.safe_load(f"- {text}") if ": " not in text and " #" not in text else None
    return text if plain == [text] else "'" + text.replace("'", "''") + "'"


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(value)}]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def main() -> None:
    """Write the file, or say what is not so."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true")
    wanted = fragments()
    if not parser.parse_args().check:
        WRITTEN.write_text(wanted)
        return
    name = str(WRITTEN.relative_to(CHECKOUT))
    found = WRITTEN.read_text() if WRITTEN.exists() else ""
    differences = difflib.unified_diff(
        found.splitlines(keepends=True),
        wanted.splitlines(keepends=True),
        name,
        f"{name} as the table of options has it",
    )
    if found != wanted:
        sys.stdout.writelines(differences)
        sys.exit(f"{name} is not what the table of options says: run {COMMAND}")


if __name__ == "__main__":
    main()
