# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""A mechanism of Neutron that binds every port without an agent, so that servers may have networks."""

from neutron_lib.plugins.ml2 import api


class Agentless(api.MechanismDriver):
    """Every port is bound at once."""

    def initialize(self):
        pass

    def bind_port(self, context):
        for segment in context.segments_to_bind:
            context.set_binding(segment[api.ID], "ovs", {"port_filter": False}, status="ACTIVE")
            return
