# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""From the options of a connection, and what their cloud says, to a way to log in and the address of the Freezer API."""

from __future__ import annotations

import importlib
import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from ...errors import quoted
from ...http.auth import AuthMethod, HttpBasic, NoAuth, Token
from ...http.connection import Tls
from ...http.errors import BadAddress
from ..errors import MissingLibrary
from ..transport import Transport
from .clouds_files import CloudsFile, check_cloud, clouds_in, files_read
from .environment import ONLY_CLOUD
from .keystoneauth import Keystoneauth

#: What these are called in a clouds.yaml, and what we call them.
_CLOUD_KEYS = {
    "auth_type": "auth_type",
    "region_name": "region_name",
    "endpoint_type": "interface",
    "interface": "interface",
    "cacert": "ca_file",
    "cert": "client_cert",
    "key": "client_key",
    "verify": "validate_certs",
    "api_timeout": "timeout_seconds",
    "backup_api_version": "api_version",
    "backup_endpoint_override": "url",
}
#: What a cloud may say of one service: ``object_store_endpoint_override``.
_OF_SERVICES = ("endpoint_override", "interface", "region_name", "service_name", "service_type")
#: Keys of a cloud with the path of a file.
_FILES = ("ca_file", "client_cert", "client_key")
#: Options that stand for the key of ``auth`` of the same name.
_CREDENTIALS = ("username", "password", "token")


def complete(options: Mapping[str, Any], credentials: str = "auth") -> dict[str, Any]:
    """The options of a connection with what their ``cloud`` says where they say nothing, and ``auth`` put together.

    ``cloud`` is the name of a cloud in a ``clouds.yaml``, or what stands there below a name; ``auth`` are the options of
    keystoneauth's plugin ``auth_type``, some of which can stand alone (``username``, ``password``, ``token``,
    ``project_id``); the others are the values of ``_CLOUD_KEYS``. An option that is None says nothing. ``credentials`` is
    what the caller calls the option to give where there is no ``clouds.yaml``. In the result there are always an
    ``auth_type``, and ``services``: what the cloud says of single services and the options do not say of all.
    """
    cloud = _cloud(options.get("cloud"), options.get("region_name"), credentials)
    known = {ours: _plain(cloud[theirs]) for theirs, ours in _CLOUD_KEYS.items() if cloud.get(theirs) is not None}
    known.update({name: os.path.expanduser(str(known[name])) for name in _FILES if name in known})
    if str(cloud.get("insecure")).lower() == "true":
        known["validate_certs"] = False
    known.update({name: value for name, value in options.items() if value is not None})
    auth = dict(cloud.get("auth") or {})
    auth.update({name: options[name] for name in _CREDENTIALS if options.get(name) is not None})
    auth.update(
        {key.replace("-", "_"): value for key, value in (options.get("auth") or {}).items() if value is not None}
    )
    if not known.get("auth_type"):
        known["auth_type"] = _likely_auth_type(auth) if cloud or "auth" in known else NoAuth.auth_type
    project_id = options.get("project_id")
    if project_id is not None and not any(key in auth for key in _SCOPES):
        auth["project_id"] = project_id
    known["auth"] = auth
    unsaid = tuple(f"_{key}" for key in _OF_SERVICES if options.get(key) is None)
    known["services"] = {key: _plain(value) for key, value in cloud.items() if key.endswith(unsaid) and value}
    if not known.get("url") and auth.get("endpoint"):
        known["url"] = auth["endpoint"]
    return known


def tls_of(known: Mapping[str, Any]) -> Tls:
    """What the options of a connection say of certificates."""
    return Tls(
        ca_file=known.get("ca_file"),
        validate_certs=known.get("validate_certs") is not False,
        client_cert=known.get("client_cert"),
        client_key=known.get("client_key"),
    )


_SCOPES = (
    "project_id", "project_name", "tenant_id", "tenant_name", "domain_id", "domain_name", "system_scope",
    "trust_id",
)  # fmt: skip


def auth_method(auth_type: str, auth: Mapping[str, Any], transport: Transport) -> AuthMethod:
    """The method for an ``auth_type`` of keystoneauth's; ``BadAddress`` when it lacks what it needs."""
    if auth_type == NoAuth.auth_type:
        return NoAuth()
    if auth_type == HttpBasic.auth_type:
        if not auth.get("username") or not auth.get("password"):
            raise BadAddress("auth_type http_basic needs username and password.")
        return HttpBasic(auth["username"], auth["password"])
    if auth_type == Token.auth_type and not auth.get("auth_url"):
        if not auth.get("token"):
            raise BadAddress("auth_type token needs token.")
        return Token(auth["token"])
    return Keystoneauth(auth_type, auth, transport)


