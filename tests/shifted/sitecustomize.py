"""What every Python process does first that the tests start under faketime: sleep by another call of the system.

libfaketime moves the monotonic clock, too, and then a wait for a lock with an end has none; set not to, it spoils the
call that time.sleep makes. So it is set not to, and time.sleep makes another one.
"""

import select
import time


def sleep(seconds: float) -> None:
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    select.select([], [], [], seconds)


time.sleep = sleep
