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
    if module_name.startswith("cinder."):
        from cinder.image import image_utils

        # Worked out of a gigabyte when it was imported; with less qemu-img cannot start its threads.
        image_utils.QEMU_IMG_LIMITS.address_space = 1 << 30
    if module_name.startswith("nova."):
        import nova.virt

        # compute_driver is a name below nova.virt.
        nova.virt.__path__.append(os.environ["LAB_NOVA_VIRT"])
    if module_name == "neutron.cmd.eventlet.server":
        # The first GET /ports of Zed reads relations that exist once these models are mapped.
        for models in ("neutron.db.models.port_forwarding", "neutron.plugins.ml2.models"):
            importlib.import_module(models)
        import sqlalchemy.orm

        sqlalchemy.orm.configure_mappers()
    return getattr(module, function)() or 0


def _make_gigabytes_small() -> None:
    """Let Cinder take 64 MiB for a gigabyte, the least that a volume has: tests copy whole volumes all the time."""
    from oslo_concurrency import processutils
    from oslo_utils import units

    units.Gi = 64 * units.Mi
    execute = processutils.execute

    def execute_in_bytes(*command: Any, **options: Any) -> Any:
        """Say to truncate and to qemu-img in bytes what they are told in gigabytes."""
        if command[0] in ("truncate", "qemu-img"):
            gigabytes = [re.fullmatch("([0-9]+)G", str(word)) for word in command]
            command = tuple(
                int(size[1]) * units.Gi if size else word for word, size in zip(command, gigabytes, strict=True)
            )
        return execute(*command, **options)

    processutils.execute = execute_in_bytes


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
