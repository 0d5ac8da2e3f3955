"""Where the tests keep their files: in memory, which is as a disk to a process that is killed.

A disk is asked to sync at each commit, some hundred thousand times, and answers in milliseconds.
"""

import os
import shutil
from pathlib import Path

# Where Linux shows its memory as a folder. A container may have very little of it.
FOLDER = Path("/dev/shm")  # noqa: S108
ENOUGH_BYTES = 2 * 1024**3


def folder() -> Path | None:
    """Return a folder in memory, or nothing where there is none with enough room."""
    try:
        has_room = shutil.disk_usage(FOLDER).free >= ENOUGH_BYTES
    except OSError:
        return None
    return FOLDER if has_room and os.access(FOLDER, os.W_OK) else None
