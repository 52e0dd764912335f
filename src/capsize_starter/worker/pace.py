"""Which task types are proven fast, and how many of their tasks make a batch: measured, no I/O."""

PROOF = 20
"""So many successful runs in a row before a type is trusted."""
BATCH_MIN = 4
"""A smaller batch is not worth its transaction."""


class Pace:
    """The measured time of each type's handler.

    A fresh process knows nothing, so it begins with single runs under leases: a task that kills its workers is
    then counted, as long as it takes fewer than `PROOF` others to get to it.
    """

    def __init__(self, *, batch_s: float, batch_max: int) -> None:
        self._batch_s = batch_s
        self._batch_max = batch_max
        self._proven: dict[str, int] = {}
        self._typical_s: dict[str, float] = {}

    def succeeded(self, type: str, total_s: float, runs: int = 1) -> None:
        """Note that `runs` runs took `total_s` together. Slower is believed at once, faster only bit by bit."""
        each_s = total_s / runs
        known_s = self._typical_s.get(type, 0.0)
        self._typical_s[type] = each_s if each_s > known_s else known_s + (each_s - known_s) * 0.2
        self._proven[type] = self._proven.get(type, 0) + runs

    def failed(self, type: str) -> None:
        """Note a failure or an overrun: the type has to prove itself again."""
        self._proven[type] = 0

    def batch(self, type: str) -> int:
        """How many tasks of the type to take in one batch; 0 means one by one, each under a lease."""
        if self._proven.get(type, 0) < PROOF:
            return 0
        size = min(self._batch_max, int(self._batch_s / max(self._typical_s[type], 1e-7)))
        return size if size >= BATCH_MIN else 0
