# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Start a program of OpenStack by its entry point, since its package was unpacked and not installed.

usage: run.py NAME MODULE:FUNCTION [ARGUMENT...]      a program, which believes that it is called NAME
       run.py NAME wsgi:PORT:MODULE:FUNCTION CONFIG   a WSGI application
"""

from __future__ import annotations

import importlib
import os
import re
import sys
import time
import types
from typing import Any


def main() -> int:
    """Do as the command line says."""
    # PYTHONPATH is for what this process starts, such as the helper of privsep.
    os.environ["PYTHONPATH"] = os.environ["LAB_PYTHONPATH"]
    sys.path[:0] = os.environ["LAB_PYTHONPATH"].split(os.pathsep)
    name, entry, *rest = sys.argv[1:]
    sys.argv = [name, *rest]
    if entry.startswith("wsgi:"):
        return _serve(entry)
    module_name, function = entry.split(":")
    if module_name.startswith("cinder."):
        # Before anything of Cinder keeps what is changed.
        _make_gigabytes_small()
    module = importlib.import_module(module_name)
    if module_name == "cinder.cmd.volume":
        _look_again_soon()
    if module_name.startswith("nova."):
        import nova.virt

        # compute_driver is a name below nova.virt.
        nova.virt.__path__.append(os.environ["LAB_NOVA_VIRT"])
        _ask_for_no_security_groups()
        # Nova looks again so many seconds later whether Cinder has made the volume that a server boots from.
        nova.conf.CONF.set_default("block_device_allocate_retries_interval", 1)
    if module_name == "neutron.cmd.eventlet.server":
        # The first GET /ports of Zed reads relations that exist once these models are mapped.
        for models in ("neutron.db.models.port_forwarding", "neutron.plugins.ml2.models"):
            importlib.import_module(models)
        import sqlalchemy.orm

        sqlalchemy.orm.configure_mappers()
    return getattr(module, function)() or 0


def _make_gigabytes_small() -> None:
    """Let Cinder take 16 MiB for a gigabyte, the least that a volume has: tests copy whole volumes all the time."""
    from oslo_concurrency import processutils
    from oslo_utils import units

    units.Gi = 16 * units.Mi
    execute = processutils.execute

    def execute_in_bytes(*command: Any, **options: Any) -> Any:
        """Say to truncate and to qemu-img in bytes what they are told in gigabytes; and limit nothing."""
        # A limit is set by another Python, whose start takes longer than what it limits.
        options.pop("prlimit", None)
        if command[0] in ("truncate", "qemu-img"):
            gigabytes = [re.fullmatch("([0-9]+)G", str(word)) for word in command]
            command = tuple(
                int(size[1]) * units.Gi if size else word for word, size in zip(command, gigabytes, strict=True)
            )
        return execute(*command, **options)

    processutils.execute = execute_in_bytes


def _look_again_soon() -> None:
    """Let Cinder see in a tenth of the time that Nova has taken, or merged, a snapshot of an attached volume: it looks every
    second."""
    from cinder import objects

    # As its main does before it imports drivers.
    objects.register_all()
    from cinder.volume.drivers import remotefs

    # Not time.sleep itself, which everything else uses too.
    remotefs.time = types.SimpleNamespace(sleep=lambda seconds: time.sleep(seconds / 10))


def _ask_for_no_security_groups() -> None:
    """Let Nova describe servers without asking Neutron each time which groups they are in, which nothing here reads."""
    from nova.network import security_group_api

    security_group_api.get_instances_security_groups_bindings = lambda *_arguments, **_options: {}


def _serve(entry: str) -> int:
    import eventlet

    eventlet.monkey_patch()
    import eventlet.wsgi

    _wsgi, port, module_name, function = entry.split(":")
    sys.argv = sys.argv[:1]
    application = getattr(importlib.import_module(module_name), function)()
    eventlet.wsgi.server(eventlet.listen(("127.0.0.1", int(port))), application, log_output=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
