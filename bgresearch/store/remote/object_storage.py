"""Objects at an address: fsspec's file systems, and what they say in plain words. Knows nothing of Parquet.

The only place that imports fsspec. What is written goes to the address that the user names, and never to the exchange.
Credentials are the driver's affair (environment, profile, role of the machine): nothing here reads, keeps or says them.
"""

from __future__ import annotations

import hashlib
import os
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple
from urllib.parse import quote

from bgresearch.errors import ConfigurationError, InvalidInput, StoreError
from bgresearch.store.atomic_files import Disk

Options = Mapping[str, Any]

_DRIVERS = frozenset({"aiobotocore", "aiohttp", "botocore", "fsspec", "s3fs"})  # whose errors are no OSError
_FRESH = {"use_listings_cache": False, "skip_instance_cache": True}  # what others write is seen, so are new credentials
_WHOLE = {"s3": {"max_concurrency": 1}}  # an object in one answer: no HEAD before it, and never parts of two versions
_ONLY_READ = frozenset({"http", "https"})
_WAYS = {
    "NoCredentialsError": (
        "no credentials were found",
        "Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; of a public bucket say {'anon': True}.",
    ),
    "ProfileNotFound": ("the profile of AWS_PROFILE does not exist", "Look at ~/.aws/config."),
    "EndpointConnectionError": (
        "the address cannot be reached",
        "Check the connection, and AWS_ENDPOINT_URL if the bucket is not Amazon's.",
    ),
}
_EXPIRED = ("the credentials have expired", "Sign in again (aws sso login), or renew AWS_SESSION_TOKEN.")
_WRONG = ("the credentials are not known there, or the secret is wrong", "Check AWS_PROFILE and AWS_ENDPOINT_URL.")
_ELSEWHERE = (
    "the bucket is in another region",
    "Set AWS_DEFAULT_REGION, or say {'client_kwargs': {'region_name': ...}}.",
)
_CODES = {  # what the answer of S3 says
    "ExpiredToken": _EXPIRED, "TokenRefreshRequired": _EXPIRED, "RequestExpired": _EXPIRED,
    "InvalidAccessKeyId": _WRONG, "InvalidToken": _WRONG, "SignatureDoesNotMatch": _WRONG,
    "PermanentRedirect": _ELSEWHERE, "AuthorizationHeaderMalformed": _ELSEWHERE,
    "IllegalLocationConstraintException": _ELSEWHERE, "301": _ELSEWHERE,
    "RequestTimeTooSkewed": ("the clock of this machine is wrong", "Set it, by NTP for instance."),
}  # fmt: skip
_WAYS |= dict.fromkeys(("SSOTokenLoadError", "TokenRetrievalError", "UnauthorizedSSOTokenError"), _EXPIRED)
_DENIED = (
    "access is denied",
    "Check which credentials are used, and what they may: GetObject to read; ListBucket, PutObject to publish.",
)


class Absent(Exception):
    """There is no such object."""


class ObjectInfo(NamedTuple):
    """What an address says of an object: its size in bytes, and its tag, which changes with its content, or nothing."""

    size: int
    etag: str


class Remote:
    """The objects below one address.

    Parameters
    ----------
    url : str
        ``s3://bucket/prefix``, or whatever fsspec knows: ``file:///folder``, ``memory://name``, ``https://`` to read.
    options : mapping, optional
        For the driver, as fsspec calls it ``storage_options``: ``{"endpoint_url": ...}``, ``{"anon": True}``.

    Raises
    ------
    InvalidInput
        The address means nothing, or holds credentials.
    ConfigurationError
        What speaks to such addresses is not installed.
    """

    def __init__(self, url: str, options: Options | None = None) -> None:
        self.url, self.options = _checked(url), dict(options or {})
        self._scheme = self.url.partition("://")[0]
        usual = {**_FRESH, **_WHOLE.get(self._scheme, {})}
        try:
            from fsspec.core import url_to_fs  # noqa: PLC0415 - an extra: imported when an address is used

            self._fs, root = url_to_fs(self.url, **{**usual, **self.options})
        except ImportError:
            hint = "Install it: pip install 'bgresearch[s3]'."
            raise ConfigurationError(f"{self.url} needs fsspec, and s3fs for s3://.", hint=hint) from None
        except ValueError:
            raise InvalidInput("url", f"nothing here speaks to {self.url}.", hint="s3://bucket/prefix") from None
        self._root = str(root).rstrip("/")

    def __repr__(self) -> str:
        return f"<Remote {self.url}>"

    def read(self, name: str) -> bytes:
        """Return an object.

        Raises
        ------
        Absent
            If there is none of that name.
        StoreError
            If the address does not answer, or refuses.
        """
        with _InWords("read", f"{self.url}/{name}"):
            return bytes(self._fs.cat_file(self._path(name)))

    def found(self) -> dict[str, ObjectInfo]:
        """Return the names of all objects, and what the address says of them; of one that can be written to."""
        self._refuse_only_read()
        with _InWords("list", self.url):
            try:
                listed = self._fs.find(self._root, detail=True)
            except FileNotFoundError:
                place = self._root.partition("/")[0]
                raise StoreError(f"there is no bucket {place!r}.", hint="Make it first, or check its name.") from None
        inside = f"{self._root}/"
        return {path.removeprefix(inside): _said(info) for path, info in listed.items() if path.startswith(inside)}

    def write(self, name: str, data: bytes) -> str:
        """Write an object, check what was stored, and return its tag.

        Raises
        ------
        StoreError
            If the address does not respond or refuses, or if the stored object is not what was sent.
        """
        self._refuse_only_read()
        with _InWords("write", f"{self.url}/{name}"):
            path = self._path(name)
            if self._scheme in {"file", "local"}:
                Disk(Path(self._root)).replace(Path(path), data)  # as a bucket does: all of it or nothing
            else:
                self._fs.pipe_file(path, data)
            arrived = _said(self._fs.info(path))
            if not self.holds(name, data, arrived):
                raise StoreError(
                    f"{self.url}/{name} is not what was sent: {arrived.size} of {len(data)} bytes, or others.",
                    hint="Publish again; nothing that can be read was changed.",
                )
        return arrived.etag

    def holds(self, name: str, data: bytes, found: ObjectInfo, etag: str = "") -> bool:
        """Return whether an object is these bytes: by a tag that is known or a digest of them, else by reading it."""
        if found.size != len(data):
            return False
        if found.etag and found.etag in {etag, hashlib.md5(data, usedforsecurity=False).hexdigest()}:
            return True
        return self.read(name) == data

    def remove(self, names: Sequence[str]) -> None:
        """Delete objects."""
        self._refuse_only_read()
        if names:
            with _InWords("delete from", self.url):
                self._fs.rm([self._path(name) for name in names])

    def _path(self, name: str) -> str:
        plain = quote(name, safe="/=") if self._scheme in _ONLY_READ else name  # a web server takes one % for its own
        return f"{self._root}/{plain}"

    def _refuse_only_read(self) -> None:
        if self._scheme in _ONLY_READ:
            raise InvalidInput("url", f"{self.url} can only be read.", hint="Publish to s3://bucket/prefix or file://.")


