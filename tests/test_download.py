"""Files fetched by their address: once, whole, checked; archives that stay in their folder."""

import hashlib
import io
import tarfile
import threading
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests

from d2lib import fetch

CONTENT = b"Id,SalePrice\n1,208500\n" * 100
SHA1 = hashlib.sha1(CONTENT).hexdigest()


class Counting(SimpleHTTPRequestHandler):
    """Serves a folder; keeps what it was asked for; gives half of what is called half.csv."""

    def __init__(self, asked, *args, **options):
        self.asked = asked
        super().__init__(*args, **options)

    def do_GET(self):
        self.asked.append(self.path)
        super().do_GET()

    def copyfile(self, source, target):
        content = source.read()
        target.write(content[: len(content) // 2] if "half" in self.path else content)

    def log_message(self, *args):
        pass


@pytest.fixture
def site(tmp_path):
    """An address, the folder behind it with prices.csv, and the list of what was asked for."""
    folder, asked = tmp_path / "site", []
    folder.mkdir()
    (folder / "prices.csv").write_bytes(CONTENT)
    handler = partial(Counting, asked, directory=str(folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/", folder, asked
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("sha1", [None, SHA1])
def test_a_file_is_fetched_once(site, tmp_path, sha1):
    url, _, asked = site
    for _ in range(2):
        path = fetch.download(f"{url}prices.csv", tmp_path / "new" / "data", sha1)
    assert path == str(tmp_path / "new" / "data" / "prices.csv")
    assert Path(path).read_bytes() == CONTENT
    assert asked == ["/prices.csv"]


def test_other_bytes_are_refused_and_nothing_is_left(site, tmp_path):
    url, _, _ = site
    with pytest.raises(ValueError, match=f"gave SHA-1 {SHA1}, not 0000: nothing was kept"):
        fetch.download(f"{url}prices.csv", tmp_path / "data", "0000")
    assert not list((tmp_path / "data").iterdir())


def test_a_file_that_is_there_is_kept_only_if_it_is_the_right_one(site, tmp_path):
    url, _, asked = site
    (tmp_path / "prices.csv").write_text("an error page")
    assert Path(fetch.download(f"{url}prices.csv", tmp_path)).read_text() == "an error page"
    assert not asked
    fetch.download(f"{url}prices.csv", tmp_path, SHA1)
    assert (tmp_path / "prices.csv").read_bytes() == CONTENT


def test_a_wrong_new_file_leaves_the_old_one(site, tmp_path):
    url, _, _ = site
    (tmp_path / "prices.csv").write_text("old")
    with pytest.raises(ValueError, match="nothing was kept"):
        fetch.download(f"{url}prices.csv", tmp_path, "0000")
    assert [file.read_text() for file in tmp_path.glob("prices*")] == ["old"]


@pytest.mark.parametrize("name", ["absent.csv", "half.csv"])
def test_an_error_of_the_server_leaves_nothing(site, tmp_path, name):
    url, folder, _ = site
    (folder / "half.csv").write_bytes(CONTENT)
    with pytest.raises((requests.HTTPError, requests.exceptions.ChunkedEncodingError)):
        fetch.download(url + name, tmp_path / "data")
    assert not list((tmp_path / "data").iterdir())


def test_a_server_that_is_not_there_is_an_os_error(tmp_path):
    with pytest.raises(OSError, match="refused"):
        fetch.download("http://127.0.0.1:9/prices.csv", tmp_path)


def zip_file(path, name="prices/one.csv"):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, CONTENT)


def tar_file(path, name="prices/one.csv"):
    with tarfile.open(path, "w:gz" if path.name.endswith("gz") else "w") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(CONTENT)
        archive.addfile(member, io.BytesIO(CONTENT))


KINDS = [("prices.zip", zip_file), ("prices.tar", tar_file), ("prices.tar.gz", tar_file)]


@pytest.mark.parametrize(("name", "make"), KINDS)
def test_an_archive_is_unpacked_beside_itself_or_elsewhere(tmp_path, name, make):
    make(tmp_path / name)
    fetch.extract(tmp_path / name)
    fetch.extract(str(tmp_path / name), tmp_path / "elsewhere")
    for folder in (tmp_path, tmp_path / "elsewhere"):
        assert (folder / "prices" / "one.csv").read_bytes() == CONTENT


@pytest.mark.parametrize(("name", "make"), KINDS)
def test_no_member_lands_outside(tmp_path, name, make):
    folder = tmp_path / "in"
    folder.mkdir()
    make(folder / name, "../out.csv")
    with pytest.raises((ValueError, tarfile.FilterError), match="outside"):
        fetch.extract(folder / name)
    assert {file.name for file in tmp_path.rglob("*")} == {"in", name}


def test_an_absolute_member_of_a_zip_lands_nowhere(tmp_path):
    zip_file(tmp_path / "a.zip", "/tmp/d2lib-must-not-be-here.csv")
    with pytest.raises(ValueError, match="outside"):
        fetch.extract(tmp_path / "a.zip")


def test_what_is_no_archive_is_told(tmp_path):
    (tmp_path / "a.zip").write_text("<html>Sorry</html>")
    with pytest.raises(ValueError, match=r"a\.zip is no zip or tar archive"):
        fetch.extract(tmp_path / "a.zip")


def test_a_name_of_the_hub_stands_for_address_and_hash(site, tmp_path, monkeypatch):
    url, folder, asked = site
    zip_file(folder / "prices.zip")
    sha1 = hashlib.sha1((folder / "prices.zip").read_bytes()).hexdigest()
    monkeypatch.setitem(fetch.DATA_HUB, "prices", (f"{url}prices.zip", sha1))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    for found in (fetch.download_extract("prices"), fetch.download_extract("prices", "prices")):
        assert found == str(Path("../data/prices"))
        assert (Path(found) / "one.csv").read_bytes() == CONTENT
    assert asked == ["/prices.zip"]
    monkeypatch.setitem(fetch.DATA_HUB, "prices", (f"{url}prices.zip", "0000"))
    with pytest.raises(ValueError, match="not 0000"):
        fetch.download("prices", tmp_path / "other")


def test_the_address_of_d2ls_files_is_a_safe_one():
    assert fetch.DATA_URL.startswith("https://")
    assert fetch.DATA_URL.endswith("/")
