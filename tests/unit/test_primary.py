"""Primary keys and loaded keys, with a scripted TPM."""

import pytest

from tpmwire import Tpm, Transport
from tpmwire.crypto.formulas import name_of
from tpmwire.errors import SessionError
from tpmwire.keys import templates
from tpmwire.primary import read_loaded
from tpmwire.spec.commands.objects import ReadPublic
from tpmwire.wire import ResponseMessage

HANDLE = 0x81000001
PUBLIC = templates.srk_ecc()


class OneResponse(Transport):
    """A TPM whose every response is TPM2_ReadPublic's, with this Name."""

    def __init__(self, name: bytes) -> None:
        self.response = ResponseMessage(0, ReadPublic.code, ReadPublic.Response(PUBLIC, name, name)).build()

    def transceive(self, command: bytes) -> bytes:
        return self.response

    def close(self) -> None:
        pass


def test_the_name_is_computed_on_the_host() -> None:
    with Tpm(OneResponse(name_of(PUBLIC))) as tpm:
        assert read_loaded(tpm, HANDLE).name == name_of(PUBLIC)
    other = name_of(PUBLIC.replace(auth_policy=bytes(32)))
    with Tpm(OneResponse(other)) as tpm, pytest.raises(SessionError, match="does not match its public area"):
        read_loaded(tpm, HANDLE)