def _likely_auth_type(auth: Mapping[str, Any]) -> str:
    if auth.get("application_credential_id") or auth.get("application_credential_name"):
        return "v3applicationcredential"
    return "token" if auth.get("token") and not auth.get("password") else "password"


def _plain(value: Any) -> Any:
    """A value of a cloud; of several interfaces one text."""
    return ",".join(value) if isinstance(value, (list, tuple)) else value


def _cloud(cloud: Any, region_name: str | None, credentials: str) -> Mapping[str, Any]:
    """What is known of a cloud, and of its region with a name, in the keys of ``clouds.yaml``."""
    if cloud is None:
        return {}
    if isinstance(cloud, str):
        what = f"cloud {cloud}" if cloud != ONLY_CLOUD else "The file that OS_CLIENT_CONFIG_FILE names"
        return _configured({"cloud": cloud}, what, credentials, region_name)
    if not isinstance(cloud, Mapping):
        raise BadAddress(f"cloud is {cloud!r}; it must be the name of a cloud in clouds.yaml, or what stands there.")
    cloud = {key: value for key, value in cloud.items() if value is not None}
    check_cloud(cloud, "cloud")
    return _configured(cloud, "cloud with a profile", credentials) if cloud.get("profile") else cloud


def _configured(
    arguments: Mapping[str, Any], what: str, credentials: str, region_name: str | None = None
) -> Mapping[str, Any]:
    """What openstacksdk makes of ``clouds.yaml``, ``secure.yaml`` and the profiles that it brings along."""
    try:
        loader = importlib.import_module("openstack.config.loader")
        problems = importlib.import_module("openstack.exceptions")
    except ImportError as error:
        raise MissingLibrary(
            f"{what} needs the Python library openstacksdk, which {sys.executable} does not have ({error}). Install it "
            f"there: as the package python3-openstacksdk of the distribution, or with {sys.executable} -m pip install "
            f"openstacksdk; or give {credentials}, which needs keystoneauth1 only."
        ) from error
    files: list[CloudsFile] = []
    if "cloud" in arguments:
        files = files_read(loader.CONFIG_FILES, loader.SECURE_FILES)
        name = arguments["cloud"]
        if name == ONLY_CLOUD:
            found = clouds_in(files)
            if len(found) != 1:
                raise BadAddress(
                    f"{what} has {len(found)} clouds ({', '.join(found) or 'none'}); choose one with cloud."
                )
            name = found[0]
            arguments = {"cloud": name}
        for file in files:
            if name in file.clouds:
                check_cloud(file.clouds[name], f"cloud {name} in the file {file.path}")
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            if "cloud" in arguments:
                clouds = loader.OpenStackConfig()
            else:
                # Its profile is all that is asked for: what else there is would mix with it.
                clouds = loader.OpenStackConfig(
                    config_files=[os.devnull], secure_files=[os.devnull], load_envvars=False
                )
            if region_name and (clouds.cloud_config["clouds"].get(arguments.get("cloud")) or {}).get("regions"):
                # Each of them may say more of itself.
                arguments = {**arguments, "region_name": region_name}
            region = clouds.get_one(validate=False, **arguments)
    except OSError as error:
        # A profile that is an address is fetched; what Python says of that may have a password of the address.
        raise BadAddress(
            f"{what} cannot be used: its profile is an address, and there is no answer from there."
            f"{_read_said(arguments, files)}"
        ) from error
    except problems.ConfigException as error:
        said = " ".join(str(error).split()).rstrip(".")
        raise BadAddress(f"{what} cannot be used: {said}.{_read_said(arguments, files)}") from error
    except (AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
        # What openstacksdk takes for granted of other keys.
        raise BadAddress(
            f"{what} cannot be used: openstacksdk makes no sense of one of its values ({error})."
            f"{_read_said(arguments, files)}"
        ) from error
    config: Mapping[str, Any] = region.config
    check_cloud(config, what)
    auth = config.get("auth") or {}
    if any("vendor profile" in str(one.message) for one in warned) and not (
        auth.get("auth_url") or auth.get("endpoint")
    ):
        # A cloud that says itself where it is does without.
        profile = arguments.get("profile") or next(
            (file.clouds[name].get("profile") for file in files if name in file.clouds), None
        )
        raise BadAddress(f"{what} cannot be used: there is no profile {quoted(profile)}.{_read_said(arguments, files)}")
    return config


def _read_said(arguments: Mapping[str, Any], files: Sequence[CloudsFile]) -> str:
    """A sentence that says what was read, after one of openstacksdk's, which does not."""
    if "cloud" not in arguments:
        return ""
    paths = " and ".join(file.path for file in files)
    return f" Read was {paths}." if paths else " There is no clouds.yaml in any of the places where it is looked for."
