# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Which options of an action its verb takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import OptionError, in_a_row
from .options import ONLY_OF_BACKUPS, is_given, option_name, refuse_twice
from .spec import BY_NAME, RETENTION_KEYS, rows_of_module


def taken_by_module(verb: str, action: Mapping[str, Any]) -> dict[str, Any]:
    """What of an action is an option of the module for a verb, by the names of its options.

    What is not given, and what means something to other verbs only, is left out; what no verb knows is not, so that the
    module refuses it. Raises OptionError for an option that is there twice, with different values.
    """
    own = {row.name for row in rows_of_module(verb) if verb in row.verbs}
    found = {}
    refuse_twice(action)
    for key, value in action.items():
        name = option_name(key)
        if (
            is_given(name, value)
            and (name in own or name not in BY_NAME)
            and (name, value == verb) != ("action", False)
        ):
            found[name] = value
    return found


def passed_over(work: str, names: Iterable[str]) -> list[str]:
    """A sentence for each option that means something to other verbs only, and that this work passes over.

    There is none for what `refuse_for` refuses.
    """
    return [f"{said}, and passes over it." for said in _foreign(work, names)]


def refuse_foreign(work: str, names: Iterable[str]) -> None:
    """Raise OptionError for an option that means something to other verbs only."""
    for said in _foreign(work, names):
        raise OptionError(f"{said}; leave it out.")


def _foreign(work: str, names: Iterable[str]) -> list[str]:
    refused = {"backup": RETENTION_KEYS, "restore": (*RETENTION_KEYS, *ONLY_OF_BACKUPS)}.get(work, ())
    known = [BY_NAME[name] for name in names if name in BY_NAME and name not in refused]
    return [f"{row.name} is for {in_a_row(row.verbs)}; this is {work}" for row in known if work not in row.verbs]
