# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The API in the WSGI servers of others, as docs/wsgi.md has them: gunicorn, uwsgi, Apache's mod_wsgi."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import pytest

from ansible_collections.freezer.backup.tests.support import labs
from ansible_collections.freezer.backup.tests.support.role_runs import do_without

CHECKOUT = Path(__file__).resolve().parents[2]
COMMANDS = Path(sys.executable).parent
SCRIPT = CHECKOUT / "roles" / "api" / "files" / "freezer_api" / "wsgi.py"
BODY = json.dumps({"freezer_action": {"action": "backup", "path_to_backup": "/etc"}}).encode()
JSON = {"Content-Type": "application/json"}
APACHE = """\
ServerRoot {folder}
ServerName localhost
Listen 127.0.0.1:{port}
PidFile {folder}/pid
Mutex file:{folder}
ErrorLog {folder}/error.log
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule wsgi_module {modules}/mod_wsgi.so
WSGISocketPrefix {folder}/socket
WSGIDaemonProcess freezer-api processes=2 threads=4 python-home={home}
WSGIProcessGroup freezer-api
WSGIApplicationGroup %{{GLOBAL}}
WSGIPassAuthorization On
WSGIChunkedRequest On
WSGIScriptAlias / {script}
<Directory {script_folder}>
    Require all granted
</Directory>
"""


@pytest.fixture(scope="module")
def tools():
    try:
        return labs.start("wsgi")
    except labs.LabUnavailable as reason:
        do_without(reason)


@pytest.fixture
def port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "freezer-api.conf"
    path.write_text(f"[DEFAULT]\nauth_strategy = noauth\n[database]\nconnection = sqlite:///{tmp_path}/api.db\n")
    return path


@contextlib.contextmanager
def serving(line, port, config, log, **environment):
    """A server that answers, until it is no longer needed."""
    with log.open("w") as output:
        process = subprocess.Popen(
            [str(word) for word in line],
            env={**os.environ, "FREEZER_API_CONFIG": str(config), **environment},
            stdout=output,
            stderr=output,
            cwd=log.parent,
        )
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                assert ask(port, "GET", "/healthcheck") == (200, "OK")
                break
            except OSError:
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)
        yield
    finally:
        # What uwsgi takes for the end; others end as well.
        process.send_signal(2)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def ask(port, method, path, body=None, headers=None, **options):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    with contextlib.closing(connection):
        connection.request(method, path, body, headers or {}, **options)
        response = connection.getresponse()
        return response.status, response.read().decode()


def in_chunks(port):
    """The status and the text for a body that comes in chunks.

    All of it in one piece: a server that refuses it need not read it all, and what is sent after that breaks the connection.
    """
    head = "POST /v1/actions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in (BODY[:9], BODY[9:], b""))
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(head.encode() + chunks)
        response = http.client.HTTPResponse(connection)
        response.begin()
        return response.status, response.read().decode()


def check(port):
    """All that a server has to hand on: a body with a length, headers, a query, the method HEAD."""
    status, text = ask(port, "POST", "/v1/actions", BODY, {**JSON, "X-Auth-Token": "alice:web:member"})
    assert status == 201, text
    status, text = ask(port, "GET", "/v2/web/actions?limit=1", None, {"X-Auth-Token": "alice:web:reader"})
    assert [action["user_id"] for action in json.loads(text)["actions"]] == ["alice"]
    assert ask(port, "HEAD", "/") == (300, "")
    assert ask(port, "POST", "/v1/actions", BODY, {**JSON, "Origin": "https://evil.example"})[0] == 403


@pytest.mark.parametrize(
    "name", ["freezer_api.wsgi", "ansible_collections.freezer.backup.roles.api.files.freezer_api.wsgi"]
)
def test_gunicorn_serves_the_application(tmp_path, port, config, name):
    line = [COMMANDS / "gunicorn", "--bind", f"127.0.0.1:{port}", "--workers", "2", f"{name}:application"]
    with serving(line, port, config, tmp_path / "log"):
        check(port)
        assert in_chunks(port)[0] == 201


