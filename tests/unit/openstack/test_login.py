# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""What options, clouds.yaml and environment together say about who asks whom, and what of it is sent."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.freezer_client.client import connect
from ansible_collections.freezer.backup.plugins.module_utils._engine.http import errors
from ansible_collections.freezer.backup.plugins.module_utils._engine.http.auth import HttpBasic, NoAuth, Token
from ansible_collections.freezer.backup.plugins.module_utils._engine.http.errors import BadAddress
from ansible_collections.freezer.backup.plugins.module_utils._engine.openstack.connection import connect_cloud
from ansible_collections.freezer.backup.plugins.module_utils._engine.openstack.errors import MissingLibrary
from ansible_collections.freezer.backup.plugins.module_utils._engine.openstack.identity.credentials import usual_login
from ansible_collections.freezer.backup.plugins.module_utils._engine.openstack.identity.environment import (
    with_environment,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.openstack.identity.keystoneauth import (
    Keystoneauth,
    endpoint_in,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.openstack.identity.login import (
    auth_method,
    complete,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.openstack.identity.openrc import read_openrc
from ansible_collections.freezer.backup.plugins.module_utils._engine.openstack.transport import Transport
from ansible_collections.freezer.backup.tests.support.faulty_server import FaultyServer, answer

AUTH_URL = "http://keystone.example:5000/v3"
PASSWORD = {"auth_url": AUTH_URL, "username": "anna", "password": "s3cret"}
CREDENTIAL = {"auth_url": AUTH_URL, "application_credential_id": "c1", "application_credential_secret": "s3cret"}


def method(auth_type: str, **auth: Any) -> Any:
    return auth_method(auth_type, auth, Transport())


@pytest.mark.parametrize(
    ("auth_type", "auth", "kind"),
    [
        ("none", {}, NoAuth),
        ("http_basic", {"username": "anna", "password": "x"}, HttpBasic),
        ("token", {"token": "t"}, Token),
        ("token", {"token": "t", "auth_url": AUTH_URL}, Keystoneauth),
        ("v3token", {"token": "t", "auth_url": AUTH_URL}, Keystoneauth),
        ("password", PASSWORD, Keystoneauth),
        ("v3password", PASSWORD, Keystoneauth),
        ("v3applicationcredential", CREDENTIAL, Keystoneauth),
        ("v3oidcpassword", {}, Keystoneauth),
    ],
)
def test_every_auth_type_has_its_class(auth_type, auth, kind):
    found = method(auth_type, **auth)
    assert found.__class__ is kind
    assert "s3cret" not in repr(found)


@pytest.mark.parametrize(
    ("auth_type", "auth", "sentence"),
    [
        ("http_basic", {"username": "anna"}, "needs username and password"),
        ("http_basic", {"username": "an:na", "password": "x"}, "colon"),
        ("token", {}, "needs token"),
        ("token", {"token": "two\nlines"}, "no token has"),
        ("password", {"username": "anna", "password": "x"}, "auth_type password needs auth_url in auth"),
        ("password", {"auth_url": AUTH_URL, "username": "anna"}, "needs password in auth"),
        ("password", {"auth_url": AUTH_URL, "password": "x"}, "needs username in auth"),
        ("v3applicationcredential", {"auth_url": AUTH_URL}, "needs application_credential_secret in auth"),
        (
            "v3applicationcredential",
            {"auth_url": AUTH_URL, "application_credential_secret": "x"},
            "needs application_credential_name in auth",
        ),
        ("password", {**PASSWORD, "auth_url": "http://keystone:5000/v2.0/"}, "version 2.0 of Keystone"),
        ("password", {**PASSWORD, "auth_url": "keystone"}, "is not an address"),
    ],
)
def test_an_auth_method_says_what_it_lacks(auth_type, auth, sentence):
    with pytest.raises(errors.BadAddress, match=sentence) as caught:
        method(auth_type, **auth)
    assert "s3cret" not in str(caught.value)


def sent(auth_type: str, auth: dict[str, Any]) -> Any:
    """What a login sends to Keystone."""
    with FaultyServer([answer(201, {"token": {}}, {"X-Subject-Token": "t0ken"})]) as server:
        login = auth_method(auth_type, {**auth, "auth_url": server.url}, Transport())
        assert login.headers() == {"X-Auth-Token": "t0ken"}
    assert [request.path for request in server.requests] == ["/v3/auth/tokens"], "one request for each login"
    return json.loads(server.requests[0].body)["auth"]


@pytest.mark.parametrize(
    ("auth", "user", "scope"),
    [
        (
            {"username": "anna", "project_name": "shop"},
            {"name": "anna", "domain": {"id": "default"}},
            {"project": {"name": "shop", "domain": {"id": "default"}}},
        ),
        (
            {"username": "anna", "user_domain_name": "A", "project_name": "shop", "project_domain_id": "b"},
            {"name": "anna", "domain": {"name": "A"}},
            {"project": {"name": "shop", "domain": {"id": "b"}}},
        ),
        (
            {"username": "anna", "default_domain_name": "D", "tenant_name": "shop"},
            {"name": "anna", "domain": {"name": "D"}},
            {"project": {"name": "shop", "domain": {"name": "D"}}},
        ),
        ({"user_id": "u1", "project_id": "p1"}, {"id": "u1"}, {"project": {"id": "p1"}}),
        ({"user_id": "u1", "domain_id": "d1"}, {"id": "u1"}, {"domain": {"id": "d1"}}),
        ({"user_id": "u1", "system_scope": "all"}, {"id": "u1"}, {"system": {"all": True}}),
        ({"user_id": "u1", "trust_id": "t1"}, {"id": "u1"}, {"OS-TRUST:trust": {"id": "t1"}}),
        ({"user_id": "u1"}, {"id": "u1"}, None),
        # What clouds and openrc files have besides.
        ({"user_id": "u1", "trust_id": "t1", "project_id": "p1"}, {"id": "u1"}, {"OS-TRUST:trust": {"id": "t1"}}),
        ({"user_id": "u1", "project_id": "p1", "domain_name": "D"}, {"id": "u1"}, {"project": {"id": "p1"}}),
        ({"user_id": "u1", "domain_id": "d1", "system_scope": "all"}, {"id": "u1"}, {"domain": {"id": "d1"}}),
    ],
)
def test_a_password_is_sent_with_its_user_and_what_it_is_for(auth, user, scope):
    request = sent("password", {"password": "x", **auth})
    assert request["identity"] == {"methods": ["password"], "password": {"user": {**user, "password": "x"}}}
    assert request.get("scope") == scope


def test_a_token_is_sent_with_what_it_is_for():
    request = sent("token", {"token": "t", "project_name": "shop"})
    assert request["identity"] == {"methods": ["token"], "token": {"id": "t"}}
    assert request["scope"] == {"project": {"name": "shop", "domain": {"id": "default"}}}


def test_an_application_credential_has_no_scope():
    request = sent("v3applicationcredential", {**CREDENTIAL, "project_name": "shop"})
    assert request == {
        "identity": {
            "methods": ["application_credential"],
            "application_credential": {"id": "c1", "secret": "s3cret"},
        }
    }


def test_an_application_credential_may_be_named_with_its_user():
    auth = {"application_credential_name": "tests", "application_credential_secret": "x", "user_id": "u1"}
    identity = sent("v3applicationcredential", auth)["identity"]["application_credential"]
    assert identity == {"name": "tests", "secret": "x", "user": {"id": "u1"}}


def test_the_address_of_keystone_gets_its_version_once():
    for address in ("http://k:5000", "http://k:5000/", "http://k:5000/v3", "http://k:5000/v3/"):
        login = usual_login("password", {**PASSWORD, "auth_url": address})
        assert login is not None
        assert login.options["auth_url"] == "http://k:5000/v3"


def test_a_project_that_is_meant_is_the_one_that_a_token_is_asked_for():
    assert complete({"auth": PASSWORD, "project_id": "p1"})["auth"]["project_id"] == "p1"
    named = complete({"auth": {**PASSWORD, "project_name": "admin"}, "project_id": "p1"})
    assert "project_id" not in named["auth"], "an administrator may be in another project"


@pytest.mark.parametrize(
    ("options", "auth_type"),
    [
        ({}, "none"),
        ({"username": "anna", "password": "x"}, "none"),
        ({"auth": PASSWORD}, "password"),
        ({"auth": CREDENTIAL}, "v3applicationcredential"),
        ({"auth": {"auth_url": AUTH_URL, "token": "t"}}, "token"),
        ({"cloud": {"auth": CREDENTIAL}}, "v3applicationcredential"),
        ({"cloud": {"auth_type": "http_basic", "auth": {}}}, "http_basic"),
        ({"cloud": {"auth_type": "http_basic", "auth": {}}, "auth_type": "none"}, "none"),
    ],
)
def test_the_auth_type_follows_from_what_there_is(options, auth_type):
    assert complete(options)["auth_type"] == auth_type


def test_user_and_password_of_the_task_complete_auth():
    assert complete({"auth": {"auth_url": AUTH_URL}, "username": "anna", "password": "s3cret"})["auth"] == PASSWORD


def test_options_go_before_the_cloud_and_auth_before_both():
    cloud = {
        "auth": {**PASSWORD, "project_name": "shop"},
        "region_name": "north",
        "interface": "internal",
        "cacert": "/ca.pem",
        "cert": "/cert.pem",
        "key": "/key.pem",
        "verify": False,
        "backup_api_version": "1",
        "backup_endpoint_override": "http://freezer.example:9090",
    }
    known = complete({"cloud": cloud, "auth": {"password": "other"}, "region_name": "south", "ca_file": None})
    assert known["auth"] == {**PASSWORD, "project_name": "shop", "password": "other"}
    assert (known["region_name"], known["interface"]) == ("south", "internal")
    assert (known["ca_file"], known["client_cert"], known["client_key"]) == ("/ca.pem", "/cert.pem", "/key.pem")
    assert known["validate_certs"] is False
    registry = connect(cloud=cloud, project_id="p1")
    assert (registry.url, registry.api_version) == ("http://freezer.example:9090", 1)


def test_a_cloud_without_keystone_says_where_the_api_is():
    cloud = {"auth_type": "http_basic", "auth": {"username": "a", "password": "b", "endpoint": "http://freezer:9090"}}
    registry = connect(cloud=cloud)
    assert (registry.url, registry.project_id) == ("http://freezer:9090", "default")


def test_a_cloud_that_is_neither_a_name_nor_a_dictionary_is_refused():
    with pytest.raises(errors.BadAddress, match=r"cloud is \['mine'\]; it must be the name"):
        complete({"cloud": ["mine"]})


@pytest.fixture
def clouds_yaml(tmp_path, monkeypatch):
    """A file with one cloud, and another one with its secret."""
    (tmp_path / "clouds.yaml").write_text(
        f"clouds:\n  mine:\n    auth: {{auth_url: '{AUTH_URL}', username: anna, project_name: shop}}\n"
        "    region_name: north\n    verify: false\n    backup_endpoint_override: http://freezer.example:9090\n"
    )
    (tmp_path / "secure.yaml").write_text("clouds:\n  mine:\n    auth: {password: s3cret}\n")
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "clouds.yaml"))
    monkeypatch.setenv("OS_CLIENT_SECURE_FILE", str(tmp_path / "secure.yaml"))


def test_a_cloud_is_found_by_its_name(clouds_yaml):
    known = complete({"cloud": "mine"})
    assert known["auth_type"] == "password"
    assert {key: known["auth"][key] for key in PASSWORD} == PASSWORD
    assert (known["region_name"], known["validate_certs"]) == ("north", False)
    assert connect(cloud="mine", project_id="p1").url == "http://freezer.example:9090"


def test_the_name_of_a_file_with_one_cloud_is_enough(clouds_yaml):
    # All that AWX's credential for OpenStack sets.
    environ = {"OS_CLIENT_CONFIG_FILE": os.environ["OS_CLIENT_CONFIG_FILE"]}
    assert {**complete(with_environment({}, environ)), "cloud": "mine"} == complete({"cloud": "mine"})
    assert connect(**with_environment({"project_id": "p1"}, environ)).url == "http://freezer.example:9090"
    connect_cloud({}, environ)
    assert "cloud" not in with_environment({"url": "http://freezer:9090"}, environ)
    assert "cloud" not in with_environment({}, {**environ, **OPENRC})


def test_of_a_file_with_several_clouds_one_has_to_be_named(clouds_yaml, tmp_path):
    (tmp_path / "secure.yaml").unlink()
    (tmp_path / "clouds.yaml").write_text("clouds: {north: {auth: {}}, south: {auth: {}}}\n")
    environ = {"OS_CLIENT_CONFIG_FILE": os.environ["OS_CLIENT_CONFIG_FILE"]}
    with pytest.raises(errors.BadAddress, match=r"has 2 clouds \(north, south\); choose one with cloud"):
        complete(with_environment({}, environ))


def test_a_caller_without_auth_is_told_of_its_own_option(clouds_yaml, monkeypatch):
    with pytest.raises(errors.BadAddress, match="Say so with cloud or with osrc, or set OS_CLOUD"):
        connect_cloud({}, {}, "osrc")
    monkeypatch.setitem(sys.modules, "openstack.config.loader", None)
    with pytest.raises(MissingLibrary, match="or give osrc, which needs keystoneauth1 only"):
        connect_cloud({"cloud": "mine"}, {}, "osrc")


def test_what_a_cloud_says_of_its_services_and_its_patience_counts(clouds_yaml, tmp_path):
    with (tmp_path / "clouds.yaml").open("a") as stream:
        stream.write("    api_timeout: 7\n    object_store_endpoint_override: http://swift.example/v1/AUTH_p1\n")
        stream.write("    volumev3_endpoint_override: http://cinder.example/v3\n")
    cloud = connect_cloud({"cloud": "mine"}, {})
    # Neither is asked of Keystone, which does not exist.
    assert cloud.service("object-store").url == "http://swift.example/v1/AUTH_p1"
    assert cloud.service("volume").url == "http://cinder.example/v3"
    assert complete({"cloud": "mine"})["timeout_seconds"] == 7
    assert complete({"cloud": "mine", "timeout_seconds": 9})["timeout_seconds"] == 9
    with pytest.raises(errors.BadAddress, match="api_timeout in clouds.yaml"):
        connect_cloud({"cloud": {"auth": PASSWORD, "api_timeout": "long"}}, {})


def test_an_address_of_a_cloud_may_leave_a_place_for_the_project():
    token = {"token": {"project": {"id": "p1"}}}
    with FaultyServer([answer(201, token, {"X-Subject-Token": "t0ken"})]) as server:
        auth = {**PASSWORD, "auth_url": server.url}
        address = "http://cinder.example/v3/%(project_id)s"
        cloud = connect_cloud({"cloud": {"auth": auth, "block_storage_endpoint_override": address}}, {})
        assert cloud.service("volume").url == "http://cinder.example/v3/p1"


def test_a_cloud_that_is_not_there_is_a_sentence(clouds_yaml):
    with pytest.raises(errors.BadAddress, match="cloud other cannot be used: Cloud other was not found"):
        complete({"cloud": "other"})


def test_a_cloud_by_name_without_openstacksdk_is_a_sentence(clouds_yaml, monkeypatch):
    monkeypatch.setitem(sys.modules, "openstack.config.loader", None)
    with pytest.raises(MissingLibrary, match="cloud mine needs the Python library openstacksdk"):
        complete({"cloud": "mine"})


@pytest.mark.parametrize("auth_type", ["password", "v3applicationcredential", "v3totp"])
def test_a_login_without_keystoneauth_is_a_sentence(monkeypatch, auth_type):
    monkeypatch.setitem(sys.modules, "keystoneauth1.exceptions", None)
    with pytest.raises(MissingLibrary) as caught:
        connect(auth_type=auth_type, auth={**PASSWORD, **CREDENTIAL})
    assert f"{auth_type} needs the Python library keystoneauth1, which {sys.executable} does not have" in str(
        caught.value
    )
    assert "python3-keystoneauth1" in str(caught.value)
    assert f"{sys.executable} -m pip install keystoneauth1." in str(caught.value)


OPENRC = {
    "OS_AUTH_URL": AUTH_URL,
    "OS_USERNAME": "anna",
    "OS_PASSWORD": "s3cret",
    "OS_PROJECT_NAME": "shop",
    "OS_USER_DOMAIN_NAME": "Default",
    "OS_REGION_NAME": "north",
    "OS_INTERFACE": "internal",
    "OS_IDENTITY_API_VERSION": "3",
}


def test_an_openrc_that_cannot_be_read_is_told_in_words(tmp_path):
    with pytest.raises(BadAddress, match=r"\(osrc\) cannot be read: No such file or directory\.$"):
        read_openrc(str(tmp_path / "none"))
    (tmp_path / "latin").write_bytes(b"OS_USERNAME=J\xfcrgen\n")
    with pytest.raises(BadAddress, match=r"latin \(osrc\) is not a text in UTF-8\.$"):
        read_openrc(str(tmp_path / "latin"))


def test_an_openrc_is_enough():
    known = complete(with_environment({}, OPENRC))
    assert known["auth_type"] == "password"
    assert known["auth"] == {**PASSWORD, "project_name": "shop", "user_domain_name": "Default"}
    assert (known["region_name"], known["interface"]) == ("north", "internal")


def test_a_project_of_the_task_goes_before_the_one_of_an_openrc():
    known = complete(with_environment({"project_id": "p2"}, {**OPENRC, "OS_PROJECT_ID": "p1"}))
    assert known["project_id"] == known["auth"]["project_id"] == "p2"
    assert "project_name" not in known["auth"]


@pytest.mark.parametrize("options", [{"cloud": {"auth": {}}}, {"auth": {"auth_url": AUTH_URL}}])
def test_credentials_of_the_environment_do_not_mix_with_others(options):
    assert with_environment(options, OPENRC) == options


def test_credentials_of_the_environment_are_not_taken_to_a_server_that_was_named_alone():
    known = complete(with_environment({"url": "http://127.0.0.1:9090"}, OPENRC))
    assert known["auth_type"] == "none"
    assert "auth_url" not in known["auth"]
    named = complete(with_environment({"url": "http://127.0.0.1:9090", "auth_type": "password"}, OPENRC))
    assert named["auth"]["auth_url"] == AUTH_URL


def test_a_cloud_of_the_environment_is_taken_where_nothing_else_is_said():
    environ = {**OPENRC, "OS_CLOUD": "mine"}
    assert with_environment({"url": None}, environ) == {"url": None, "cloud": "mine"}
    assert "cloud" not in with_environment({"url": "http://127.0.0.1:9090"}, environ)


CATALOGUE = [
    {"type": "identity", "endpoints": [{"interface": "public", "region": "north", "url": "http://k"}]},
    {
        "type": "backup",
        "endpoints": [
            {"interface": "public", "region": "north", "region_id": "north", "url": "http://n/v2"},
            {"interface": "internal", "region": "north", "region_id": "north", "url": "http://n-internal"},
            {"interface": "public", "region": "south", "region_id": "south", "url": "http://s"},
        ],
    },
]


@pytest.mark.parametrize(
    ("interface", "region", "url"),
    [
        ("public", "north", "http://n/v2"),
        ("public", "south", "http://s"),
        ("internal", None, "http://n-internal"),
        ("internalURL", "north", "http://n-internal"),
    ],
)
def test_the_address_is_the_one_of_interface_and_region(interface, region, url):
    assert endpoint_in(CATALOGUE, interface, region) == url


@pytest.mark.parametrize(
    ("catalogue", "interface", "region", "sentence"),
    [
        (CATALOGUE, "public", None, "in these regions: north, south. Say which one with region_name"),
        (CATALOGUE, "admin", None, "interface admin; it has internal in north, public in north, public in south"),
        (CATALOGUE, "internal", "south", "interface internal in region south; it has"),
        (CATALOGUE[:1], "public", None, "it has none at all"),
        ([], "public", None, "it has none at all"),
    ],
)
def test_an_address_that_is_not_clear_is_a_sentence(catalogue, interface, region, sentence):
    with pytest.raises(errors.BadAddress, match=sentence):
        endpoint_in(catalogue, interface, region)
