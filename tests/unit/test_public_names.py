"""The names that programs may import: taking one away is a deliberate act, noted in the changelog."""

import ast
from importlib import import_module
from types import ModuleType

import pytest

import sigv4
import tpmwire
from tests.support.programs import ROOT
from tpmwire.spec.command import command_class
from tpmwire.spec.constants import TPM_CC

TPMWIRE = """
    AttestationError DecodeError EccPrivateKey EcdsaKey EncodeError HmacKey KeyFile KeyFileError
    Password Pin Policy PolicyAuthValue PolicyAuthorize PolicyCommandCode PolicyError PolicyOR PolicyPCR
    PolicyPassword PolicySecret PolicySigned RsaPrivateKey Secret Session SessionError SessionStart SignatureError
    TPMA_NV TPMA_OBJECT TPMT_PUBLIC TPM_ALG TPM_CAP TPM_CC TPM_ECC TPM_NT TPM_PT TPM_RC TPM_RH
    TPM_SE Tpm TpmError TpmwireError Transport TransportError __version__ attest bridges calls commands
    explain parse_command parse_pcrs parse_response protected_sessions templates
"""
SIGV4 = """
    AssumeRole AssumeRoot CallerIdentity Credentials DecodeAuthorizationMessage Endpoint
    GetAccessKeyInfo GetCallerIdentity GetDelegatedAccessToken GetFederationToken GetSessionToken
    GetWebIdentityToken HttpClient NetworkError NoErrorDocumentError Request RequestError Response ResponseError
    SigV4Error Signer Sigv4aSigner StsClient StsError WebIdentityToken der_signature hmac_from_secret resolve
"""
PUBLIC = {tpmwire: TPMWIRE, sigv4: SIGV4}


@pytest.mark.parametrize("package", PUBLIC, ids=lambda package: package.__name__)
def test_the_public_names(package: ModuleType) -> None:
    assert sorted(package.__all__) == sorted(PUBLIC[package].split())
    assert {name for name in dir(package) if not name.startswith("__")} == set(package.__all__) - {"__version__"}
    for name in package.__all__:
        assert getattr(package, name) is getattr(package, name)
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        package.nonsense  # noqa: B018


@pytest.mark.parametrize("package", [*PUBLIC, tpmwire.commands], ids=lambda package: package.__name__)
def test_type_checkers_see_the_same_names(package: ModuleType) -> None:
    path = ROOT / package.__name__.replace(".", "/")
    source = (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text()
    block = next(
        node
        for node in ast.parse(source).body
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    )
    seen = {}
    for node in block.body:
        assert isinstance(node, ast.ImportFrom)
        base = package.__name__ if path.is_dir() else package.__package__
        for alias in node.names:
            module = (
                import_module(f".{node.module}", base) if node.module else import_module(f".{alias.name}", base)
            )
            if node.module and not hasattr(module, alias.name):  # a module that nobody has imported so far
                import_module(f".{node.module}.{alias.name}", base)
            seen[alias.asname] = getattr(module, alias.name) if node.module else module
    assert set(seen) == set(package.__all__) - {"__version__"}
    for name, value in seen.items():
        assert getattr(package, name) is value, name


def test_every_command_by_its_name() -> None:
    assert set(tpmwire.commands.__all__) == {code.name for code in TPM_CC}
    for code in TPM_CC:
        assert getattr(tpmwire.commands, code.name) is command_class(code)
    with pytest.raises(AttributeError, match="has no attribute 'Policy_PCR'"):
        tpmwire.commands.Policy_PCR  # type: ignore[attr-defined]  # noqa: B018
