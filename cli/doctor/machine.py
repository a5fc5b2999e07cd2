"""The machine that is examined: its TPM, which is opened once, and its AWS profiles."""

import contextlib
import os
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from sigv4.config import Config, config_file, credentials_file, load_config
from sigv4.errors import RequestError
from tpmwire.errors import TransportError
from tpmwire.tpm import Tpm
from tpmwire.transport import default_path, open_transport

from ..lifecycle.profile_keys import ProfileKey, find_profile_keys
from ..tpm.capabilities import describe_tpm
from ..tpm.cleanup import finish_in_background
from ..tpm.path import absolute_tpm_path, chosen_path, path_source
from ..tpm.waiting import ShownTpm
from .finding import NoTpmError

__all__ = ["Machine"]


class Machine:
    """The TPM and the AWS files that the checks examine. `timeout` (seconds) limits each wait.

    `tpm_path` is the path of the TPM, `path_source` the option or variable that names it, and `path_error` the
    reason if the path is invalid. `network` allows requests to AWS.

    As a context manager, flushes the checks' objects and sessions from the TPM at the end, and closes the TPM.
    """

    def __init__(self, tpm_path: str | None = None, timeout: float = 5.0, *, network: bool = False) -> None:
        self.path_source = path_source(tpm_path)
        self.path_error: TransportError | None = None
        try:
            self.tpm_path = chosen_path(tpm_path) or default_path()
        except TransportError as error:
            self.tpm_path, self.path_error = "", error
        self.timeout = timeout
        self.network = network
        self._open: tuple[str, Tpm] | None = None
        self._failed: set[str] = set()

    def __enter__(self) -> "Machine":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Flushes the objects and sessions that were opened in the TPM, and closes the TPM."""
        if self._open is not None:
            self._open[1].close()
        self._open = None

    def mark_failed(self) -> None:
        """Records that the TPM of the options cannot be used, so that checks that need it are skipped."""
        self._failed.add(absolute_tpm_path(self.tpm_path))

    def connect(self) -> None:
        """Opens the TPM of the options. Raises TransportError if this fails; TPM checks are then skipped."""
        self._connect(absolute_tpm_path(self.tpm_path))

    def _connect(self, path: str) -> Tpm:
        # Closed first, since it may be the same TPM by another path, and the TPM may accept only one client.
        self.close()
        try:
            tpm = ShownTpm(open_transport(path, self.timeout), abandon=finish_in_background)
        except TransportError:
            self._failed.add(path)
            raise
        self._open = path, tpm
        return tpm

    @contextlib.contextmanager
    def tpm(self, path: str | None = None) -> Iterator[Tpm]:
        """Context manager that yields the TPM of the options, or the TPM at `path`.

        At its end, flushes the block's objects and sessions. Raises NoTpmError if an earlier attempt to open the
        TPM failed, TransportError if this attempt fails.
        """
        path = absolute_tpm_path(path or self.tpm_path)
        if path in self._failed:
            raise NoTpmError
        tpm = self._open[1] if self._open is not None and self._open[0] == path else self._connect(path)
        try:
            yield tpm
            tpm.flush_opened()
        except TransportError:
            self._failed.add(path)
            self.close()
            raise
        except Exception:
            self.close()  # flushes
            raise

    @cached_property
    def description(self) -> dict[str, Any]:
        """The TPM's description from `describe_tpm`. Raises the errors of `tpm`, TpmError if the TPM refuses."""
        with self.tpm() as tpm:
            return describe_tpm(tpm)

    @cached_property
    def config(self) -> Config:
        """The profiles of AWS's files. Raises RequestError if a file is invalid or not a regular file."""
        for path in (config_file(os.environ), credentials_file(os.environ)):
            if os.path.exists(path) and not os.path.isfile(path):
                raise RequestError(f"{path} is not a regular file; correct it, or the variable that names it")
        return load_config(os.environ)

    @cached_property
    def profile_keys(self) -> list[ProfileKey]:
        """The profiles that run this program; empty if AWS's files cannot be read, which another check reports."""
        try:
            return find_profile_keys(self.config)
        except RequestError:
            return []
