# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The hosts of the lab, as Docker has to make them; called by `lab`, for the dockerd of DOCKER_HOST.

usage: hosts.py running | has-image IMAGE | import IMAGE <ARCHIVE | connect NETWORK BRIDGE
                start IMAGE HOST=ADDRESS... | remove [HOST...] | status HOST...
"""

from __future__ import annotations

import os
import sys
import time

import docker
import requests
from docker.errors import DockerException, ImageNotFound, NotFound
from docker.types import IPAMConfig, IPAMPool

_NETWORK = "lab"
_ANSWER_SECONDS = 60
_START_SECONDS = 20
#: SYS_ADMIN is what systemd needs; the rest, and a file system that overlays can lie on, is what a dockerd inside needs.
_AS_A_MACHINE = {
    "cap_add": ["SYS_ADMIN", "NET_ADMIN", "SYS_PTRACE"],
    "cgroupns": "private",
    "security_opt": ["seccomp=unconfined", "apparmor=unconfined"],
    "stop_signal": "SIGRTMIN+3",
    "sysctls": {"net.ipv6.conf.all.disable_ipv6": "0"},
    "tmpfs": {"/run": "", "/run/lock": "", "/tmp": "exec"},
    "volumes": ["/var/lib/docker"],
}
_IMAGE_SETTINGS = ["ENV container=docker", 'CMD ["/usr/local/sbin/container-init"]']


class Hosts:
    """What can be done to the hosts. Everything raises what Docker's library raises."""

    def __init__(self) -> None:
        # It asks which version of the protocol it is.
        self._docker = docker.DockerClient(os.environ["DOCKER_HOST"], timeout=_ANSWER_SECONDS)

    def has_image(self, image: str) -> bool:
        """Whether an image is there."""
        try:
            self._docker.images.get(image)
        except ImageNotFound:
            return False
        return True

    def import_(self, image: str) -> bool:
        """Make an image of the archive on stdin; hosts and images of before are removed."""
        repository, tag = image.split(":")
        self._docker.api.import_image(sys.stdin.buffer, repository, tag, changes=_IMAGE_SETTINGS, stream_src=True)
        self.remove()
        for name in (name for found in self._docker.images.list(repository) for name in found.tags):
            if name != image:
                self._docker.images.remove(name)
        return self.has_image(image)

    def connect(self, network: str, bridge: str) -> bool:
        """Make the network of the hosts, if there is none."""
        try:
            self._docker.networks.get(_NETWORK)
        except NotFound:
            pool = IPAMPool(f"{network}.0/24", gateway=f"{network}.1")
            options = {"com.docker.network.bridge.name": bridge}
            self._docker.networks.create(_NETWORK, ipam=IPAMConfig(pool_configs=[pool]), options=options)
        return True

    def start(self, image: str, *hosts: str) -> bool:
        """Start those hosts that do not run, and wait until Ansible can enter."""
        addresses = dict(host.split("=") for host in hosts)
        for name in [name for name in addresses if not self._is_up(name)]:
            self.remove(name)
            own = self._docker.api.create_endpoint_config(ipv4_address=addresses[name])
            where = {"network": _NETWORK, "networking_config": {_NETWORK: own}}
            self._docker.containers.run(image, detach=True, name=name, hostname=name, **where, **_AS_A_MACHINE)
        deadline = time.monotonic() + _START_SECONDS
        while waiting := [name for name in addresses if not self._is_up(name)]:
            if time.monotonic() > deadline:
                print(f"lab containers: {' '.join(waiting)} runs no sshd after {_START_SECONDS} s", file=sys.stderr)
                return False
            time.sleep(0.2)
        return True

    def remove(self, *names: str) -> bool:
        """Remove hosts with all that they have, and all of them if none is named."""
        for container in self._docker.containers.list(all=True, ignore_removed=True):
            if not names or container.name in names:
                container.remove(force=True, v=True)
        return True

    def status(self, *names: str) -> bool:
        """Say whether the hosts run."""
        down = [name for name in names if not self._is_up(name)]
        print(f"down: {' '.join(down)}" if down else f"up: {' '.join(names)}")
        return not down

    def _is_up(self, name: str) -> bool:
        try:
            said = self._docker.containers.get(name).exec_run(["systemctl", "is-active", "ssh.service"]).output
        except (DockerException, requests.RequestException):
            return False
        return bool(said == b"active\n")


def main(verb: str, *words: str) -> int:
    """Do what the command line says; the exit status."""
    try:
        hosts = Hosts()
    except DockerException as error:
        # That is what `running` asks.
        return 1 if verb == "running" else _failed(error)
    known = {
        "running": lambda: True,
        "has-image": hosts.has_image,
        "import": hosts.import_,
        "connect": hosts.connect,
        "start": hosts.start,
        "remove": hosts.remove,
        "status": hosts.status,
    }
    try:
        return 0 if known[verb](*words) else 1
    except (DockerException, requests.RequestException) as error:
        return _failed(error)


def _failed(error: Exception) -> int:
    print(f"lab containers: Docker does not do it: {error}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