class _InWords:
    """Turn what an address or its driver complains of into a StoreError; causes may hold a request and are left out."""

    def __init__(self, doing: str, place: str) -> None:
        self._doing, self._place = doing, place

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        if kind is None or isinstance(error, StoreError):
            return
        if isinstance(error, FileNotFoundError) and self._doing == "read":
            raise Absent(self._place) from None
        words = _words_of(error)
        if words is not None:
            raise StoreError(f"cannot {self._doing} {self._place}: {words[0]}.", hint=words[1]) from None


def _words_of(error: BaseException | None) -> tuple[str, str] | None:
    """Return what went wrong and what to do, None for what no driver would raise."""
    kind = type(error)
    known = _CODES.get(_code_of(error)) or _WAYS.get(kind.__name__)
    if known is not None:
        return known
    if isinstance(error, PermissionError):
        return _DENIED
    if isinstance(error, FileNotFoundError):
        return "there is no such bucket", "Make it first, or check its name."
    if isinstance(error, OSError):
        return os.strerror(error.errno) if error.errno else kind.__name__, "Try again; what was complete stays."
    if any(_is_driver(each.__module__) for each in kind.__mro__) or _was_refused_by_driver(error):
        return f"the driver said {kind.__name__}", "Check the address, AWS_ENDPOINT_URL and the connection."
    return None


def _was_refused_by_driver(error: BaseException | None) -> bool:
    """Return whether a driver refused one of its settings: an endpoint, an option, maybe a secret."""
    if not isinstance(error, ValueError | TypeError):
        return False
    *_, (frame, _line) = traceback.walk_tb(error.__traceback__)
    return _is_driver(str(frame.f_globals.get("__name__")))


def _is_driver(module: str) -> bool:
    return module.partition(".")[0] in _DRIVERS


def _code_of(error: BaseException | None) -> str:
    """Return what S3 itself called the error that the driver has translated, empty if it did not."""
    response = getattr(getattr(error, "__cause__", None), "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""


def _said(info: Mapping[str, Any]) -> ObjectInfo:
    return ObjectInfo(int(info["size"]), str(info.get("ETag") or info.get("etag") or "").strip('"'))


def _checked(url: str) -> str:
    text = str(url)
    scheme, separator, place = text.partition("://")
    if _holds_credentials(text, scheme):
        raise InvalidInput("url", "credentials do not belong into an address.", hint="Use AWS_PROFILE.")
    if not (scheme and separator and place.strip("/")) or "::" in text:
        raise InvalidInput("url", f"{text[:80]!r} is no address.", hint="For instance s3://bucket/prefix.")
    return text.rstrip("/")


def _holds_credentials(text: str, scheme: str) -> bool:
    """Return whether an address may hold a secret; what is said of it then never repeats it."""
    if scheme in {"file", "local", "memory"}:  # folders may have any name
        return False
    if scheme in _ONLY_READ and ("?" in text or "#" in text):  # signed for one object, and no prefix of others
        return True
    before, at, _ = text.rpartition("://")[2].rpartition("@")
    first = before.lstrip("/").partition("/")[0]
    port = scheme in _ONLY_READ and first.rpartition(":")[2].isdigit()
    return bool(at) and ("/" not in before.lstrip("/") or (":" in first and not port and not first.startswith("arn:")))
