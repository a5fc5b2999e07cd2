"""OpenStack Swift in one process: proxy with the S3 API, account, container and object server on loopback.

Run by tests.support.swift with a directory and the proxy's port; the key pair comes on stdin, a line each.
"""

import sys
from array import array
from pathlib import Path
from typing import Any

import eventlet  # type: ignore[import-untyped]
import eventlet.wsgi  # type: ignore[import-untyped]
from swift.common.middleware import tempauth  # type: ignore[import-untyped]
from swift.common.ring.ring import RingData  # type: ignore[import-untyped]
from swift.common.utils import set_swift_dir  # type: ignore[import-untyped]
from swift.common.wsgi import SwiftHttpProtocol, loadapp  # type: ignore[import-untyped]

_BEFORE, _AFTER = "catch_errors gatekeeper listing_formats", "bulk slo copy versioned_writes"
_PROXY = f"""
[DEFAULT]
swift_dir = {{directory}}
[pipeline:main]
pipeline = {_BEFORE} s3api auth {_AFTER} proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
[filter:auth]
paste.filter_factory = tests.support.swift_server:auth_filter
key_id = {{key_id}}
secret = {{secret}}
""" + "".join(f"[filter:{name}]\nuse = egg:swift#{name}\n" for name in f"{_BEFORE} {_AFTER}".split())
_STORAGE = """
[DEFAULT]
swift_dir = {directory}
devices = {directory}/devices
mount_check = false
[app:main]
use = egg:swift#{kind}
"""


class KeyIdAuth(tempauth.TempAuth):  # type: ignore[misc]
    """tempauth, whose users are account:user, with one that has the key id of AWS's form for a name.

    Whether a signature holds is Swift's own judgement, before and after.
    """

    def __init__(self, app: Any, key_id: str, secret: str) -> None:
        super().__init__(app, {})
        self.users[key_id] = {"key": secret, "url": "$HOST/v1/AUTH_test", "groups": [".admin"]}


def auth_filter(_global: dict[str, str], key_id: str, secret: str, **_more: str) -> Any:
    """What paste makes the filter with."""
    return lambda app: KeyIdAuth(app, key_id, secret)


def serve(directory: Path, port: int, key_id: str, secret: str) -> None:
    """Serves until the process ends; says with a line on stdout that it listens."""
    eventlet.monkey_patch()
    (directory / "devices" / "d").mkdir(parents=True)
    (directory / "swift.conf").write_text(
        "[swift-hash]\nswift_hash_path_suffix = test\n[storage-policy:0]\nname = only\ndefault = yes\n"
    )
    set_swift_dir(str(directory))
    listeners = {}
    for kind in ("account", "container", "object"):
        listeners[kind] = eventlet.listen(("127.0.0.1", 0))
        own = listeners[kind].getsockname()[1]
        at = {"ip": "127.0.0.1", "port": own}
        device = {"id": 0, "region": 1, "zone": 1, "weight": 1.0, "device": "d", "meta": "", **at}
        device |= {f"replication_{name}": value for name, value in at.items()}
        RingData([array("H", [0])], [device], 32).save(str(directory / f"{kind}.ring.gz"))
    for kind, listener in listeners.items():
        _spawn(listener, directory / f"{kind}.conf", _STORAGE.format(directory=directory, kind=kind))
    front = eventlet.listen(("127.0.0.1", port))
    thread = _spawn(
        front, directory / "proxy.conf", _PROXY.format(directory=directory, key_id=key_id, secret=secret)
    )
    print("listening", flush=True)
    thread.wait()


def _spawn(listener: Any, path: Path, config: str) -> Any:
    path.write_text(config)
    app = loadapp(str(path), global_conf={"log_name": path.stem})
    options = {"protocol": SwiftHttpProtocol, "capitalize_response_headers": False, "log_output": False}
    return eventlet.spawn(eventlet.wsgi.server, listener, app, sys.stderr, **options)


if __name__ == "__main__":
    key_pair = (sys.stdin.readline().strip(), sys.stdin.readline().strip())
    serve(Path(sys.argv[1]), int(sys.argv[2]), *key_pair)
