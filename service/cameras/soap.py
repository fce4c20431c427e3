"""The little SOAP that ONVIF needs: envelopes out, answers in, read as data only.

Five requests are all that is asked of a camera; a library would bring a hundred WSDL files, an XML parser with features
that strangers' answers must not reach, and connections that know nothing of the address policy.
"""

import base64
import datetime as dt
import hashlib
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat
from xml.sax.saxutils import escape

from service.errors import NotOnvif

SOAP = "http://www.w3.org/2003/05/soap-envelope"
_SOAP11 = "http://schemas.xmlsoap.org/soap/envelope/"
ADDRESSING = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
DISCOVERY = "http://schemas.xmlsoap.org/ws/2005/04/discovery"
DEVICE = "http://www.onvif.org/ver10/device/wsdl"
MEDIA = "http://www.onvif.org/ver10/media/wsdl"
MEDIA2 = "http://www.onvif.org/ver20/media/wsdl"
SCHEMA = "http://www.onvif.org/ver10/schema"
NETWORK = "http://www.onvif.org/ver10/network/wsdl"
_WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
_WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
_DIGEST = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordDigest"
_BASE64 = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary"

ANSWER_BYTES_MAX = 512 << 10
_ELEMENTS_MAX = 20_000
_DEPTH_MAX = 64
_TEXT_MAX = 4096
_REASON_MAX = 300


@dataclass(frozen=True, slots=True)
class Login:
    """A user of a camera; the password leaves this process as a digest only."""

    user: str
    password: str = field(repr=False)


def envelope(body: str, header: str = "") -> bytes:
    """A SOAP 1.2 message around a body and a header, both XML already."""
    return (
        f'<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="{SOAP}"><s:Header>{header}</s:Header>'
        f"<s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def security(login: Login, nonce: bytes, now: dt.datetime) -> str:
    """A WS-UsernameToken: the digest of nonce, time and password. now: by the camera's own clock."""
    created = now.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    digest = hashlib.sha1(nonce + created.encode() + login.password.encode()).digest()  # noqa: S324 - the standard's
    return (
        f'<w:Security xmlns:w="{_WSSE}" s:mustUnderstand="1"><w:UsernameToken>'
        f"<w:Username>{escape(login.user)}</w:Username>"
        f'<w:Password Type="{_DIGEST}">{base64.b64encode(digest).decode()}</w:Password>'
        f'<w:Nonce EncodingType="{_BASE64}">{base64.b64encode(nonce).decode()}</w:Nonce>'
        f'<u:Created xmlns:u="{_WSU}">{created}</u:Created></w:UsernameToken></w:Security>'
    )


def parse(answer: bytes) -> ET.Element:
    """The root of an answer; raises NotOnvif for what is no XML, too large, too deep, or declares a document type."""
    if len(answer) > ANSWER_BYTES_MAX:
        raise NotOnvif(f"the answer is larger than {ANSWER_BYTES_MAX >> 10} KiB")
    reader = _Reader()
    try:
        return reader.read(answer)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise NotOnvif("the answer is no XML") from error


def body_of(root: ET.Element) -> ET.Element:
    """What stands in the body of a message; raises NotOnvif where there is none."""
    for namespace in (SOAP, _SOAP11):
        found = root.find(f"{{{namespace}}}Body")
        if found is not None:
            return found
    raise NotOnvif("the answer is no SOAP message")


def fault_words(body: ET.Element) -> str | None:
    """Codes and reason of a fault, in one line; None for what is no fault."""
    fault = next((one for one in body if local(one) == "Fault"), None)
    if fault is None:
        return None
    return clean(" ".join(one.text for one in fault.iter() if one.text))[:_REASON_MAX] or "no reason given"


def local(element: ET.Element) -> str:
    """The name without its namespace: cameras differ in what they take for it."""
    return str(element.tag).rpartition("}")[2]


def every(element: ET.Element, name: str) -> Iterator[ET.Element]:
    """All descendants of a name, in any namespace."""
    return (one for one in element.iter() if local(one) == name)


def text_at(element: ET.Element, *path: str) -> str:
    """The text at the end of a path of local names, the first way that leads there; empty where none does."""
    if not path:
        return clean(element.text or "")
    for child in element:
        if local(child) == path[0] and (found := text_at(child, *path[1:])):
            return found
    return ""


def clean(text: str) -> str:
    """A stranger's text in one short line that can be printed."""
    return "".join(letter if letter.isprintable() else " " for letter in " ".join(text.split()))[:_TEXT_MAX]


class _Reader:
    """Builds a tree; refuses document types, and with them every entity, and counts what it builds."""

    def __init__(self) -> None:
        self._builder = ET.TreeBuilder()
        self._num_elements = self._depth = 0
        self._parser = expat.ParserCreate(namespace_separator="}")
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = self._refuse
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._builder.data

    def read(self, answer: bytes) -> ET.Element:
        self._parser.Parse(answer, True)
        return self._builder.close()

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._num_elements += 1
        self._depth += 1
        if self._num_elements > _ELEMENTS_MAX or self._depth > _DEPTH_MAX:
            raise NotOnvif("the answer has more parts than any camera's")
        self._builder.start(_qualified(name), attributes)

    def _end(self, name: str) -> None:
        self._depth -= 1
        self._builder.end(_qualified(name))

    def _refuse(self, *_: object) -> None:
        raise NotOnvif("the answer declares a document type")


def _qualified(name: str) -> str:
    return "{" + name if "}" in name else name
