"""Find or fetch files of data, and check them: Fashion-MNIST's, and any other by its address."""

import gzip
import hashlib
import os
import tarfile
import warnings
import zipfile
import zlib
from pathlib import Path

FILES = {  # the SHA-256 of each decompressed file: mirrors compress them in their own ways
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
MIRRORS = (
    "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
)
DEBIAN = Path("/usr/share/datasets/fashion-mnist")
PATIENCE = 20  # seconds without a byte after which a mirror is given up
DATA_URL = "https://d2l-data.s3-accelerate.amazonaws.com/"  # where D2L keeps its files
DATA_HUB: dict[str, tuple[str, str]] = {}  # a reader's names of files: address and SHA-1 of each


def data_folder(root: str | Path | None = None) -> Path:
    """The folder for fetched data: `root`, or without one the user's cache."""
    from platformdirs import user_cache_dir

    return Path(root or user_cache_dir("d2lib", appauthor=False)).expanduser()


def cache(root: str | Path | None = None) -> Path:
    """Where Fashion-MNIST lies in the data folder, for torchvision's class as well as for ours."""
    return data_folder(root) / "FashionMNIST" / "raw"


def fashion_mnist(name: str, root: str | Path | None = None) -> bytes:
    """The checked, decompressed content of one of FILES.

    Looked for in `$D2LIB_DATA`, in the cache (`root`, or the user's) and in Debian's package, then
    downloaded into the cache. Raises FileNotFoundError with what to do where all of that fails.
    """
    for folder in _folders(root):
        if (content := _read(folder, name)) is not None:
            return content
    return _download(name, cache(root))


def _folders(root: str | Path | None) -> list[Path]:
    given = os.environ.get("D2LIB_DATA")
    own = [Path(given).expanduser(), cache(given)] if given else []
    return [*own, cache(root), DEBIAN]


def _read(folder: Path, name: str) -> bytes | None:
    """The file's content, plain or compressed in `folder`; None where neither is the right one."""
    for path, unpack in ((folder / name, bytes), (folder / f"{name}.gz", gzip.decompress)):
        try:
            content = unpack(path.read_bytes())
        except (OSError, EOFError, zlib.error):
            continue
        if is_right(name, content):
            return content
    return None


def is_right(name: str, content: bytes) -> bool:
    """Whether `content` is the published file."""
    return hashlib.sha256(content).hexdigest() == FILES[name]


def _download(name: str, folder: Path) -> bytes:
    """Fetch one file into `folder`, once, however many processes ask for it."""
    from filelock import FileLock

    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock").acquire()
    except OSError as error:
        raise OSError(
            f"Fashion-MNIST cannot be kept in {folder} ({error.strerror}): name a folder by"
            " FashionMNIST(root=...), or one that holds the files by D2LIB_DATA"
        ) from error
    with lock:
        if (content := _read(folder, name)) is not None:  # by another process, meanwhile
            return content
        return _from_mirrors(name, folder)


def _from_mirrors(name: str, folder: Path) -> bytes:
    failures = []
    part = folder / f"{name}.gz.part"
    for mirror in MIRRORS:
        try:
            content = _get(f"{mirror}{name}.gz", part)
        except (OSError, EOFError, zlib.error) as error:
            reason = str(error).splitlines()[0][:100] if "HTTPError" in type(error).__name__ else ""
            failures.append(f"{mirror}: {type(error).__name__} {reason}".rstrip())
            continue
        finally:
            part.unlink(missing_ok=True)
        if not is_right(name, content):
            failures.append(f"{mirror}: other bytes than the published file's")
            continue
        keep(name, content, folder)
        return content
    raise FileNotFoundError(_advice(name, folder, failures))


def keep(name: str, content: bytes, folder: Path) -> None:
    """Put a file into the cache, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{name}.part"
    part.write_bytes(content)
    part.replace(folder / name)


def _get(url: str, part: Path) -> bytes:
    """The decompressed content behind `url`; a stall, an error page or half a file raises."""
    print(f"fetching {url}", flush=True)
    _fetch(url, part, progressbar=_has_tqdm())
    return gzip.decompress(part.read_bytes())


def _fetch(url: str, part: Path, progressbar: bool = False) -> None:
    with warnings.catch_warnings(action="ignore"):  # of tqdm, where a notebook has no widgets
        import pooch
    pooch.HTTPDownloader(timeout=PATIENCE, progressbar=progressbar)(url, str(part), None)


def _has_tqdm() -> bool:
    from importlib.util import find_spec

    return find_spec("tqdm") is not None


def _advice(name: str, folder: Path, failures: list[str]) -> str:
    lines = [f"Fashion-MNIST's {name} is not there, and no mirror gave it:"]
    lines += [f"  {failure}" for failure in failures]
    if given := os.environ.get("D2LIB_DATA"):
        lines.append(f"  D2LIB_DATA is {given}, which does not hold the file as published")
    lines += [
        "Three ways to get the data:",
        "  1. with a network, `make data` in the book's folder (or run this again);",
        "  2. on Debian or Ubuntu, `apt-get install dataset-fashion-mnist`;",
        f"  3. copy the four files {', '.join(FILES)}, as they are or as .gz,",
        f"     into {folder}, or into a folder named by the environment variable D2LIB_DATA.",
    ]
    return "\n".join(lines)


def download(url: str, folder: str | Path = "../data", sha1_hash: str | None = None) -> str:
    """The path of the file behind `url` in `folder`, where it is fetched to unless it is there.

    `url` may be a name in DATA_HUB. A file that is there counts only with the right SHA-1, if one
    is given; a new one gets its name when it is whole and checked. Raises ValueError for other
    bytes, OSError where the server gives none.
    Taught in `multilayer_perceptrons/house_prices`.
    """
    url, sha1_hash = DATA_HUB.get(url, (url, sha1_hash))
    path = Path(folder).expanduser() / url.rstrip("/").rsplit("/", 1)[-1]
    if path.is_file() and sha1_hash in (None, _sha1(path)):
        return str(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    try:
        _fetch(url, part)
        if sha1_hash not in (None, _sha1(part)):
            raise ValueError(f"{url} gave SHA-1 {_sha1(part)}, not {sha1_hash}: nothing was kept")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return str(path)


def extract(filename: str | Path, folder: str | Path | None = None) -> None:
    """Unpack a zip or tar archive into `folder`, or beside it; nothing lands outside.

    Raises ValueError for a zip file that would write elsewhere, and for what is no archive;
    tarfile's FilterError for such a tar file.
    Taught in `multilayer_perceptrons/house_prices`.
    """
    folder = Path(folder or Path(filename).parent).resolve()
    if zipfile.is_zipfile(filename):
        with zipfile.ZipFile(filename) as archive:
            for name in archive.namelist():
                if not (folder / name).resolve().is_relative_to(folder):
                    raise ValueError(f"{filename} would write {name} outside {folder}: refused")
            archive.extractall(folder)
    elif tarfile.is_tarfile(filename):
        with tarfile.open(filename) as archive:
            archive.extractall(folder, filter="data")
    else:
        raise ValueError(f"{filename} is no zip or tar archive")


def download_extract(name: str, folder: str | None = None) -> str:
    """Download an archive, by its name in DATA_HUB or its address, and unpack it beside itself.

    Returns the path of `folder`, a folder in it, or without one the archive's without its suffix.
    Raises as `download` and `extract` do.
    Taught in `multilayer_perceptrons/house_prices`.
    """
    archive = Path(download(name))
    extract(archive)
    return str(archive.parent / (folder or archive.name.split(".")[0]))


def _sha1(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha1").hexdigest()
