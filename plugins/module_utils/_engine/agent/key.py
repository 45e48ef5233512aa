# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The verb key: who can open the encrypted backups of a set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..action.options import OptionError, parse_options
from ..action.row import FILES
from .conduct import readable_errors
from .media.files import Files
from .media.key_changes import KeyChanges


@readable_errors("change of keys")
def key(action: Mapping[str, Any]) -> dict[str, Any]:
    """List, add, remove or export what opens the key pairs of a set, in every storage of an action.

    The result has ``keys``, one for each pair and storage. Secret halves are in no result, but for ``export`` as they are stored,
    encrypted. Raises FreezerError; of several pairs none is changed then unless a storage failed.
    """
    options = parse_options(action)
    options.refuse_for("key")
    if options.backup_media != FILES:
        raise OptionError("Only backups of files are encrypted; leave the server or the volume out.")
    files = Files(options)
    sets = files.sets()
    found = KeyChanges(options, files.containers, sets).run()
    chosen = options.chosen()
    more = {"chosen": chosen} if chosen else {}
    return {"hostname": options.host, "backup_name": sets[0].backup_name, "key": options.key, **found, **more}
