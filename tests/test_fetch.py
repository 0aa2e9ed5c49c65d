"""Fashion-MNIST from each place it may come from, and past each fault of a mirror."""

import gzip
import hashlib
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from d2lib import fetch

NAME = "t10k-labels-idx1-ubyte"
LAYOUT = "FashionMNIST/raw"  # torchvision's, so that its classes find the files too
ROOT = Path(__file__).parents[1]


@pytest.fixture
def content(monkeypatch, tmp_path):
    """A small file in the place of the real one; no mirror, no Debian, no folder but the cache."""
    content = bytes(range(256)) * 40
    monkeypatch.setitem(fetch.FILES, NAME, hashlib.sha256(content).hexdigest())
    monkeypatch.setattr(fetch, "DEBIAN", tmp_path / "no-debian")
    monkeypatch.setattr(fetch, "MIRRORS", ())
    monkeypatch.setattr(fetch, "PATIENCE", 0.5)
    monkeypatch.delenv("D2LIB_DATA", raising=False)
    return content


class Mirror(SimpleHTTPRequestHandler):
    """Answers every path in the way its class says, and counts how often it was asked."""

    def __init__(self, way, body, counts, *args):
        self.way, self.body, self.counts = way, body, counts
        super().__init__(*args)

    def do_GET(self):
        self.counts.append(self.path)
        if self.way == "missing":
            self.send_error(404)
            return
        body = {
            "page": b"<html>Sorry, come back later</html>",
            "wrong": gzip.compress(b"other bytes"),
        }.get(self.way, self.body)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.way == "truncated":
            body = body[: len(body) // 2]
        if self.way == "stalled":
            self.wfile.write(body[:10])
            time.sleep(2)
            return
        if self.way == "slow":
            time.sleep(0.2)
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def mirror(content):
    """A factory: mirror("wrong") is the address of a server that misbehaves in that way."""
    servers, asked = [], []

    def start(way: str) -> str:
        handler = partial(Mirror, way, gzip.compress(content), asked)
        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), handler))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}/"

    start.asked = asked
    yield start
    for server in servers:
        server.shutdown()


def test_a_mirror_fills_the_cache_and_the_next_call_reads_it(
    content, mirror, monkeypatch, tmp_path
):
    monkeypatch.setattr(fetch, "MIRRORS", (mirror("good"),))
    assert fetch.fashion_mnist(NAME, tmp_path) == content
    assert (tmp_path / LAYOUT / NAME).read_bytes() == content
    assert fetch.fashion_mnist(NAME, tmp_path) == content
    assert mirror.asked == [f"/{NAME}.gz"]


FAULTS = ["missing", "page", "wrong", "truncated", "stalled"]


@pytest.mark.parametrize("way", FAULTS)
def test_past_a_mirror_that_fails_the_next_one_is_asked(
    content, mirror, way, monkeypatch, tmp_path
):
    monkeypatch.setattr(fetch, "MIRRORS", (mirror(way), mirror("good")))
    assert fetch.fashion_mnist(NAME, tmp_path) == content


@pytest.mark.parametrize("way", FAULTS)
def test_where_all_fail_the_error_names_each_and_the_three_ways(mirror, way, monkeypatch, tmp_path):
    address = mirror(way)
    monkeypatch.setattr(fetch, "MIRRORS", (address, "http://127.0.0.1:9/"))
    with pytest.raises(FileNotFoundError) as told:
        fetch.fashion_mnist(NAME, tmp_path)
    said = str(told.value)
    assert NAME in said
    assert address in said
    assert "http://127.0.0.1:9/: ConnectionError" in said
    for advice in ("make data", "apt-get install dataset-fashion-mnist", "D2LIB_DATA"):
        assert advice in said
    left = {file.name for file in (tmp_path / LAYOUT).iterdir()}
    assert left <= {".lock"}


def test_a_damaged_cache_is_fetched_again(content, mirror, monkeypatch, tmp_path):
    monkeypatch.setattr(fetch, "MIRRORS", (mirror("good"),))
    kept = tmp_path / LAYOUT / NAME
    for damage in (b"", content[:100], b"x" * len(content)):
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_bytes(damage)
        assert fetch.fashion_mnist(NAME, tmp_path) == content
        assert kept.read_bytes() == content
    assert len(mirror.asked) == 3


def test_a_right_packed_file_beside_a_damaged_one_serves(content, tmp_path):
    folder = tmp_path / LAYOUT
    folder.mkdir(parents=True)
    (folder / NAME).write_bytes(b"damaged")
    (folder / f"{NAME}.gz").write_bytes(gzip.compress(content))
    assert fetch.fashion_mnist(NAME, tmp_path) == content


