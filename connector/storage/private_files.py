"""Files that only their owner may read or write. Links are not followed."""

import os
import stat
from pathlib import Path

from connector.domain.errors import ConfigurationError

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_ROOT = 0


def make_folder(path: Path, variable: str) -> None:
    """Make a folder that is closed to other users, or check an existing folder.

    Raises ConfigurationError, whose message says how to close the folder.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = path.stat()
    except OSError as error:
        raise ConfigurationError(f"{variable}: {path}: {error.strerror}") from error
    _check_owner(path, status)
    # In a sticky folder, such as /tmp, other users can neither replace nor remove our files.
    if status.st_mode & _OTHERS_WRITE and not status.st_mode & stat.S_ISVTX:
        raise ConfigurationError(f"{path}: others can write in this folder; run chmod go-w {path}")


def read(path: Path) -> bytes:
    """Read a file that is closed to other users. Raises ConfigurationError, FileNotFoundError."""
    with os.fdopen(_open(path, os.O_RDONLY), "rb") as file:
        return file.read()


def write_new(path: Path, content: bytes) -> None:
    """Make a new file, closed to other users. Return when the file is on the disk."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def write(path: Path, content: bytes) -> None:
    """Write a file that is closed to other users. A missing file is made."""
    with os.fdopen(_open(path, os.O_WRONLY | os.O_CREAT), "wb") as file:
        file.truncate()
        file.write(content)


def open_lock(path: Path) -> int:
    """Open a lock file. It is closed to other users, who could hold the lock for ever."""
    descriptor = _open(path, os.O_RDWR | os.O_CREAT, forbidden=_OTHERS_WRITE)
    if os.fstat(descriptor).st_uid == os.geteuid():
        # Older versions made the file readable for all.
        os.fchmod(descriptor, 0o600)
    return descriptor


def _open(path: Path, flags: int, *, forbidden: int = _OTHERS) -> int:
    try:
        # O_NONBLOCK: a pipe in the file's place must not make us wait.
        flags |= os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        descriptor = os.open(path, flags, 0o600)
    except FileNotFoundError:
        raise
    except OSError as error:
        why = "it is a link; put the file itself there" if path.is_symlink() else error.strerror
        raise ConfigurationError(f"{path}: {why}") from error
    try:
        _check(path, os.fstat(descriptor), forbidden)
    except ConfigurationError:
        os.close(descriptor)
        raise
    return descriptor


def _check(path: Path, status: os.stat_result, forbidden: int) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise ConfigurationError(f"{path}: it is no file")
    _check_owner(path, status)
    if status.st_mode & forbidden:
        raise ConfigurationError(f"{path}: it is open to others; run chmod 600 {path}")


def _check_owner(path: Path, status: os.stat_result) -> None:
    if status.st_uid not in {os.geteuid(), _ROOT}:
        raise ConfigurationError(
            f"{path}: it belongs to user {status.st_uid}; run this as that user, "
            f"or run chown {os.geteuid()} {path}"
        )
