"""gunicorn's master, with one change: a new worker listens before the old worker ends."""

import time

from gunicorn.arbiter import Arbiter

# Seconds until a new worker listens. It loads the application after that.
LISTENS_WITHIN = 1.0


class Master(Arbiter):  # type: ignore[misc]
    """Lets the newest worker listen before it ends the superfluous older workers.

    Each worker has a socket of its own. If HUP ended the old workers at once, no worker would
    listen for a moment.
    """

    _spawned_at = -LISTENS_WITHIN

    def spawn_worker(self) -> int:
        self._spawned_at = time.monotonic()
        return int(super().spawn_worker())

    def manage_workers(self) -> None:
        if len(self.WORKERS) > self.num_workers:
            time.sleep(max(0.0, self._spawned_at + LISTENS_WITHIN - time.monotonic()))
        super().manage_workers()
