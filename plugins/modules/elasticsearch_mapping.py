#!/usr/bin/python
# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: elasticsearch_mapping
short_description: Manage mappings and settings of indices of Elasticsearch or OpenSearch
version_added: 1.0.0
description:
  - Makes a missing index, adds fields to an existing one, and changes in place what can be changed so.
  - Other changes, such as another type of a field, need a new index. With O(reindex=when_needed) the documents are copied
    into it and counted, and the name is switched to the new index in one step.
  - Without O(index) it manages the indices of C(freezer-api).
  - Other spellings of the same value, which servers return, are no difference, and neither are extra fields of the index,
    unless O(remove_fields) is set.
author:
  - The freezer.backup authors (@freezer-backup)
options:
  index:
    description:
      - The name of an index, or an alias of one.
      - An index that the module makes is called C(<index>-v1), and O(index) is an alias of it. After a copy it is an
        alias of C(<index>-v2), and so on.
      - An existing index of exactly this name is used as it is. If it has to be copied, its name becomes an alias, and the
        old index is kept as C(<index>-v1).
    type: str
  mapping:
    description:
      - The mapping, in the form of the server, with C(properties), C(dynamic), C(_meta) and so on.
      - Parameters of a field that are not given have the server's defaults; those of the mapping as a whole stay as they
        is.
    type: dict
  settings:
    description:
      - Settings of the index, by their whole or short names, such as C(refresh_interval). A value of V(null) is the
        server's default. Settings that are not named stay as they are.
    type: dict
  number_of_replicas:
    description: The number of copies of each shard, beside the original. The same as that in O(settings).
    type: int
  state:
    description:
      - V(present) makes the indices as they are described.
      - V(absent) removes them with all earlier versions and unfinished copies.
    type: str
    choices: [present, absent]
    default: present
  prefix:
    description: The prefix of the names of C(freezer-api)'s indices, if O(index) is not given.
    type: str
    default: freezer
  kinds:
    description: Only C(freezer-api)'s indices of these kinds of documents. The default is all.
    type: list
    elements: str
    choices: [action, backup, client, job, session]
  reindex:
    description:
      - Whether documents may be copied to a new index where the old one cannot be changed. With V(never) the module
        fails then, with the reason.
      - While documents are copied, writes to the index are refused by the server, so that none is lost; reads go on.
      - A run that fails or is cancelled undoes its changes. The next run resumes one that was killed.
    type: str
    choices: [never, when_needed]
    default: never
  remove_fields:
    description:
      - Whether fields that O(mapping) does not have are removed. This needs a copy.
      - Only fields where C(dynamic) is V(strict) or V(false) are removed; elsewhere documents would add them again.
    type: bool
    default: false
  keep_old:
    description:
      - Whether an index that a copy has replaced is kept. It has no name but its own, and refuses writes.
      - V(false) also removes those of earlier copies.
    type: bool
    default: true
  erase:
    description:
      - Accept the loss of documents. With O(state=absent) these are the documents of the indices, in a copy those that cannot
        be stored with the new mapping, and in all others the values of removed fields.
    type: bool
    default: false
extends_documentation_fragment:
  - freezer.backup._attributes
  - freezer.backup._attributes.action_group_search
  - freezer.backup._elasticsearch
attributes:
  check_mode:
    support: full
    details: Whether every document fits a new mapping is known only when they are copied.
  diff_mode:
    support: full
  idempotent:
    support: full
  action_group:
    version_added: 1.0.0
seealso:
  - module: freezer.backup.elasticsearch_mapping_info
"""

EXAMPLES = r"""
- name: Make the indices of freezer-api, or bring them up to date
  freezer.backup.elasticsearch_mapping:
    url: http://127.0.0.1:9200
    number_of_replicas: 1
    reindex: when_needed

- name: An index of your own
  freezer.backup.elasticsearch_mapping:
    url: https://es1.example.org:9200
    username: elastic
    password: "{{ elastic_password }}"
    ca_file: /etc/ssl/es-ca.pem
    index: measurements
    mapping:
      dynamic: strict
      properties:
        host: {type: keyword}
        taken_at: {type: date}
        value: {type: double}
    settings:
      number_of_shards: 2
      refresh_interval: 30s

