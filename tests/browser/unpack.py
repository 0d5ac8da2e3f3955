"""Unpack what npm fetched for the browser tests: `python unpack.py FOLDER`, where `npm ci` has run.

Chromium's package is made for AWS Lambda. So it carries the libraries that a bare machine lacks.
"""

import io
import sys
import tarfile
from pathlib import Path
from shutil import copy, rmtree

import brotli

CHROMIUM = "@sparticuz/chromium/bin"
ARCHIVES = ("al2023", "fonts")  # lib/ with NSS, NSPR and Expat, which Chromium loads; fonts/
FONTS = ("DejaVuSans", "DejaVuSansMono", "DejaVuSansMono-Bold")


def unpack(folder: Path) -> None:
    """Leave `chromium`, `lib`, `fonts`, `fonts.conf` and `axe.min.js` in the folder."""
    packages = folder / "node_modules"
    for name in ARCHIVES:
        _extract(_read(packages / CHROMIUM / f"{name}.tar.br"), folder)
    for name in FONTS:
        copy(packages / f"dejavu-fonts-ttf/ttf/{name}.ttf", folder / "fonts")
    copy(packages / "axe-core/axe.min.js", folder)
    copy(Path(__file__).with_name("fonts.conf"), folder)
    program = folder / "chromium"
    program.write_bytes(_read(packages / CHROMIUM / "chromium.br"))
    program.chmod(0o755)
    rmtree(packages)
    rmtree(folder / ".npm")


def _read(path: Path) -> bytes:
    content: bytes = brotli.decompress(path.read_bytes())
    return content


def _extract(archive: bytes, folder: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        opened.extractall(folder, filter="data")


if __name__ == "__main__":
    unpack(Path(sys.argv[1]))
