# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""Starts a freezer-api for itself at a Unix socket, lets playbooks/quickstart.yml use it, and stops it."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
COMMANDS = Path(sys.executable).parent
START_SECONDS = 30
#: Linux takes no longer path of a socket.
LONGEST_SOCKET_BYTES = 107


def stop(reason: str) -> None:
    """End with a sentence."""
    sys.exit(f"make quickstart: {reason}")


def folders() -> tuple[Path, Path]:
    """The folder to back up and the folder to write to, both checked."""
    parser = argparse.ArgumentParser(prog="make quickstart", description=__doc__)
    parser.add_argument("source", nargs="?", help="the folder to back up (default: /usr/share/doc)")
    parser.add_argument("--state", default=CHECKOUT / "build" / "quickstart", help="the folder to write to")
    given = parser.parse_args([argument for argument in sys.argv[1:] if argument])
    usual = Path("/usr/share/doc")
    source = Path(given.source or (usual if usual.is_dir() else sysconfig.get_path("stdlib"))).resolve()
    if not source.is_dir():
        stop(f"{source} is not a folder. Name one: make quickstart SRC=/some/folder")
    state = Path(given.state).resolve()
    if state.is_relative_to(source):
        stop(f"{state}, where the quickstart writes, lies inside {source}. Choose another: STATE=/some/folder")
    (state / "tmp").mkdir(parents=True, exist_ok=True)
    return source, state


def keeping_inside(state: Path) -> dict[str, str]:
    """What makes programs write below the state folder what they would write to the home or elsewhere on this machine."""
    places = {
        "TMPDIR": state / "tmp",
        # stevedore, of which oslo.policy loads its checks, keeps its cache there.
        "XDG_CACHE_HOME": state / "cache",
        "FREEZER_BACKUP_STATE": state / "known",
    }
    return {name: str(place) for name, place in places.items()}


@contextlib.contextmanager
def socket_path(state: Path) -> Iterator[Path]:
    """Where the API listens: below the state folder, or in a temporary folder where that path is too long for a socket."""
    inside = state / "run" / "api.sock"
    if len(os.fsencode(inside)) <= LONGEST_SOCKET_BYTES:
        inside.parent.mkdir(exist_ok=True)
        inside.parent.chmod(
            0o700
        )  # the checkout may be a group's, and the API listens in no folder that others can change
        yield inside
        return
    with tempfile.TemporaryDirectory(prefix="freezer-quickstart-") as folder:
        yield Path(folder, "api.sock")


def start_api(state: Path, socket: Path) -> tuple[subprocess.Popen[bytes], str]:
    """A freezer-api that answers at a socket, and its address."""
    address = f"unix://{socket}"
    argv = [COMMANDS / "freezer-api", "--store", f"sqlite:///{state}/api.db", "--auth-strategy", "noauth"]
    log = state / "api.log"
    environment = os.environ | keeping_inside(state)
    with log.open("wb") as output:
        api = subprocess.Popen(
            [*argv, "--bind", address], env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    deadline = time.monotonic() + START_SECONDS
    while api.poll() is None and time.monotonic() < deadline:
        # It says so when it is ready.
        if address in log.read_text(errors="replace") and socket.exists():
            return api, address
        time.sleep(0.05)
    api.kill()
    api.wait()
    stop(f"the API did not start. It said: {log.read_text(errors='replace').strip()}")
    raise AssertionError


def play(source: Path, state: Path, url: str) -> int:
    """Run the playbook with nothing of the user's own settings; returns its exit status."""
    settings = {
        "ANSIBLE_HOME": state / "ansible",
        "ANSIBLE_REMOTE_TMP": state / "ansible" / "tmp",
        "ANSIBLE_CONFIG": CHECKOUT / "tests" / "ansible.cfg",
        "ANSIBLE_COLLECTIONS_PATH": CHECKOUT / "build" / "collections",
        "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "false",
        "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml",
    }
    variables = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "quickstart_source": str(source),
        "quickstart_state": str(state),
        "quickstart_url": url,
    }
    argv = [COMMANDS / "ansible-playbook", CHECKOUT / "playbooks" / "quickstart.yml", "--inventory", "localhost,"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("OS_", "ANSIBLE_"))}
    environment.update(keeping_inside(state), **{key: str(value) for key, value in settings.items()})
    return subprocess.run([*argv, "--extra-vars", json.dumps(variables)], env=environment, check=False).returncode


def main() -> None:
    """Start, play, stop."""
    source, state = folders()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with socket_path(state) as socket:
        api, url = start_api(state, socket)
        try:
            status = play(source, state, url)
            if status == 0:
                print((state / "summary.txt").read_text())
            sys.exit(status)
        except KeyboardInterrupt:
            sys.exit(130)
        finally:
            api.terminate()
            api.wait()


if __name__ == "__main__":
    main()
