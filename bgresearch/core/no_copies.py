"""What holds a client's connections is neither pickled nor copied: other processes connect for themselves."""

from __future__ import annotations

from typing import NoReturn

from bgresearch.errors import ConfigurationError


class NoCopies:
    """Refuses to be pickled or copied, and so does everything that holds it."""

    def __reduce__(self) -> NoReturn:
        raise ConfigurationError(
            "a client, and what belongs to it, cannot be pickled or copied: it holds connections, and perhaps a way to "
            "a key.",
            hint="Call bgresearch.connect() in each process, with the same data_dir: they share store and budget.",
        )