def test_uwsgi_serves_the_application_and_a_body_in_chunks_is_refused_rather_than_lost(tmp_path, port, config, tools):
    line = [
        *(tools["FREEZER_TEST_UWSGI"], "--http", f"127.0.0.1:{port}", "--need-app", "--master", "--processes", "2"),
        *("--enable-threads", "--die-on-term", "--virtualenv", sys.prefix),
        *("--module", "freezer_api.cmd.wsgi:application"),
    ]
    with serving(line, port, config, tmp_path / "log"):
        check(port)
        status, text = in_chunks(port)
        assert status == 411
        assert "Content-Length" in json.loads(text)["description"]


def test_mod_wsgi_serves_the_application(tmp_path, port, config, tools):
    root = Path(tools["FREEZER_TEST_APACHE"])
    library = sysconfig.get_config_var("INSTSONAME")
    if library.encode() not in (root / "usr/lib/apache2/modules/mod_wsgi.so").read_bytes():
        pytest.skip(f"Debian's mod_wsgi has another Python in it than {library}, which runs the tests")
    settings = tmp_path / "httpd.conf"
    settings.write_text(
        APACHE.format(
            folder=tmp_path,
            port=port,
            modules=root / "usr/lib/apache2/modules",
            home=sys.prefix,
            script=SCRIPT,
            script_folder=SCRIPT.parent,
        )
    )
    folders = [sysconfig.get_config_var("LIBDIR"), *root.glob("usr/lib/*-linux-gnu"), *root.glob("lib/*-linux-gnu")]
    # It does not serve as root, and its workers need not be able to read a checkout of root's.
    other = ["unshare", "--user", "--map-user=1000", "--map-group=1000"] if os.geteuid() == 0 else []
    line = [*other, root / "usr/sbin/apache2", "-f", settings, "-DFOREGROUND"]
    libraries = {"LD_LIBRARY_PATH": ":".join(str(folder) for folder in folders)}
    with serving(line, port, config, tmp_path / "log", **libraries):
        check(port)
        assert in_chunks(port)[0] == 201


def test_what_keeps_the_application_from_starting_is_one_sentence(tmp_path):
    missing = tmp_path / "none.conf"
    ran = subprocess.run(
        [sys.executable, "-c", "import freezer_api.wsgi"],
        env={**os.environ, "FREEZER_API_CONFIG": str(missing)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1
    assert ran.stderr.startswith(f"freezer-api: the configuration file {missing} cannot be read")
    assert ran.stderr.count("\n") == 1


def test_noauth_refuses_other_machines_whatever_the_server_listens_on(config, monkeypatch):
    monkeypatch.setenv("FREEZER_API_CONFIG", str(config))
    import falcon.testing

    from ansible_collections.freezer.backup.roles.api.files.freezer_api import wsgi

    made = wsgi.ProcessApplication(wsgi.checked_settings(str(config)))

    def status(address):
        environ = falcon.testing.create_environ("/v1/jobs", host="localhost", remote_addr=address)
        answers = []
        list(made(environ, lambda line, _headers, _error=None: answers.append(line)))
        return answers[0].split()[0]

    assert status("127.0.0.1") == "200"
    assert status("192.0.2.1") == "403"


def test_the_names_of_upstream_are_installed(tmp_path):
    assert shutil.which("freezer-api", path=COMMANDS)
    for name in ("freezer_api.wsgi", "freezer_api.cmd.wsgi"):
        ran = subprocess.run(
            [sys.executable, "-c", f"import importlib.util as u; print(u.find_spec({name!r}).origin)"],
            capture_output=True,
            text=True,
            check=True,
            cwd=tmp_path,
        )
        assert ran.stdout.strip().endswith("wsgi.py")
