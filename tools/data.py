"""Have Fashion-MNIST in the user's cache: `python -m tools.data`.

It may lie where d2lib looks for it, come from a mirror or, where no mirror answers, from Debian.
"""

import gzip
import importlib.util
import os
import shutil
import subprocess
import tempfile
import zlib
from pathlib import Path

from tools import book

PACKAGE = "dataset-fashion-mnist"
FETCH = Path(__file__).parents[1] / "d2lib" / "fetch.py"


def main() -> None:
    fetch = _fetch()
    try:
        for name in fetch.FILES:
            fetch.fashion_mnist(name)
    except OSError as error:
        if not isinstance(error, FileNotFoundError) or not from_debian(fetch):
            raise book.BookError(str(error)) from error
    print("data: Fashion-MNIST is there")


def _fetch():
    """d2lib/fetch.py, without d2lib's import of torch."""
    spec = importlib.util.spec_from_file_location("fetch", FETCH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def from_debian(fetch) -> bool:
    """Unpack Debian's package into the cache, which needs no root; whether that worked."""
    if not shutil.which("apt-get") or not shutil.which("dpkg"):
        return False
    print(f"no mirror answers: taking the package {PACKAGE}", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        if not _apt("download", PACKAGE, folder=scratch):
            if os.geteuid() != 0 or not _apt("update", folder=scratch):
                return False
            if not _apt("download", PACKAGE, folder=scratch):
                return False
        for package in Path(scratch).glob("*.deb"):
            subprocess.run(["dpkg", "-x", package, scratch], check=False)
        found = [_keep(fetch, name, Path(scratch, *fetch.DEBIAN.parts[1:])) for name in fetch.FILES]
    return all(found)


def _apt(*words: str, folder: str) -> bool:
    command = ["apt-get", "-qq", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode == 0


def _keep(fetch, name: str, folder: Path) -> bool:
    try:
        content = gzip.decompress((folder / f"{name}.gz").read_bytes())
    except (OSError, EOFError, zlib.error):
        return False
    if fetch.is_right(name, content):
        fetch.keep(name, content, fetch.cache())
        return True
    return False


if __name__ == "__main__":
    book.command(main)
