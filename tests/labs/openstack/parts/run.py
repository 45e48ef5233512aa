# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Start a program of OpenStack by its entry point, since its package was unpacked and not installed.

usage: run.py NAME MODULE:FUNCTION [ARGUMENT...]      a program, which believes that it is called NAME
       run.py NAME wsgi:PORT:MODULE:FUNCTION CONFIG   a WSGI application
"""

from __future__ import annotations

import importlib
import os
import sys


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
    module = importlib.import_module(module_name)
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
