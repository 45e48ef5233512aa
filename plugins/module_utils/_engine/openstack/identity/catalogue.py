# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""Where the services of a cloud are, as the catalogue says that Keystone sends with a token."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ...http.errors import BadAddress

SERVICE_TYPE = "backup"
DEFAULT_INTERFACE = "public"


def endpoint_in(
    catalogue: Iterable[Any],
    interface: str,
    region_name: str | None,
    service_type: str = SERVICE_TYPE,
    service_name: str | None = None,
) -> str:
    """The address of a service in a catalogue; ``BadAddress`` when it is not there, or is not the only one.

    Of several interfaces, with commas between them, the first one that the service has is taken. ``service_name`` is for
    catalogues with several services of a type.
    """
    known = [
        endpoint
        for service in catalogue
        if isinstance(service, Mapping)
        and service.get("type") == service_type
        and service_name in (None, service.get("name"))
        for endpoint in service.get("endpoints") or []
    ]
    of_region = [one for one in known if region_name in (None, one.get("region_id"), one.get("region"))]
    fitting: list[Any] = []
    for wanted in interface.replace("URL", "").split(","):
        fitting = fitting or [endpoint for endpoint in of_region if endpoint.get("interface") == wanted]
    addresses = sorted({str(endpoint.get("url")) for endpoint in fitting})
    if len(addresses) == 1:
        return addresses[0]
    if addresses:
        regions = ", ".join(sorted({str(endpoint.get("region")) for endpoint in fitting}))
        what = "Freezer APIs" if service_type == SERVICE_TYPE else f"services of the type {service_type}"
        message = "Keystone's catalogue has several {0}, in these regions: {1}. Say which one with region_name."
        raise BadAddress(message.format(what, regions))
    raise BadAddress(no_endpoint(interface, region_name, known, service_type))


def no_endpoint(
    interface: str,
    region_name: str | None,
    known: Iterable[Mapping[str, Any]] = (),
    service_type: str = SERVICE_TYPE,
) -> str:
    """The sentence for a catalogue that does not have the endpoint that is looked for."""
    looked_for = f"interface {interface}" + (f" in region {region_name}" if region_name else "")
    others = sorted({f"{endpoint.get('interface')} in {endpoint.get('region')}" for endpoint in known})
    has = f"it has {', '.join(others)}" if others else "it has none at all that these credentials may see"
    otherwise = ", or give the address as url" if service_type == SERVICE_TYPE else ""
    return (
        f"Keystone's catalogue has no endpoint of the service type {service_type} with {looked_for}; {has}. "
        f"Name another one with interface and region_name{otherwise}."
    )