- name: Show what would change, field by field
  freezer.backup.elasticsearch_mapping:
    url: http://127.0.0.1:9200
    index: measurements
    mapping:
      properties:
        value: {type: float}
    reindex: when_needed
  check_mode: true
  diff: true

- name: Remove an index with its documents
  freezer.backup.elasticsearch_mapping:
    url: http://127.0.0.1:9200
    index: measurements
    state: absent
    erase: true
"""

RETURN = r"""
indices:
  description: The changes of each index, made or planned.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The requested name.
      type: str
      sample: measurements
    index:
      description: The index that has this name now, or had it with O(state=absent).
      type: str
      sample: measurements-v2
    outcome:
      description:
        - V(created), V(changed) (in place), V(copied) (into a new index), V(pruned) (only old versions were removed),
          V(removed) or V(unchanged).
      type: str
      sample: copied
    documents:
      description: How many documents the index had before.
      type: int
      sample: 120000
    added:
      description: Fields that were missing.
      type: list
      elements: dict
    changed:
      description: Fields and settings that were changed in place.
      type: list
      elements: dict
    conflicts:
      description: Fields and settings that an index cannot change.
      type: list
      elements: dict
      sample: [{path: value, before: {type: double}, after: {type: float}}]
    extra:
      description: Fields of the index that the mapping does not have.
      type: list
      elements: dict
    copy_needed:
      description: Whether a new index was needed.
      type: bool
      sample: true
    copied_documents:
      description: How many documents were copied.
      returned: something was done
      type: int
      sample: 120000
    left_out:
      description: Documents that could not be stored with the new mapping, and were lost as O(erase) allows.
      returned: something was done
      type: list
      elements: dict
      sample: [{id: d17, reason: "failed to parse field [value] of type [float]"}]
    old_versions:
      description: Indices that copies had replaced before.
      type: list
      elements: str
      sample: [measurements-v1]
    unfinished_copy:
      description: A copy that an earlier run has not finished.
      type: str
    refuses_writes:
      description: Whether the index refused writes before.
      type: bool
      sample: false
    removed:
      description: The indices that were removed.
      returned: O(state=absent)
      type: list
      elements: str
do_not_fit:
  description: Documents that cannot be stored with the new mapping, at most twenty or a page of them.
  returned: when it fails for that reason
  type: list
  elements: dict
  sample: [{id: d17, reason: "failed to parse field [value] of type [float]"}]
"""

from ansible_collections.freezer.backup.plugins.module_utils import _python  # noqa: F401  # pylint: disable=unused-import
from ansible_collections.freezer.backup.plugins.module_utils._engine.elasticsearch.flow import (
    KINDS,
    Permissions,
    desired_indices,
    make_absent,
    make_present,
)
from ansible_collections.freezer.backup.plugins.module_utils._module.search_module import SearchModule


def main():
    module = SearchModule(
        {
            "index": {"type": "str"},
            "mapping": {"type": "dict"},
            "settings": {"type": "dict"},
            "number_of_replicas": {"type": "int"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "prefix": {"type": "str", "default": "freezer"},
            "kinds": {"type": "list", "elements": "str", "choices": list(KINDS)},
            "reindex": {"type": "str", "choices": ["never", "when_needed"], "default": "never"},
            "remove_fields": {"type": "bool", "default": False},
            "keep_old": {"type": "bool", "default": True},
            "erase": {"type": "bool", "default": False},
        },
        required_by={"mapping": ["index"]},
        required_if=[("remove_fields", True, ["mapping"])],
        mutually_exclusive=[("index", "kinds")],
    )
    params = module.params
    may = Permissions(params["reindex"] == "when_needed", params["erase"], not params["keep_old"])
    if params["state"] == "absent":
        names = [wanted.name for wanted in desired_indices(params)]
        module.run(lambda client, check_mode: make_absent(client, names, may, check_mode))
    module.run(lambda client, check_mode: make_present(client, desired_indices(params), may, check_mode))


if __name__ == "__main__":
    main()
