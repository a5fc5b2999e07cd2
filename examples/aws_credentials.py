"""Gets temporary credentials from AWS STS. The TPM signs the request with an access key in a key file."""

import os
import sys
from pathlib import Path

import tpmwire
from sigv4 import GetSessionToken, HttpClient, Signer, StsClient, resolve
from tpmwire import HmacKey, KeyFile

access_key_id, path, region = sys.argv[1:4]  # the file that `tpmwire import --out` wrote
key = HmacKey(file=KeyFile.parse(Path(path).read_bytes()))


def hmac(message: bytes) -> bytes:
    with tpmwire.Tpm.open(os.environ.get("TPMWIRE_TPM_PATH"), timeout=60) as tpm:
        return key.hmac(tpm, message)


sts = StsClient(Signer(access_key_id, hmac), resolve(region, environ=os.environ), HttpClient(10, os.environ))
credentials = sts.call(GetSessionToken())
print(credentials.access_key_id, "expires at", credentials.expiration)
