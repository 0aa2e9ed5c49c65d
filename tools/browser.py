"""Find a Chromium for the tests of the site, and install Debian's where there is none.

`python -m tools.browser` prints its path.
"""

import os
import platform
import shutil
import subprocess
from pathlib import Path

from tools import book

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "msedge")
MAC = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
MISSING = """no Chromium or Chrome was found for the tests of the site. Any of these gets one:
  apt-get install chromium                     (Debian; done by itself where you are root)
  .venv/bin/python -m playwright install chromium
  BROWSER=/path/to/chrome make test"""


def main() -> None:
    browser = find() or _install()
    if not browser:
        raise book.BookError(MISSING)
    print(f"browser for the tests: {browser}")


def find() -> str | None:
    """The first of $BROWSER, the system's Chromium or Chrome, and Playwright's own."""
    wanted = [os.environ.get("BROWSER", ""), *NAMES, str(MAC)]
    return next((path for name in wanted if (path := _chromium(name))), None) or _playwrights()


def _chromium(name: str) -> str | None:
    """The path of an executable, if it says that it is a Chromium or Chrome."""
    path = shutil.which(name)
    if path is None:
        return None
    try:
        said = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return path if any(word in said.stdout for word in ("Chrom", "Edge")) else None


def _playwrights() -> str | None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


def _install() -> str | None:
    """Debian's package, where the user may install it."""
    if platform.system() != "Linux" or os.geteuid() != 0 or not shutil.which("apt-get"):
        return None
    print("installing Debian's chromium for the tests of the site")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for step in (["update"], ["install", "-y", "--no-install-recommends", "chromium"]):
        done = subprocess.run(
            ["apt-get", "-qq", *step], env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode != 0 and step[0] == "install":
            raise book.BookError(f"apt-get install chromium: {done.stderr.strip()}\n{MISSING}")
    return find()


if __name__ == "__main__":
    book.command(main)
