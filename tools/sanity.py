# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs `ansible-test sanity` without a container engine and without touching the checkout or ~/.ansible.

ansible-test wants the path ansible_collections/freezer/backup, a git repository, and a bootstrap script for pip that it
loads from a server of Ansible's CI. So the files of the checkout (tracked, changed and new ones, not the ignored ones)
are copied to build/sanity, which is a small repository of its own, and the bootstrap script is one that uses ensurepip.
The virtual environments of the tests stay in build/sanity/home and make the second run quick.

usage: .venv/bin/python tools/sanity.py [arguments of ansible-test sanity, such as --test pep8]
"""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ansible_test_copy import CHECKOUT, COMMANDS, copied_checkout, environment

HOME = CHECKOUT / "build/sanity/home"

# The pip that Python brings along is good enough: another version would only be fetched a dozen times.
BOOTSTRAP = """\
import subprocess, sys
subprocess.check_call([sys.executable, "-m", "ensurepip"], stdout=subprocess.DEVNULL)
wanted = [word for word in sys.argv[1:] if not word.startswith(("-", "pip=="))]
sys.exit(subprocess.call([sys.executable, "-m", "pip", "install"] + wanted) if wanted else 0)
"""


def write_pip_bootstrap() -> None:
    """Lays the bootstrap script where ansible-test keeps its download: the name carries the version of pip it asks for."""
    from ansible_test._internal import python_requirements

    class AnyPython:
        version = ""

    pip_version = python_requirements.get_venv_packages(AnyPython())["pip"]
    script = HOME / ".ansible/test/cache" / f"get_pip_{pip_version.replace('.', '_')}.py"
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(BOOTSTRAP, encoding="utf-8")


def write_pip_settings() -> None:
    """Hands on where pip fetches from: ansible-test strips the environment, and HOME is another one here."""
    keys = ("cert", "client-cert", "extra-index-url", "find-links", "index-url", "no-index", "proxy", "trusted-host")
    settings = {}
    listed = subprocess.run([COMMANDS / "pip", "config", "list"], check=True, capture_output=True, text=True)
    for line in listed.stdout.splitlines():
        name, value = line.split("=", 1)
        key = name.rsplit(".", 1)[1]
        if key in keys:
            settings[key] = value.strip("'\"")
    proxy = os.environ.get("https_proxy") or os.environ.get("HTTPS_PROXY")
    if proxy:
        settings.setdefault("proxy", proxy)
    target = HOME / ".config/pip/pip.conf"
    target.parent.mkdir(parents=True, exist_ok=True)
    settings.update({"quiet": "1", "progress-bar": "off", "disable-pip-version-check": "true"})
    lines = "".join(f"{key} = {value}\n" for key, value in sorted(settings.items()))
    target.write_text("[global]\n" + lines, encoding="utf-8")


def oldest_python() -> Path | None:
    """The Python 3.9 of this machine, the oldest one that modules run on, if there is a whole one: also one of pyenv's."""
    folders = [Path(folder) for folder in os.get_exec_path()]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for folder in folders + sorted(pyenv.glob("versions/3.9.*/bin")):
        python = folder / "python3.9"
        works = python.exists() and subprocess.run(
            [python, "-c", "import ensurepip, venv"], capture_output=True, check=False
        )
        if works and works.returncode == 0:
            return python
    return None


def main() -> int:
    copy = copied_checkout("sanity")
    write_pip_bootstrap()
    write_pip_settings()
    controller = f"{sys.version_info[0]}.{sys.version_info[1]}"
    pythons = ["--controller", f"origin:python={controller}", "--target-python", controller]
    oldest = oldest_python()
    if oldest:
        pythons += ["--target-python", f"3.9@{oldest}"]
    else:
        print("tools/sanity.py: no Python 3.9 here, so modules are compiled and imported with this one only")
    variables = environment(HOME, *([str(oldest.parent)] if oldest else []))
    command = [COMMANDS / "ansible-test", "sanity", "--color", "no", *pythons]
    # pylint takes as long as all others together: where nothing is chosen, they run beside it.
    choices = [sys.argv[1:]] if sys.argv[1:] else [["--test", "pylint"], ["--skip-test", "pylint"]]
    with ThreadPoolExecutor() as threads:
        outcomes = list(threads.map(lambda choice: run([*command, *choice], copy, variables), choices))
    return int(any(outcomes))


def run(command: list[str | Path], copy: Path, variables: dict[str, str]) -> int:
    """Runs one ansible-test, shows in one piece what it said, and returns how it ended."""
    done = subprocess.run(
        command,
        cwd=copy,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    print(done.stdout, end="", flush=True)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
