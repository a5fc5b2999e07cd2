"""The server asked by programs that are not ours: AWS's CRT, botocore's metadata client, http.client."""

import os
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path

import pytest
from botocore.utils import InstanceMetadataFetcher, InstanceMetadataRegionFetcher

from tests.support.credential_server import SECRET, TOKEN, Running

# Mountpoint, the CLI's transfers, the SDKs for C++, Swift and Kotlin get their credentials by it.
CRT = """
from awscrt import auth, io
loop = io.EventLoopGroup(1)
bootstrap = io.ClientBootstrap(loop, io.DefaultHostResolver(loop))
found = auth.AwsCredentialsProvider.new_default_chain(bootstrap).get_credentials().result(30)
print(found.access_key_id, found.session_token)
"""


def test_the_crt(running: Running, tmp_path: Path) -> None:
    """Its metadata client has a fixed address, so only the container's endpoint can be asked here."""
    environment = {
        "HOME": str(tmp_path),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://127.0.0.1:{running.port}/credentials",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": TOKEN,
    }
    done = subprocess.run(
        [sys.executable, "-c", CRT], env=environment, check=False, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, "ASIAMADEUP made-up-token\n"), done.stderr


def test_botocore_finds_credentials_and_region(running: Running) -> None:
    endpoint = f"http://127.0.0.1:{running.port}/"
    config = {"ec2_metadata_service_endpoint": endpoint}
    found = InstanceMetadataFetcher(timeout=10, config=config).retrieve_iam_role_credentials()
    assert found["secret_key"] == SECRET
    environment = {name: value for name, value in os.environ.items() if name != "AWS_EC2_METADATA_DISABLED"}
    fetcher = InstanceMetadataRegionFetcher(timeout=10, env=environment, config=config)
    assert fetcher.retrieve_region() == "eu-central-1"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_http_client(running: Running, method: str) -> None:
    connection = HTTPConnection("127.0.0.1", running.port, timeout=30)
    connection.request(method, "/credentials?cache=no", headers={"Authorization": TOKEN})
    answer = connection.getresponse()
    assert answer.status == 200
    assert (SECRET.encode() in answer.read()) == (method == "GET")
    connection.close()
