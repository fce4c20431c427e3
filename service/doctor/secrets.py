"""Keeps secrets out of what is said of an installation, whoever said it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from urllib.parse import unquote, urlsplit

from pipelines.addresses.redact import HIDDEN
from service.doctor.findings import Finding
from service.settings import Settings

PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
ENDPOINT_VARIABLES = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3")
STORE_VARIABLES = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_SHORTEST = 3
"""A shorter secret would be found in every word; no check repeats a URL's login on its own."""


def known_secrets(settings: Settings, environment: Mapping[str, str]) -> tuple[str, ...]:
    """The key and every password that stands in a URL, as written and as meant; longest first."""
    named = [environment.get(name) for name in (*PROXY_VARIABLES, *ENDPOINT_VARIABLES)]
    urls = [settings.database_url, settings.mqtt_url, *named]
    found = {secret for url in urls if url for secret in _passwords(url)}
    found |= {environment[name] for name in STORE_VARIABLES if environment.get(name)}
    if settings.secret_key is not None:
        found.add(settings.secret_key.get_secret_value())
    return tuple(sorted((secret for secret in found if len(secret) >= _SHORTEST), key=len, reverse=True))


def without_secrets(findings: Iterable[Finding], secrets: Iterable[str]) -> list[Finding]:
    """The same findings with every secret hidden."""
    hidden = tuple(secrets)
    return [replace(one, found=_hide(one.found, hidden), advice=_hide(one.advice, hidden)) for one in findings]


def _hide(text: str, secrets: Iterable[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    return text


def _passwords(url: str) -> Iterator[str]:
    try:
        password = urlsplit(url).password
    except ValueError:
        password = None
    if password is None and "@" in url:
        # No address at all: everything between the scheme and the last @ may be a login.
        password = url.rpartition("@")[0].partition("://")[2].partition(":")[2]
    if password:
        yield from (password, unquote(password))
