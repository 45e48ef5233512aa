# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""MariaDB and RabbitMQ, which glance, placement, neutron, cinder and nova share. They are no pieces of their own."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Sequence
from pathlib import Path

from debian import Packages
from pieces import Daemon, LabError, run, say, usable_port

_START_SECONDS = 120


class Databases:
    """The database server and the message queue."""

    def __init__(self, folder: Path, packages: Packages, password: str) -> None:
        self.state = folder
        self._packages = packages
        self._password = password
        self._mariadb = Daemon(folder, "mariadb", str(folder / "mysql"))
        self._rabbit = Daemon(folder, "rabbitmq", "rabbitmq")
        # Where the queue's processes find each other.
        self._epmd = Daemon(folder, "epmd", "epmd\0-port")

    def up(self) -> None:
        """Start both. Raises LabError."""
        self.state.mkdir(parents=True, exist_ok=True, mode=0o755)
        if self._rabbit.process_id is None:
            self._start_rabbit()
        if self._mariadb.process_id is None:
            self._start_mariadb()
        self._wait("mariadb.port", self._mariadb)
        self._wait("rabbit.port", self._rabbit)

    def down(self) -> None:
        """Stop both."""
        for daemon in (self._rabbit, self._mariadb, self._epmd):
            daemon.stop()

    def database_url(self, name: str) -> str:
        """What a service connects to."""
        port = (self.state / "mariadb.port").read_text()
        return f"mysql+pymysql://lab:{self._password}@127.0.0.1:{port}/{name}?charset=utf8"

    def queue_url(self) -> str:
        """Where messages go."""
        return f"rabbit://guest:guest@127.0.0.1:{(self.state / 'rabbit.port').read_text()}/"

    def execute(self, statement: str) -> None:
        """Run SQL as the administrator. Raises LabError."""
        line: Sequence[str | Path] = [
            self._packages.root / "usr/bin/mariadb",
            "--no-defaults",
            "-uroot",
            "-S",
            self._socket(),
            "-e",
            statement,
        ]
        run(line, self.state / "sql.log", self._packages.environment())

    def ensure_database(self, name: str) -> None:
        """Make an empty database that the services may use."""
        grants = " ".join(f"GRANT ALL ON {name}.* TO 'lab'@'{host}';" for host in ("127.0.0.1", "localhost"))
        users = " ".join(
            f"CREATE USER IF NOT EXISTS 'lab'@'{host}' IDENTIFIED BY '{self._password}';"
            for host in ("127.0.0.1", "localhost")
        )
        self.execute(f"{users} CREATE DATABASE IF NOT EXISTS {name} CHARACTER SET utf8mb3; {grants}")

    def _socket(self) -> Path:
        return self.state / "mysql.sock"

    def _start_mariadb(self) -> None:
        data = self.state / "mysql"
        share = self._packages.root / "usr/share/mysql"
        environment = self._packages.environment()
        port = usable_port(self.state / "mariadb.port")
        common = ["--no-defaults", f"--user={_user()}", f"--datadir={data}", f"--lc-messages-dir={share}"]
        if not (data / "mysql").is_dir():
            say("making the database server")
            installer = self._packages.root / "usr/bin/mariadb-install-db"
            run(
                [
                    installer,
                    "--no-defaults",
                    f"--user={_user()}",
                    f"--datadir={data}",
                    f"--basedir={self._packages.root}/usr",
                    "--auth-root-authentication-method=normal",
                    "--skip-test-db",
                ],
                self.state / "install.log",
                environment,
            )
        self._mariadb.start(
            [
                self._packages.root / "usr/sbin/mariadbd",
                *common,
                f"--socket={self._socket()}",
                "--bind-address=127.0.0.1",
                f"--port={port}",
                f"--pid-file={self.state}/mysql.own",
                "--skip-log-bin",
                "--innodb-flush-log-at-trx-commit=0",
                "--innodb-flush-method=nosync",
                "--innodb-doublewrite=0",
                "--innodb-buffer-pool-size=128M",
                "--max-connections=500",
                "--character-set-server=utf8mb3",
                "--performance-schema=off",
            ],
            environment,
        )

    def _start_rabbit(self) -> None:
        ports = {name: usable_port(self.state / f"{name}.port") for name in ("rabbit", "epmd", "distribution")}
        for folder in ("home", "mnesia", "log"):
            (self.state / "rabbit" / folder).mkdir(parents=True, exist_ok=True, mode=0o700)
        (self.state / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{ports['rabbit']}\n"
            "vm_memory_high_watermark.absolute = 512MiB\ndisk_free_limit.absolute = 50MB\nlog.console = false\n"
        )
        (self.state / "rabbit-plugins").write_text("[].\n")
        root = self._packages.root
        home = next(root.glob("usr/lib/rabbitmq/lib/rabbitmq_server-*"))
        erlang = root / "usr/lib/erlang"
        environment = self._packages.environment(
            {
                "HOME": str(self.state / "rabbit/home"),
                "ERL_EPMD_PORT": str(ports["epmd"]),
                "ERL_EPMD_ADDRESS": "127.0.0.1",
                "ERLANG_HOME": str(erlang),
                "ERL_ROOTDIR": str(erlang),
                "RABBITMQ_HOME": str(home),
                "RABBITMQ_NODENAME": "lab@localhost",
                "RABBITMQ_MNESIA_BASE": str(self.state / "rabbit/mnesia"),
                "RABBITMQ_LOG_BASE": str(self.state / "rabbit/log"),
                "RABBITMQ_CONFIG_FILE": str(self.state / "rabbitmq.conf"),
                "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.state / "rabbit-plugins"),
                "RABBITMQ_DIST_PORT": str(ports["distribution"]),
                # Not rabbit.beam, which Erlang would load from here if it is left behind.
                "RABBITMQ_PID_FILE": str(self.state / "rabbit.pid"),
                "RABBITMQ_CONF_ENV_FILE": "/dev/null",
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none -kernel inet_dist_use_interface {127,0,0,1}",
            }
        )
        environment["PATH"] = f"{erlang}/bin:{environment['PATH']}"
        self._epmd.start([erlang / "bin/epmd", "-port", str(ports["epmd"]), "-address", "127.0.0.1"], environment)
        self._wait("epmd.port", self._epmd)
        self._rabbit.start([home / "sbin/rabbitmq-server"], environment)

    def _wait(self, port_file: str, daemon: Daemon) -> None:
        port = int((self.state / port_file).read_text())
        deadline = time.monotonic() + _START_SECONDS
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return
            if daemon.has_ended or time.monotonic() > deadline:
                raise LabError(f"nothing listens at port {port}; the log is {daemon.log}")
            time.sleep(0.1)


def _user() -> str:
    import pwd

    return pwd.getpwuid(os.getuid()).pw_name
