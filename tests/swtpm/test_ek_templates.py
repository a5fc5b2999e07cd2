"""Endorsement keys of the TCG EK Credential Profile by name, and their policies PolicyA, PolicyB and PolicyC."""

from collections.abc import Iterator

import pytest

from cli.inspect.script import Script
from tests.support.swtpm import Swtpm
from tests.support.verbs import Tool
from tpmwire import Tpm
from tpmwire.keys.ek_policies import ek_policies
from tpmwire.soft import SoftTransport
from tpmwire.spec.constants import TPM_ALG, TPMA_OBJECT
from tpmwire.transport import open_transport
from tpmwire.use.endorsement import POLICY_B
from tpmwire.use.parents import PARENTS, endorsement_kind

FROM_THE_PROFILE = {  # Tables of Annex B.6: the Name of the policy index, PolicyC and PolicyB
    TPM_ALG.SHA256: (
        "000b0c9d717e9c3fe69fda41769450bb145957f8b3610e084dbf65591a5d11ecd83f",
        "3767e2edd43ff45a3a7e1eaefcef78643dca964632e7aad82c673a30d8633fde",
        "ca3d0a99a2b93906f7a3342414efcfb3a385d44cd1fd459089d19b5071c0b7a0",
    ),
    TPM_ALG.SHA384: (
        "000cdb62fca346612c976732ff4e8621fb4e858be82586486504f7d02e621f8d7d61ae32cfc60c4d120609ed6768afcf090c",
        "d6032ce61f2fb3c240eb3cf6a33237ef2b6a16f4293c22b455e261cffd217ad5b4947c2d73e63005eed2dc2b3593d165",
        "b26e7d28d11a50bc53d882bcf5fd3a1a074148bb35d3b4e4cb1c0ad9bde419cacb47ba09699646150f9fc000f3f80e12",
    ),
}


@pytest.fixture(params=["soft", "swtpm"])
def script(request: pytest.FixtureRequest, shared_swtpm: Swtpm) -> Iterator[Script]:
    transport = SoftTransport(b"ek") if request.param == "soft" else open_transport(shared_swtpm.path, 60)
    with Tpm(transport) as tpm, Script(tpm, secrets=True) as opened:
        yield opened
        opened.run("NV_UndefineSpace o 0x01c07f01")
        opened.run("NV_UndefineSpace o 0x01c07f02")


@pytest.mark.parametrize("alg", FROM_THE_PROFILE, ids=lambda alg: alg.name)
def test_the_policies_are_those_of_the_profile(alg: TPM_ALG, script: Script) -> None:
    name, c, b = FROM_THE_PROFILE[alg]
    found = ek_policies(alg)
    assert found is not None
    assert (found.b.hex(), found.c.hex()) == (b, c)
    assert POLICY_B[alg] == found.b
    _define_index(script, alg, "00" * len(found.a))
    assert script.run(f"NV_ReadPublic {found.nv_public.nv_index}").values["nvName"].hex() == name


def _define_index(script: Script, alg: TPM_ALG, approved: str) -> None:
    """Defines the policy index, and writes the digest of an approved policy into it."""
    found = ek_policies(alg)
    assert found is not None
    public = found.nv_public
    line = f"NV_DefineSpace o publicInfo={public.build().hex()}"
    assert script.run(line).code == 0
    content = f"{alg:04x}{approved}"
    written = script.run(f"NV_Write {public.nv_index} data={content} policy=PolicyA")
    assert written.code == 0, written.text


@pytest.mark.parametrize("name", ["ek-l1", "ek-l2", "ek-h1", "ek-h2", "H-3", "ek-h4", "ek-h6"])
def test_each_kind_of_key_activates_a_credential(name: str, script: Script) -> None:
    line = f"e = CreatePrimary e {name} + a = CreatePrimary ak + MakeCredential $e $a text:nonce"
    made = script.run(line)
    if made.code and name == "ek-h6":
        pytest.skip("this TPM has no RSA 3072")
    assert made.code == 0, made.text
    kind = endorsement_kind(name)
    assert kind is not None
    assert script.values.find("$e.public", "").replace(unique=kind.template().unique) == kind.template()
    opened = script.run("ActivateCredential $a $e")
    assert (opened.code, opened.values.get("certInfo")) == (0, b"nonce"), opened.text


def test_a_key_is_used_by_each_of_its_policies(script: Script) -> None:
    """Such a key as H-3, but without userWithAuth, so that only PolicyB authorizes its use."""
    bits = "fixedtpm|fixedparent|sensitivedataorigin|adminwithpolicy|restricted|decrypt"
    line = f'e = CreatePrimary e H-3 inPublic.objectAttributes="{bits}"'
    assert script.run(line).code == 0
    assert not script.values.find("$e.public", "").object_attributes & TPMA_OBJECT.USER_WITH_AUTH
    assert script.run("Create $e ecc").code == 0
    assert script.run("Create $e ecc policy=PolicyB").code == 0
    assert script.run("Create $e ecc policy=PolicyA").code == 0x99D
    script.run("t = StartAuthSession TRIAL authHash=sha384 + PolicyPCR $t 23 + d = PolicyGetDigest $t")
    approved = script.values.find("$d.policyDigest", "").hex()
    _define_index(script, TPM_ALG.SHA384, approved)
    through_c = "policy=pcr:23 policy=PolicyC policy=PolicyB"
    assert script.run(f"Create $e ecc {through_c}").code == 0
    assert script.run("Create $e ecc policy=PolicyC policy=PolicyB").code != 0
    script.run("PCR_Event 23 text:boot")
    assert script.run(f"Create $e ecc {through_c}").code != 0
    assert script.run("PCR_Reset 23").code == 0


def test_the_names_of_the_kinds() -> None:
    names = {"ek-h5": "H-5", "H-5": "H-5", "ek-sm2": "H-5", "L-1": "L-1", "ek-l-2": "L-2", "ek-h7": "H-7"}
    names |= {"ek-p384": "H-3", "ek-rsa": "L-1", "ek-rsa4096": "H-7"}
    assert {name: kind.name for name in names if (kind := endorsement_kind(name))} == names
    # Without ek- these are storage primary keys.
    assert not [name for name in ("h1", "h2", "srk", "ek", "ek-h8", "") if endorsement_kind(name)]
    assert all(endorsement_kind(one.name) for one in PARENTS.values() if one.is_endorsement)


def test_verbs_take_the_names(tool: Tool, shared_swtpm: Swtpm) -> None:
    path = ("--tpm-path", shared_swtpm.path)
    name = tool("name", "ek-h2", *path)
    assert (name.code, name.out[:4]) == (0, "000b")
    sent = tool("send", "--format", "values", "CreatePrimary", "e", "ek-h2", *path)
    assert f"name: {name.out.strip()}" in sent.out
    assert "TPM_ALG_SM4" in tool("send", "--dry-run", "CreatePrimary", "e", "ek-h5").out
