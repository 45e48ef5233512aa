# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that say which Freezer API is meant."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  url:
    description:
      - The address of the Freezer API, such as V(http://127.0.0.1:9090).
      - It may end in C(/v1), C(/v2) or C(/v2/<project_id>), as endpoints in Keystone's catalogue do.
      - If it is not given, the environment variable E(OS_BACKUP_URL) is used, then E(OS_ENDPOINT).
    type: str
    required: true
  auth_type:
    description:
      - How requests say who sends them, in keystoneauth's words.
      - V(none) sends nothing. V(http_basic) sends O(username) and O(password). V(token) sends O(token), which somebody
        got from Keystone.
      - If it is not given, the environment variable E(OS_AUTH_TYPE) is used.
    type: str
    choices: [none, http_basic, token]
    default: none
  username:
    description:
      - The user for O(auth_type=http_basic).
      - If it is not given, the environment variable E(OS_USERNAME) is used.
    type: str
  password:
    description:
      - The password for O(auth_type=http_basic).
      - If it is not given, the environment variable E(OS_PASSWORD) is used.
    type: str
  token:
    description:
      - The token for O(auth_type=token).
      - If it is not given, the environment variable E(OS_TOKEN) is used.
    type: str
  project_id:
    description:
      - The project whose documents are meant. Version 1 of the API knows no projects.
      - If it is not given, the environment variable E(OS_PROJECT_ID) is used, then the project in O(url), then
        V(default).
    type: str
  api_version:
    description:
      - The version of the API to speak.
      - If it is not given, the environment variable E(OS_BACKUP_API_VERSION) is used, then the version in O(url),
        then V(2).
    type: int
    choices: [1, 2]
  ca_file:
    description:
      - A file with the certificates of the authorities to trust, in PEM format. The system's are used without it.
      - If it is not given, the environment variable E(OS_CACERT) is used.
    type: path
  validate_certs:
    description: Whether the server has to prove with its certificate that it is the one in O(url).
    type: bool
    default: true
  client_cert:
    description:
      - A file with the certificate to show to the server, in PEM format.
      - If it is not given, the environment variable E(OS_CERT) is used.
    type: path
  client_key:
    description:
      - A file with the key of O(client_cert), in PEM format, if O(client_cert) does not hold it.
      - If it is not given, the environment variable E(OS_KEY) is used.
    type: path
  timeout_seconds:
    description: For how many seconds a silence of the server is borne.
    type: float
    default: 30.0
  retries:
    description:
      - How often a request is repeated after a lost connection or a status of 502, 503 or 504.
      - The pauses between them double, or are as long as the server asks for. What must not happen twice is repeated
        only if it is certain that the server did not receive it.
    type: int
    default: 3
notes:
  - The module needs nothing on the host where it runs but Python. It may run anywhere from where O(url) can be reached,
    so C(delegate_to=localhost) or C(connection=local) fits.
"""
