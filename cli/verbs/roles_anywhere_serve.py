"""Serves credentials of IAM Roles Anywhere as EC2's metadata service does (IMDSv2), like aws_signing_helper.

  tpmwire roles-anywhere serve --port 9911 \\
      --certificate host.pem --private-key handle:0x81010050 \\
      --trust-anchor-arn arn:aws:rolesanywhere:...:trust-anchor/... \\
      --profile-arn arn:aws:rolesanywhere:...:profile/... \\
      --role-arn arn:aws:iam::123456789012:role/reader

SDKs find it with AWS_EC2_METADATA_SERVICE_ENDPOINT=http://127.0.0.1:9911/. Any local user can get the credentials;
`tpmwire serve --profile` has tokens, unix sockets and systemd's sockets. Each renewal, ahead of time, reads the
certificate again. If a renewal fails, the old credentials are served until they expire. After that, clients get
HTTP status 503. SIGHUP renews at once; SIGTERM or Ctrl-C ends the server.
"""

import argparse
import contextlib
import os

from ..credentials.roles_anywhere.options import HelperSettings, add_session_options, run_of
from ..credentials.roles_anywhere.session import session_region
from ..credentials.sts import obtain
from ..serving.connections import raise_descriptor_limit
from ..serving.handler import Service
from ..serving.listen import tcp_listener
from ..serving.notify import Notifier
from ..serving.renewal import renew_until_signal
from ..serving.server import CredentialServer
from ..serving.store import Store
from ..serving.tokens import Sessions
from ..terminal.messages import note
from ..terminal.progress import activity

__all__ = ["GO_STYLE", "Settings", "configure", "run"]

GO_STYLE = True
"""The arguments are parsed like those of AWS's helper."""

_PORT, _HOPS = 9911, 64


class Settings(HelperSettings):
    """The verb's options."""

    port: int
    hop_limit: int


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    add_session_options(parser)
    group = parser.add_argument_group("serving")
    group.add_argument(
        "--port",
        type=int,
        default=_PORT,
        metavar="PORT",
        help=f"TCP port on 127.0.0.1 (default: {_PORT}; 0 chooses a free port)",
    )
    group.add_argument(
        "--hop-limit", type=int, default=_HOPS, metavar="N", help=f"IP hop limit of responses (default: {_HOPS})"
    )


def run(args: Settings) -> int:
    """Serves credentials until a signal arrives. Raises UsageError, OSError, and the error of the first fetch."""
    raise_descriptor_limit()
    found = run_of(args).roles_anywhere
    assert found is not None
    store = Store(lambda: obtain(run_of(args)))
    role = found.role_arn.rpartition("/")[2]
    with tcp_listener("127.0.0.1", args.port, args.hop_limit) as listener, contextlib.ExitStack() as stack:
        with activity("getting the first credentials"):
            store.fetch()
        service = Service(store, None, Sessions(), imds=True, region=session_region(found), role=role)
        server = stack.enter_context(CredentialServer([listener], service))
        notifier = Notifier()
        stack.callback(notifier.send, "STOPPING=1")
        os.register_at_fork(after_in_child=server.close_listeners)
        note(f"tpmwire roles-anywhere serve: http://127.0.0.1:{listener.getsockname()[1]}/")
        renew_until_signal("roles-anywhere serve", {"": store}, notifier)
    return 0
