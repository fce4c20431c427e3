"""Recognises the variables that Kubernetes and Docker put into a container for a service called `actogram...`.

They look like settings and are none: `ACTOGRAM_PORT=tcp://10.0.0.1:8000` says where the Service `actogram` is, and
`ACTOGRAM_WEB_SERVICE_HOST=10.0.0.2` where `actogram-web` is. Form: Kubernetes' "Accessing the Service", Docker's
"Legacy container links".
"""

import re
from collections.abc import Iterator, Mapping

_URL = r"(tcp|udp|sctp)://\S+:\d+"
_ADDRESS = r"[0-9A-Fa-f:.]*[:.][0-9A-Fa-f:.]*"
_NUMBER = r"\d+"
_PROTOCOL = r"(TCP|UDP|SCTP)"
# What a name ends in, behind the service's own name → what its value looks like.
_FORMS = tuple(
    (re.compile(name), re.compile(value))
    for name, value in (
        (r"_SERVICE_HOST", _ADDRESS),
        (r"_SERVICE_PORT(_\w+)?", _NUMBER),
        (r"_PORT", _URL),
        (rf"_PORT_\d+_{_PROTOCOL}(_START|_END)?", _URL),
        (rf"_PORT_\d+_{_PROTOCOL}_PROTO", _PROTOCOL.lower()),
        (rf"_PORT_\d+_{_PROTOCOL}_PORT(_START|_END)?", _NUMBER),
        (rf"_PORT_\d+_{_PROTOCOL}_ADDR", _ADDRESS),
    )
)
_LINK_NAME = re.compile(r"/[^/\s]+/[^/\s]+")


def find_service_links(environment: Mapping[str, str], service: str) -> frozenset[str]:
    """Names of the variables that a link made, for the service itself or one whose name begins with it and a dash.

    service: in upper case, as it stands in names. The value must fit too: `ACTOGRAM_PORT=9000` is somebody's mistake.
    """
    own = re.compile(rf"{service}(_[A-Z0-9_]+?)??")
    found = {name for name, value in environment.items() if _is_link(name, value, own)}
    return frozenset(found | set(_iter_docker_extras(environment, found)))


def _is_link(name: str, value: str, own: re.Pattern[str]) -> bool:
    return any(
        re.fullmatch(own.pattern + form.pattern, name) is not None and expected.fullmatch(value) is not None
        for form, expected in _FORMS
    )


def _iter_docker_extras(environment: Mapping[str, str], links: set[str]) -> Iterator[str]:
    """Docker's `<link>_NAME=/web/actogram` and its copies of the other container's variables, `<link>_ENV_...`."""
    prefixes = [name.removesuffix("_PORT") for name in links if name.endswith("_PORT")]
    for prefix in prefixes:
        if _LINK_NAME.fullmatch(environment.get(f"{prefix}_NAME", "")) is None:
            continue
        yield f"{prefix}_NAME"
        yield from (name for name in environment if name.startswith(f"{prefix}_ENV_"))
