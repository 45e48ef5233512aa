# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way from a module's options to the engine's snapshots, and back."""

from __future__ import annotations

import signal
from typing import Any

from .._engine.errors import FreezerError
from .._engine.lvm import ensure
from .host_module import end_by_signal
from .masking import DiscreetModule


def run_snapshot_module(spec: dict[str, Any]) -> None:
    """Make a snapshot be there or not, as the options say. A lost connection ends the work as cleanly as an error does."""
    module = DiscreetModule(
        argument_spec=spec,
        mutually_exclusive=[("path", "volume", "leftovers"), ("name", "keep"), ("leftovers", "keep")],
        required_by={"mount_point": "name", "keep": "set_name"},
        supports_check_mode=True,
    )
    given = module.params
    if given["leftovers"] and given["state"] != "absent":
        module.fail_json(msg="leftovers is for state=absent.")
    if given["keep"] is not None and (given["state"] != "absent" or given["keep"] < 0):
        module.fail_json(msg="keep is for state=absent, and 0 or more.")
    if not (given["path"] or given["volume"] or given["leftovers"]):
        module.fail_json(msg="one of the following is required: path, volume, leftovers")
    if not (given["name"] or given["leftovers"] or given["keep"] is not None):
        module.fail_json(msg="name is required with path and volume, unless keep is given.")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end_by_signal)
    try:
        module.exit_json(**_work(given, module.check_mode))
    except FreezerError as problem:
        module.fail_json(msg=str(problem))


def _work(given: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    if given["leftovers"]:
        return ensure.without_leftovers(given["timeout_seconds"], check_mode)
    own = ("state", "leftovers", "keep")
    wanted = ensure.Wanted(**{key: value for key, value in given.items() if key not in own})
    if given["keep"] is not None:
        return ensure.rotated(wanted, given["keep"], check_mode)
    return (ensure.present if given["state"] == "present" else ensure.absent)(wanted, check_mode)
