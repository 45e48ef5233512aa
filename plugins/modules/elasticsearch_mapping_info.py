#!/usr/bin/python
# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: elasticsearch_mapping_info
short_description: Return mappings and settings of indices of Elasticsearch or OpenSearch
version_added: 1.0.0
description:
  - Returns indices, and the differences from the state that M(freezer.backup.elasticsearch_mapping) would make.
  - Without O(index) it manages the indices of C(freezer-api).
author:
  - The freezer.backup authors (@freezer-backup)
options:
  index:
    description: The name of an index, or an alias of one. A missing one is no error; its C(index) is then null.
    type: str
  mapping:
    description: A mapping to compare the index with.
    type: dict
  settings:
    description: Settings to compare the index with.
    type: dict
  prefix:
    description: The prefix of the names of C(freezer-api)'s indices, if O(index) is not given.
    type: str
    default: freezer
  kinds:
    description: Only C(freezer-api)'s indices of these kinds of documents. The default is all.
    type: list
    elements: str
    choices: [action, backup, client, job, session]
extends_documentation_fragment:
  - freezer.backup._attributes
  - freezer.backup._attributes.info
  - freezer.backup._attributes.action_group_search
  - freezer.backup._elasticsearch
attributes:
  action_group:
    version_added: 1.0.0
seealso:
  - module: freezer.backup.elasticsearch_mapping
"""

EXAMPLES = r"""
- name: Look at the indices of freezer-api
  freezer.backup.elasticsearch_mapping_info:
    url: http://127.0.0.1:9200
  register: found

- name: Stop unless they are up to date
  ansible.builtin.assert:
    that: found.indices | rejectattr('outcome', 'eq', 'unchanged') | length == 0
"""

RETURN = r"""
indices:
  description: Each index, and its differences from the desired state.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The requested name.
      type: str
      sample: freezer-jobs
    index:
      description: The index that has this name, null if there is none.
      type: str
      sample: freezer-jobs-v1
    mapping:
      description: Its mapping.
      type: dict
    settings:
      description: Its explicit settings, by their whole names.
      type: dict
    aliases:
      description: Its aliases.
      type: list
      elements: str
      sample: [freezer-jobs]
    documents:
      description: How many documents it has.
      type: int
      sample: 1204
    outcome:
      description:
        - What M(freezer.backup.elasticsearch_mapping) would do to it, V(unchanged) if there is no difference.
      type: str
      sample: unchanged
    added:
      description: Fields that are missing.
      type: list
      elements: dict
    changed:
      description: Fields and settings that differ and can be changed in place.
      type: list
      elements: dict
    conflicts:
      description: Fields and settings that differ and need a new index.
      type: list
      elements: dict
    extra:
      description: Fields of the index that the mapping does not have.
      type: list
      elements: dict
    copy_needed:
      description: Whether a new index is needed.
      type: bool
      sample: false
    old_versions:
      description: Indices that copies have replaced.
      type: list
      elements: str
      sample: []
    unfinished_copy:
      description: A copy that was not finished.
      type: str
    refuses_writes:
      description: Whether it refuses writes.
      type: bool
      sample: false
"""

from ansible_collections.freezer.backup.plugins.module_utils import _python  # noqa: F401  # pylint: disable=unused-import
from ansible_collections.freezer.backup.plugins.module_utils._engine.elasticsearch.flow import (
    KINDS,
    desired_indices,
    look,
)
from ansible_collections.freezer.backup.plugins.module_utils._module.search_module import SearchModule


def main():
    module = SearchModule(
        {
            "index": {"type": "str"},
            "mapping": {"type": "dict"},
            "settings": {"type": "dict"},
            "prefix": {"type": "str", "default": "freezer"},
            "kinds": {"type": "list", "elements": "str", "choices": list(KINDS)},
        },
        required_by={"mapping": ["index"]},
        mutually_exclusive=[("index", "kinds")],
    )
    module.exit_json(changed=False, indices=module.ask(lambda client: look(client, desired_indices(module.params))))


if __name__ == "__main__":
    main()
