"""boto3's clock as a refusal shows it: minutes that a request took are not minutes that the clock is wrong."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import botocore.auth
import pytest
from botocore.compat import get_current_datetime
from botocore.config import Config
from botocore.exceptions import ClientError

import sigv4.boto
from sigv4.signer import hmac_from_secret
from tests.support.scripted import ScriptedServer, http, say

REFUSED = "<Error><Code>SignatureDoesNotMatch</Code><Message>no</Message></Error>"


@pytest.mark.parametrize(
    ("took", "behind", "sent"), [(0, 0, 1), (600, 0, 1), (0, 3600, 2), (600, 3600, 2)], ids=str
)
def test_a_long_upload_is_no_wrong_clock(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, took: int, behind: int, sent: int
) -> None:
    """The server refuses after `took` seconds, on a machine that is `behind`."""
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    shown = [0.0]
    monkeypatch.setattr(sigv4.boto, "monotonic", lambda: shown[0])
    wrong = timedelta(seconds=behind)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_: get_current_datetime() - wrong)
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=took), usegmt=True)
    answer = say(http("403 Forbidden", REFUSED, f"Date: {date}"))
    with ScriptedServer(answer) as server:
        aws = sigv4.boto.session(hmac_from_secret("made-up"), "AKIAMADEUP", region_name="us-east-1")
        client = aws.client("s3", endpoint_url=server.endpoint, config=Config(s3={"addressing_style": "path"}))

        def upload(**_: Any) -> None:
            shown[0] += took

        client.meta.events.register("before-send", upload)
        with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
            client.put_object(Bucket="bucket", Key="key", Body=b"body")
        assert len(server.requests) == sent
