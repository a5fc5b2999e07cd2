"""Where botocore sends a request to STS."""

import re

import botocore.session
import pytest
from botocore.awsrequest import AWSPreparedRequest

__all__ = ["destination"]


class _Sent(Exception):
    """Raised in place of sending; holds URL and region signed for."""


def destination(session: botocore.session.Session, region: str | None) -> tuple[str, str]:
    """Returns the URL of a client's GetCallerIdentity, and the region that it is signed for."""
    session.set_credentials("AKIATEST", "made-up")
    client = session.create_client("sts", region_name=region)

    def stop(request: AWSPreparedRequest, **_kwargs: object) -> None:
        found = re.search(rb"Credential=[^/]+/[0-9]+/([^/]+)/", bytes(request.headers["Authorization"]))
        assert found
        raise _Sent(request.url, found[1].decode())

    client.meta.events.register("before-send.sts", stop)
    with pytest.raises(_Sent) as caught:
        client.get_caller_identity()
    url, signed_for = caught.value.args
    return url, signed_for
