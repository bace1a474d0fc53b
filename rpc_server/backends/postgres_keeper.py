"""A postmaster that does not outlive this process, however this process ends."""

import contextlib
import os
import signal
import subprocess
from pathlib import Path
from typing import IO

from rpc_server.backends.postgres_user import PostgresUser

# Standard input is a pipe that only the Python process writes to, so its end means the end of that process.
# The postmaster's own pid file must name it before it is signalled: its number may belong to another by then.
_KEEPER = """
signalled=
trap '' HUP INT TERM
read -r pid || exit 0
read -r end
fifth=0
while [ $fifth -lt 100 ] && kill -0 "$pid"; do
    named=
    read -r named < "$1/postmaster.pid"
    if [ "$named" != "$pid" ]; then
        [ -z "$signalled" ] || break
    else
        signalled=yes
        if [ $fifth -lt 30 ]; then kill -INT "$pid"
        elif [ $fifth -lt 60 ]; then kill -QUIT "$pid"
        else kill -KILL "$pid"
        fi
    fi
    sleep 0.2 || sleep 1
    fifth=$((fifth + 1))
done
[ -z "$2" ] || rmdir "$2"
"""

# The keeper learns the number from the process that becomes the postmaster: were it told by Python,
# Python could be killed between starting the one and telling the other.
_ANNOUNCE = 'echo $$ >&0; exec "$@" </dev/null'

_ESCALATION = ((signal.SIGINT, 10), (signal.SIGQUIT, 5), (signal.SIGKILL, 5))


class KeptPostmaster:
    """A running postmaster and the small shell that ends it should this process vanish.

    Both have sessions of their own: a terminal's Ctrl-C reaches neither, so that the server can
    still finish its last queries.
    """

    def __init__(
        self,
        command: list[str],
        *,
        user: PostgresUser,
        data_dir: Path,
        lock: int,
        log: IO[bytes],
        temporary_dir: Path | None,
    ) -> None:
        read_end, self._write_end = os.pipe()
        arguments = ["sh", "-c", _KEEPER, "keeper", str(data_dir), str(temporary_dir or "")]
        quiet = subprocess.DEVNULL
        try:
            self._keeper = subprocess.Popen(  # noqa: S603
                arguments, stdin=read_end, stdout=quiet, stderr=quiet, cwd="/", start_new_session=True
            )
        except BaseException:
            os.close(self._write_end)
            raise
        finally:
            os.close(read_end)
        try:
            self._postmaster = user.popen(
                ["sh", "-c", _ANNOUNCE, "sh", *command],
                lock=lock, stdin=self._write_end, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        except BaseException:
            self._end_keeper()
            raise
        self.pid = self._postmaster.pid

    def has_ended(self) -> bool:
        """Tell whether the postmaster is gone."""
        return self._postmaster.poll() is not None

    def stop(self) -> None:
        """Shut PostgreSQL down fast, after 10 seconds without its final checkpoint."""
        for number, patience in _ESCALATION:
            self._postmaster.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._postmaster.wait(patience)
                break
        self._end_keeper()

    def _end_keeper(self) -> None:
        self._keeper.kill()  # before the pipe is closed, or it would act
        self._keeper.wait()
        os.close(self._write_end)
