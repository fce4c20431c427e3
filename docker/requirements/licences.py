"""Writes the tables of docs/licences.md from what is shipped: locked packages, libraries inside their wheels, weights.

`make licences` after `make lock`. What is not installed here (the GPU's runtime, other systems' packages) keeps its
line.
"""

import importlib.metadata as metadata
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "licences.md"
SHIPPED = ("cpu", "gpu")
"""The lock files of the images that are passed on."""

# As their projects state them. A library that is not named here stops the script: somebody has to look.
LIBRARIES: Mapping[str, str] = {
    "BSD-2-Clause": "dav1d aom avif openjp2",
    "BSD-3-Clause-Clear": "SvtAv1Enc",
    "BSD-3-Clause": "opus vpx webp webpmux webpdemux sharpyuv scipy_openblas64_ openblasp",
    "MIT": "Xau xcb xcb-shape xcb-shm xcb-xfixes drm vpl brotlicommon brotlidec lcms2",
    "MIT-Modern-Variant": "harfbuzz",
    "BSD-3-Clause OR GPL-2.0-only": "zstd",
    "Apache-2.0": "opencore-amrnb opencore-amrwb",
    "LGPL-2.0-or-later": "keyutils mp3lame",
    "LGPL-2.1-or-later": "asound gnutls crypt quadmath",
    "LGPL-3.0-or-later OR GPL-2.0-or-later": "gmp nettle hogweed unistring",
    "GPL-2.0-or-later": "x264 x265",
    "GPL-3.0-or-later WITH GCC-exception-3.1": "gfortran",
    "libpng-2.0": "png16",
    "IJG AND BSD-3-Clause AND Zlib": "jpeg",
    "libtiff": "tiff",
    "0BSD": "lzma",
    "FTL OR GPL-2.0-or-later": "freetype",
    "PostgreSQL": "pq",
    "MIT (Kerberos)": "com_err gssapi_krb5 k5crypto krb5 krb5support",
    "OLDAP-2.8": "lber ldap",
    "Cyrus SASL (BSD with attribution)": "sasl2",
}
_FFMPEG = frozenset({"avcodec", "avdevice", "avfilter", "avformat", "avutil", "swresample", "swscale"})
_OPENSSL = frozenset({"crypto", "ssl"})
_CLASSIFIERS: Mapping[str, str] = {
    "MIT License": "MIT",
    "Apache Software License": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "3-Clause BSD License": "BSD-3-Clause",
}


class LicenceUnknown(Exception):
    """Something is shipped of which this script knows no licence."""


def main() -> int:
    """Write the tables; 1 when something shipped has no known licence."""
    text = PAGE.read_text()
    try:
        PAGE.write_text(renewed(text))
    except LicenceUnknown as error:
        print(error, file=sys.stderr)  # noqa: T201 - what somebody must look up
        return 1
    return 0


def renewed(text: str) -> str:
    """The page with its tables written anew; raises LicenceUnknown."""
    tables = {
        "packages": _table(("package", "version", "licence"), packages(_rows(text, "packages"))),
        "libraries": _table(("in the wheel of", "library", "licence"), libraries(_rows(text, "libraries"))),
        "weights": _table(("network", "licence"), weights()),
    }
    for name, table in tables.items():
        text = re.sub(rf"(?s)(<!-- {name} -->\n).*?(<!-- end -->)", rf"\g<1>{table}\g<2>", text)
    return text


def packages(earlier: Sequence[Sequence[str]]) -> list[tuple[str, str, str]]:
    """Name, version and licence of every locked package of an image; raises LicenceUnknown."""
    known = {row[0]: row[2] for row in earlier}
    return [(name, version, _licence(name, version, known)) for name, version in locked().items()]


def locked() -> dict[str, str]:
    """Package → version, of everything that an image installs."""
    texts = [(ROOT / "docker" / "requirements" / f"{name}.txt").read_text() for name in SHIPPED]
    return dict(sorted(re.findall(r"^([\w.-]+)==([^\s;]+)", "\n".join(texts), re.MULTILINE)))


def libraries(earlier: Sequence[Sequence[str]]) -> list[tuple[str, str, str]]:
    """Package, library and licence of each library that wheels carry beside their own code; raises LicenceUnknown."""
    found: list[tuple[str, str, str]] = []
    for package in locked():
        if (inside := bundled(package)) is None:
            found += [(row[0], row[1], row[2]) for row in earlier if row[0] == package]
        else:
            found += [(package, name, library_licence(package, name)) for name in inside]
    return found


def bundled(package: str) -> list[str] | None:
    """Names of the libraries in a wheel's own `.libs` folder; None when another or no version is installed."""
    if not _is_installed(package, locked()[package]):
        return None
    paths = metadata.distribution(package).files or ()
    names = (
        re.match(r"lib(.+?)(?:-[0-9a-f]{8}.*|-r\d.*|\.so.*)$", path.name) for path in paths if ".libs/" in str(path)
    )
    return sorted({found[1] for found in names if found})


def library_licence(package: str, name: str) -> str:
    """The licence of a library, which for FFmpeg is a matter of its build; raises LicenceUnknown."""
    if name in _FFMPEG:
        # As their avcodec_license() says; what links to x264 and x265 is under the GPL with them all the same.
        return "LGPL-3.0-or-later; linked to x264 and x265: GPL" if package == "av" else "LGPL-2.1-or-later"
    if name in _OPENSSL:
        return "OpenSSL" if package == "opencv-python-headless" else "Apache-2.0"
    for licence, names in LIBRARIES.items():
        if name in names.split():
            return licence
    raise LicenceUnknown(f"lib{name} in the wheel of {package}: look its licence up and add it to LIBRARIES")


def weights() -> list[tuple[str, str]]:
    """Network and licence: those of the registry's profile that images carry, and the repository's own."""
    registry = tomllib.loads((ROOT / "models/weights/registry.toml").read_text())
    own = sorted(path.parent.name for path in (ROOT / "models/zoo").glob("*/model.json"))
    chosen = {name for names in registry["profiles"]["auto"].values() for name in names} - set(own)
    rows = [(name, str(registry["models"][name]["licence"])) for name in sorted(chosen)]
    return [*rows, *((name, "Apache-2.0, trained by this project; its card names the data sets") for name in own)]


def _licence(name: str, version: str, known: Mapping[str, str]) -> str:
    if not _is_installed(name, version):
        if name not in known:
            raise LicenceUnknown(f"{name} {version} is not installed here: write its line into {PAGE.name} by hand")
        return known[name]
    about = metadata.metadata(name)
    shown = about["License-Expression"] or about["License"] or _classified(about.get_all("Classifier") or [])
    if not shown or "\n" in shown:
        raise LicenceUnknown(f"{name} {version}: its metadata state no licence")
    return _CLASSIFIERS.get(shown, shown)


def _classified(classifiers: Sequence[str]) -> str:
    found = [one.split("::")[-1].strip() for one in classifiers if one.startswith("License ::")]
    return found[0] if found else ""


def _is_installed(name: str, version: str) -> bool:
    try:
        return metadata.version(name) == version
    except metadata.PackageNotFoundError:
        return False


def _rows(text: str, name: str) -> list[list[str]]:
    """The cells of a table that is on the page already."""
    found = re.search(rf"(?s)<!-- {name} -->\n(.*?)<!-- end -->", text)
    lines = found[1].splitlines()[2:] if found else []
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "".join(_lines((head, ["---"] * len(head), *rows)))


def _lines(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    for row in rows:
        yield f"| {' | '.join(row)} |\n"


if __name__ == "__main__":
    sys.exit(main())
