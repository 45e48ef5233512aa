# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that say which Elasticsearch is meant."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  url:
    description:
      - The addresses of servers of one cluster, such as V(https://es1.example.org:9200). If one does not answer, the
        next one is asked.
    type: list
    elements: str
    required: true
  username:
    description: The user of basic authentication.
    type: str
  password:
    description: The password of O(username).
    type: str
  api_key:
    description: An API key, as V(id:key) or in the encoded form that Elasticsearch gives out. Instead of O(username).
    type: str
  ca_file:
    description:
      - A file with the certificates of the authorities to trust, in PEM format. The system's are used without it.
    type: path
  validate_certs:
    description: Whether the certificates of the servers are verified.
    type: bool
    default: true
  client_cert:
    description: A file with the client certificate, in PEM format.
    type: path
  client_key:
    description: A file with the key of O(client_cert), in PEM format, if O(client_cert) does not have it.
    type: path
  timeout_seconds:
    description: The longest time for an answer of a server, in seconds.
    type: float
    default: 30.0
  retries:
    description:
      - How often a request is repeated after a lost connection or a status of 429, 502, 503 or 504, if repeating
        is safe. The pauses between them double, or are as long as the server requests.
    type: int
    default: 3
notes:
  - It speaks plain HTTP with Elasticsearch 8 and 9 and with OpenSearch, and needs no client library.
  - The module may run anywhere from where the cluster can be reached, so C(delegate_to=localhost) or
    C(connection=local) fits.
"""
