# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one place where modules of the registry meet AnsibleModule: options in, one flow, result or sentence out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Callable, NoReturn

from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.errors import DocumentError
from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.secrets import without_secrets
from ansible_collections.freezer.backup.plugins.module_utils._engine.errors import FreezerError
from ansible_collections.freezer.backup.plugins.module_utils._engine.freezer_client.client import Registry
from ansible_collections.freezer.backup.plugins.module_utils._engine.freezer_client.plan import Result
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.grammar import ScheduleError
from ansible_collections.freezer.backup.plugins.module_utils._module.masking import DiscreetModule, mask
from ansible_collections.freezer.backup.plugins.module_utils._module.query import compiled_query
from ansible_collections.freezer.backup.plugins.module_utils._module.registry_options import (
    registry_from,
    registry_options,
    secret_values,
)


class RegistryModule(DiscreetModule):
    """A module that speaks to a Freezer API: the connection's options, check mode, and no secret in what it says."""

    def __init__(self, argument_spec: dict[str, Any], **kwargs: Any) -> None:
        # An action may carry passwords, which Ansible cannot know; so it is not told to log the options.
        kwargs.update(supports_check_mode=True, no_log=True)
        super().__init__(argument_spec={**registry_options(), **argument_spec}, **kwargs)
        mask(self, secret_values(self.params))

    def document(self, *keys: str) -> dict[str, Any]:
        """The options with these names, as a document."""
        return {key: self.params[key] for key in keys}

    def run(self, flow: Callable[[Registry], Result], name: str | None = None) -> NoReturn:
        """Run a flow that changes something and return what it says; C(name) is the kind of document."""
        result = self.ask(flow)
        for warning in result.warnings:
            self.warn(warning)
        document = {name: result.document, name + "_id": result.document_id} if name else {}
        diff = {"before": result.before, "after": result.after}
        # Here, so that no flow can forget it.
        returned = without_secrets({"diff": diff, **document, **result.values})
        self.exit_json(changed=result.changed, **returned)

    def run_info(self, plural: str, flow: Callable[[Registry], Iterable[Any]]) -> NoReturn:
        """Run a flow that only looks, and return the list that it finds, or what C(query) makes of it."""
        query = compiled_query(self, self.params["query"]) if self.params.get("query") else None
        found = self.ask(lambda registry: without_secrets(list(flow(registry))))
        self.exit_json(changed=False, **({"query_result": query(found)} if query else {plural: found}))

    def ask(self, flow: Callable[[Registry], Any]) -> Any:
        """Run a flow against the API and turn what it raises into the one sentence that the user reads."""
        try:
            registry = registry_from(self.params)
            try:
                return flow(registry)
            finally:
                registry.close()
        except (FreezerError, DocumentError, ScheduleError) as error:
            status = getattr(error, "status", None)
            values = without_secrets(getattr(error, "values", {}))
            self.fail_json(msg=str(error).rstrip(".") + ".", **({"status": status} if status else {}), **values)
