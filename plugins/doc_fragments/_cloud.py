# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that say which OpenStack cloud is meant, and who asks it."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  cloud:
    description:
      - The name of a cloud in a C(clouds.yaml), or a dictionary with the entry of a cloud in such a file.
      - If neither this nor O(auth) is given, the environment variable E(OS_CLOUD) is used, or E(OS_AUTH_URL) and the
        variables that belong to it.
      - If these are not set either, E(OS_CLIENT_CONFIG_FILE) can name a C(clouds.yaml) with one cloud, as the credential
        of AWX for OpenStack does.
      - A name needs the Python library openstacksdk where the module runs, as does a dictionary with a C(profile).
      - A cloud behind a proxy is reached with E(https_proxy), E(http_proxy) and E(no_proxy) of the environment.
    type: raw
  auth_type:
    description:
      - The auth type, as keystoneauth names it, such as V(password), V(v3applicationcredential) and
        V(v3token). Each needs the Python library keystoneauth1 where the module runs. The role P(freezer.backup.agent#role)
        installs it.
      - By default it follows from the keys of O(auth) or O(cloud).
    type: str
  auth:
    description:
      - The options of keystoneauth's plugin for O(auth_type), such as C(auth_url), C(username),
        C(password) and C(project_name), or C(application_credential_id) and C(application_credential_secret).
    type: dict
  region_name:
    description:
      - The region of the services.
    type: str
  interface:
    description:
      - The interface of the services in the catalogue. Without it V(public).
    type: str
    aliases: [endpoint_type]
    choices: [public, internal, admin]
  ca_file:
    description:
      - The file with the certificates of the authorities that sign the servers' certificates.
    type: path
    aliases: [ca_cert, cacert]
  validate_certs:
    description:
      - Whether certificates are verified. The default is V(true).
    type: bool
    aliases: [verify]
  client_cert:
    description:
      - The file of the client certificate.
    type: path
    aliases: [cert]
  client_key:
    description:
      - The file of its key, if that is not in O(client_cert).
    type: path
    aliases: [key]
  timeout_seconds:
    description:
      - The longest time for an answer of a service.
    type: float
    aliases: [api_timeout]
    default: 60.0
  retries:
    description:
      - How often a request is repeated after a temporary failure, if repeating is safe.
    type: int
    default: 3
"""
