# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A recovery kit: gathered by the module on the host, written and proven on the controller."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.freezer.backup.plugins.module_utils._engine.agent.recovery_proof import Kit, prove
from ansible_collections.freezer.backup.plugins.module_utils._engine.errors import FreezerError
from ansible_collections.freezer.backup.plugins.module_utils._engine.system.file_names import printable, shown
from ansible_collections.freezer.backup.plugins.plugin_utils.recovery_kit import (
    PAGE,
    SIGNERS,
    KitFiles,
    KitFolder,
    where,
)


class ActionModule(ActionBase):
    """The action recovery_kit."""

    TRANSFERS_FILES = False
    _supports_check_mode = True

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Gather, write, prove. The task fails where one of the kits is not enough, after all of them were written."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _checked, wanted = self.validate_argument_spec(
            argument_spec={
                "backups": {"type": "list", "elements": "dict", "required": True},
                "folder": {"type": "path", "required": True},
                "pass_file": {"type": "path", "no_log": False},
                "identity_file": {"type": "path"},
            }
        )
        given = self._execute_module(
            module_name="freezer.backup.recovery_kit",
            module_args={"backups": wanted["backups"], "folder": wanted["folder"]},
            task_vars=task_vars,
        )
        if given.get("failed") or given.get("unreachable") or "kit" not in given:
            return {**result, **{key: value for key, value in given.items() if key != "kit"}}
        host = str((task_vars or {}).get("inventory_hostname", ""))
        try:
            result.update(self._kept(KitFiles(host, given["kit"]), wanted))
        except FreezerError as problem:
            result.update(failed=True, msg=str(problem))
        return result

    def _kept(self, kit: KitFiles, wanted: Mapping[str, Any]) -> dict[str, Any]:
        folder = KitFolder(wanted["folder"], kit.host)
        before = folder.read([PAGE])[PAGE].decode("utf-8", "replace")
        changes = folder.differing(kit.content)
        content = kit.content
        if not self._task.check_mode:
            folder.write(kit.content, changes)
            # What is proven is what lies there.
            content = folder.read(list(kit.content))
        sets = [self._proven(kit, one, content, wanted) for one in kit.sets]
        problems = [*kit.problems, *(one["sentence"] for one in sets if not one["proven"])]
        page = kit.content[PAGE].decode()
        found: dict[str, Any] = {
            "changed": bool(changes),
            "folder": folder.path,
            "page": f"{folder.path}/{PAGE}",
            "sets": sets,
            "problems": problems,
        }
        if self._task.diff:
            found["diff"] = {"before": before, "after": page, "before_header": PAGE, "after_header": PAGE}
        if problems:
            done = "was not written in check mode" if self._task.check_mode else f"lies in {folder.path}"
            found.update(
                failed=True,
                msg=f"The recovery kit of {kit.host} {done}, and was not proven to be enough: {' '.join(problems)}",
            )
        return found

    def _proven(
        self, kit: KitFiles, one: Mapping[str, Any], content: Mapping[str, bytes], wanted: Mapping[str, Any]
    ) -> dict[str, Any]:
        named = f"{one['backup_name']} of host {one['hostname']} in {where(one)}"
        about = {key: one[key] for key in ("hostname", "backup_name", "storage", "container")}
        about["key_ids"] = [pair["key_id"] for pair in one["keys"]]
        try:
            if one["problem"]:
                raise FreezerError(str(one["problem"]))
            held = Kit(kit.key_files(one, content), content.get(SIGNERS, b""))
            proof = prove(one, held, wanted["pass_file"], wanted["identity_file"])
        except FreezerError as problem:
            said = printable(shown(str(problem))).replace("(encrypt_pass_file)", "(pass_file)")
            return {**about, "proven": False, "backup_id": None, "sentence": f"{named}: {said}"}
        read = "the beginning of its files" if proof.path is None else f"the file {printable(proof.path)}"
        signed = f"signed by {proof.signed_by}" if proof.signed_by else f"and {proof.signed_by_reason}"
        sentence = f"{named}: level {proof.level}, {proof.backup_id}: {read} ({proof.content_bytes} bytes) was restored, {signed}"
        return {**about, "proven": True, "backup_id": proof.backup_id, "sentence": sentence}