def test_a_wrong_folder_of_ones_own_is_named(content, monkeypatch, tmp_path):
    monkeypatch.setenv("D2LIB_DATA", "/no/such/folder")
    with pytest.raises(FileNotFoundError, match="D2LIB_DATA is /no/such/folder, which does not"):
        fetch.fashion_mnist(NAME, tmp_path)


def test_two_who_ask_at_once_fetch_once(content, mirror, monkeypatch, tmp_path):
    monkeypatch.setattr(fetch, "MIRRORS", (mirror("slow"),))
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: fetch.fashion_mnist(NAME, tmp_path), range(4)))
    assert found == [content] * 4
    assert len(mirror.asked) == 1


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("inside", ["", LAYOUT])
def test_a_folder_of_ones_own_comes_first(content, packed, inside, monkeypatch, tmp_path):
    folder = tmp_path / "own" / inside
    folder.mkdir(parents=True)
    name, data = (f"{NAME}.gz", gzip.compress(content)) if packed else (NAME, content)
    (folder / name).write_bytes(data)
    monkeypatch.setenv("D2LIB_DATA", str(tmp_path / "own"))
    assert fetch.fashion_mnist(NAME, tmp_path / "cache") == content
    assert not (tmp_path / "cache").exists()


def test_debians_package_is_read_in_place(content, monkeypatch, tmp_path):
    monkeypatch.setattr(fetch, "DEBIAN", tmp_path)
    (tmp_path / f"{NAME}.gz").write_bytes(gzip.compress(content))
    assert fetch.fashion_mnist(NAME, tmp_path / "cache") == content
    (tmp_path / f"{NAME}.gz").write_bytes(b"no gzip")
    with pytest.raises(FileNotFoundError):
        fetch.fashion_mnist(NAME, tmp_path / "cache")


def test_a_cache_that_cannot_be_made_is_told(content, tmp_path):
    (tmp_path / "FashionMNIST").write_text("a file in the folder's place")
    with pytest.raises(OSError, match=r"cannot be kept in .*D2LIB_DATA"):
        fetch.fashion_mnist(NAME, tmp_path)


# `make data`


def make_data(tmp_path, **environment) -> subprocess.CompletedProcess:
    """tools.data with an empty cache and mirrors that do not answer."""
    home = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "HOME": str(tmp_path)}
    proxy = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")
    return subprocess.run(
        [sys.executable, "-m", "tools.data"],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin"} | home | proxy | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_make_data_works_from_the_cache_alone(tmp_path):
    real = {name: fetch.fashion_mnist(name) for name in fetch.FILES}
    for name, content in real.items():
        fetch.keep(name, content, tmp_path / "cache" / "d2lib" / LAYOUT)
    done = make_data(tmp_path)
    assert (done.returncode, done.stdout) == (0, "data: Fashion-MNIST is there\n")


def test_make_data_without_mirrors_and_without_apt_says_what_to_do(tmp_path):
    done = make_data(tmp_path, PATH=str(tmp_path))
    assert done.returncode == 1
    assert "Three ways to get the data:" in done.stderr
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr


def test_make_data_with_a_cache_that_cannot_be_made_says_so(tmp_path):
    (tmp_path / "cache").write_text("a file in the folder's place")
    done = make_data(tmp_path)
    assert done.returncode == 1
    assert "cannot be kept in" in done.stderr
    assert "no mirror" not in done.stdout


APT = """#!/bin/sh
# an apt-get that knows one package: it copies it to the current folder
[ "$2" = download ] && cp {package} .
"""


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="needs Debian's tools")
def test_make_data_takes_debians_package_where_no_mirror_answers(tmp_path):
    tree = tmp_path / "tree"
    folder = tree / "usr/share/datasets/fashion-mnist"
    folder.mkdir(parents=True)
    for name in fetch.FILES:
        packed = gzip.compress(fetch.fashion_mnist(name), compresslevel=1)
        (folder / f"{name}.gz").write_bytes(packed)
    (tree / "DEBIAN").mkdir()
    control = "Package: dataset-fashion-mnist\nVersion: 1\nArchitecture: all\nMaintainer: nobody\n"
    (tree / "DEBIAN/control").write_text(f"{control}Description: a test's own\n")
    package = tmp_path / "package.deb"
    subprocess.run(["dpkg-deb", "-Znone", "-b", tree, package], check=True, capture_output=True)
    apt = tmp_path / "bin" / "apt-get"
    apt.parent.mkdir()
    apt.write_text(APT.format(package=package))
    apt.chmod(0o755)
    done = make_data(tmp_path, PATH=f"{apt.parent}:/usr/bin:/bin")
    assert done.returncode == 0, done.stderr
    assert "taking the package dataset-fashion-mnist" in done.stdout
    kept = tmp_path / "cache" / "d2lib" / LAYOUT
    assert all((kept / name).read_bytes() == fetch.fashion_mnist(name) for name in fetch.FILES)
