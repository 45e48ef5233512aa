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
      - The address of the Freezer API, such as V(https://backup.example.org:9090), or a Unix socket of the host, such as
        V(unix:///run/freezer/api.sock).
      - It may end in C(/v1), C(/v2) or C(/v2/<project_id>), as endpoints in Keystone's catalogue do.
      - If it is not given, the environment variable E(OS_BACKUP_URL) is used, then E(OS_ENDPOINT), then Keystone's
        catalogue, in which it has the service type C(backup).
    type: str
  cloud:
    description:
      - The name of a cloud in a C(clouds.yaml), or a dictionary with the entry of a cloud in such a file.
      - The other options have precedence over the cloud. The environment is then ignored.
      - If neither this nor O(auth) is given, and O(url) is not or O(auth_type) needs Keystone, the environment variable
        E(OS_CLOUD) is used. If neither that nor E(OS_AUTH_URL) is set, E(OS_CLIENT_CONFIG_FILE) can name a C(clouds.yaml)
        with one cloud, as the credential of AWX for OpenStack does.
      - A name needs the Python library openstacksdk on the host that asks the API, as does a dictionary with a C(profile).
    type: raw
  auth_type:
    description:
      - The auth type, as keystoneauth names it.
      - V(none) sends nothing. V(http_basic) sends O(username) and O(password).
      - V(token) sends O(token), an existing token of Keystone. With C(auth_url) in O(auth), Keystone exchanges it first
        for a token of the project; V(v3token) always does, and needs C(auth_url).
      - V(password), V(v3password) and V(v3applicationcredential) get a token from Keystone.
      - Every other auth type of keystoneauth works as well, such as V(v3oidcpassword) or V(v3totp).
      - All that ask Keystone need the Python library keystoneauth1 on the host that asks the API. The role
        P(freezer.backup.agent#role) installs it.
      - If it is not given, the environment variable E(OS_AUTH_TYPE) is used. Without that it follows from the keys of
        O(auth) or O(cloud), and is V(none) without those.
    type: str
  auth:
    description:
      - The options of keystoneauth's plugin for O(auth_type). For V(password) these are
        C(auth_url), C(username) or C(user_id), C(password), C(project_name) or C(project_id), and C(user_domain_name)
        and C(project_domain_name) or their ids; for V(v3applicationcredential) C(auth_url),
        C(application_credential_id) and C(application_credential_secret).
      - A domain that is not named is the one with the id C(default).
      - If this is given, the environment is ignored. If neither this nor O(cloud) is, and O(url) is not or
        O(auth_type) needs Keystone, the environment variables E(OS_AUTH_URL), E(OS_USERNAME) and so on are used.
    type: dict
  username:
    description:
      - The user for O(auth_type=http_basic), or for Keystone if O(auth) does not name one.
      - If it is not given, the environment variable E(OS_USERNAME) is used.
    type: str
  password:
    description:
      - The password for O(auth_type=http_basic), or for Keystone if O(auth) does not have it.
      - If it is not given, the environment variable E(OS_PASSWORD) is used.
    type: str
  token:
    description:
      - The token for O(auth_type=token).
      - If it is not given, the environment variable E(OS_TOKEN) is used.
    type: str
  project_id:
    description:
      - The project of the documents. Version 1 of the API has no projects.
      - Tokens are requested for it as well, unless O(auth) or O(cloud) names another one.
      - If it is not given, the environment variable E(OS_PROJECT_ID) is used, then the project in O(url), then the one
        of the token, then V(default).
    type: str
  region_name:
    description:
      - The region in Keystone's catalogue. It is needed if several regions have a Freezer API.
      - If it is not given, the environment variable E(OS_REGION_NAME) is used.
    type: str
  interface:
    description:
      - The interface in Keystone's catalogue.
      - If it is not given, the environment variable E(OS_INTERFACE) is used, then V(public).
    type: str
    aliases: [endpoint_type]
    choices: [public, internal, admin]
  api_version:
    description:
      - The version of the API.
      - If it is not given, the environment variable E(OS_BACKUP_API_VERSION) is used, then the version in O(url),
        then V(2).
    type: int
    choices: [1, 2]
  ca_file:
    description:
      - A file with the certificates of the authorities to trust, in PEM format. The system's are used without it. It is
        for the Freezer API and for Keystone, as are the other options about TLS, time and retries.
      - If it is not given, the environment variable E(OS_CACERT) is used.
    type: path
    aliases: [ca_cert, cacert]
  validate_certs:
    description:
      - Whether the certificates of the servers are verified.
      - They are, unless this option or O(cloud) disables it.
    type: bool
    aliases: [verify]
  client_cert:
    description:
      - A file with the client certificate, in PEM format.
      - If it is not given, the environment variable E(OS_CERT) is used.
    type: path
    aliases: [cert]
  client_key:
    description:
      - A file with the key of O(client_cert), in PEM format, if O(client_cert) does not have it.
      - If it is not given, the environment variable E(OS_KEY) is used.
    type: path
    aliases: [key]
  timeout_seconds:
    description: The longest time for an answer of the server, in seconds.
    type: float
    aliases: [api_timeout]
    default: 30.0
  retries:
    description:
      - How often a request is repeated after a lost connection or a status of 502, 503 or 504.
      - The pauses between them double, or are as long as the server requests. A request that must not happen twice is
        repeated only if the server certainly did not receive it.
    type: int
    default: 3
"""

    #: Of modules, which ask the API from the host that they run on.
    FROM_HOST = r"""
options: {}
notes:
  - The module may run anywhere from where the API can be reached, so C(delegate_to=localhost) or C(connection=local)
    fits. For most auth types it needs nothing there but Python.
  - Environment variables are those of the host that the module runs on.
"""

    #: Of an action that asks the API from the controller, and does its work on the host of the task.
    FROM_CONTROLLER = r"""
options: {}
notes:
  - Environment variables are those of the controller, from which the API is asked.
"""
