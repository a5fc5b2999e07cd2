"""Files that tpm2-tools write, each with what it is: made with the real tools on a software TPM."""

import subprocess
from pathlib import Path

from .swtpm import Swtpm, SwtpmError, tpm2

_ATTRIBUTES = "fixedtpm|fixedparent|sensitivedataorigin|userwithauth"

STEPS = """
createprimary -C o -G ecc -c primary.ctx --creation-data=primary.creation -t primary.ticket -d primary.hash
flushcontext -t
create -C primary.ctx -G ecc -u key.pub -r key.priv -a sign|{a} --creation-data=key.creation -t key.ticket
flushcontext -t
create -C primary.ctx -G rsa2048 -u rsa.pub -r rsa.priv -a sign|decrypt|{a}
flushcontext -t
create -C primary.ctx -G hmac -u hmac.pub -r hmac.priv
flushcontext -t
create -C primary.ctx -i secret -u sealed.pub -r sealed.priv
flushcontext -t
create -C primary.ctx -G aes128 -u aes.pub -r aes.priv
flushcontext -t
load -C primary.ctx -u key.pub -r key.priv -c key.ctx -n key.name
flushcontext -t
load -C primary.ctx -u rsa.pub -r rsa.priv -c rsa.ctx
flushcontext -t
load -C primary.ctx -u hmac.pub -r hmac.priv -c hmac.ctx
flushcontext -t
readpublic -c key.ctx -f pem -o key.pem -q key.qname
flushcontext -t
readpublic -c rsa.ctx -f der -o rsa.der
flushcontext -t
readpublic -c rsa.ctx -f tpmt -o rsa.tpmt
flushcontext -t
hash -C o -g sha256 -t hash.ticket -o hash.digest data
sign -c key.ctx -g sha256 -s ecdsa -o key.sig data
flushcontext -t
sign -c key.ctx -g sha256 -s ecdsa -f plain -o key.plain data
flushcontext -t
sign -c rsa.ctx -g sha256 -s rsapss -o rsa.sig data
flushcontext -t
sign -c rsa.ctx -g sha256 -s rsassa -f plain -o rsa.plain data
flushcontext -t
rsaencrypt -c rsa.ctx -o rsa.enc data
flushcontext -t
verifysignature -c key.ctx -g sha256 -m data -s key.sig -t verified.ticket
flushcontext -t
hmac -c hmac.ctx -o data.hmac data
flushcontext -t
createek -c ek.ctx -G rsa -u ek.pub
flushcontext -t
createak -C ek.ctx -c ak.ctx -G ecc -g sha256 -s ecdsa -u ak.pub -r ak.priv -n ak.name
flushcontext -t
quote -c ak.ctx -l sha256:0,7+sha1:1 -q 00ff -m quote.msg -s quote.sig -o quote.pcrs -F serialized -g sha256
flushcontext -t
quote -c ak.ctx -l sha256:0,7 -q 00ff -m quote2.msg -s quote2.sig -o quote.values -F values -g sha256
flushcontext -t
pcrread sha256:0,1,2 -o pcrread.values
certify -c key.ctx -C ak.ctx -g sha256 -o certify.msg -s certify.sig
flushcontext -t
certifycreation -C ak.ctx -c primary.ctx -d primary.hash -t primary.ticket -o created.sig --attestation created.msg
flushcontext -t
gettime -c ak.ctx -g sha256 -o time.sig --attestation time.msg
flushcontext -t
makecredential -u ek.pub -s secret -n {name} -o cred.blob
startauthsession -S policy.ctx --policy-session
policysecret -S policy.ctx -c e -L policy.digest --ticket auth.ticket -t -100 --timeout policy.timeout
flushcontext policy.ctx
startauthsession -S trial.ctx
policypcr -S trial.ctx -l sha256:0,7 -L pcr.policy
flushcontext trial.ctx
startauthsession -S hmac.session --hmac-session
flushcontext -l
flushcontext -s
startauthsession -S dup2.session
policycommandcode -S dup2.session -L dup.policy TPM2_CC_Duplicate
flushcontext dup2.session
create -C primary.ctx -G ecc -u moved.pub -r moved.priv -L dup.policy -a sensitivedataorigin|sign|userwithauth
flushcontext -t
load -C primary.ctx -u moved.pub -r moved.priv -c moved.ctx
flushcontext -t
startauthsession -S dup3.session --policy-session
policycommandcode -S dup3.session -L dup.policy TPM2_CC_Duplicate
duplicate -C ek.ctx -c moved.ctx -G null -p session:dup3.session -r moved.dup -s moved.seed
flushcontext dup3.session
flushcontext -t
startauthsession -S dup4.session --policy-session
policycommandcode -S dup4.session -L dup.policy TPM2_CC_Duplicate
duplicate -C primary.ctx -c moved.ctx -G aes -o moved.sym -p session:dup4.session -r moved2.dup -s moved2.seed
flushcontext dup4.session
flushcontext -t
startauthsession -S dup5.session --policy-session
policycommandcode -S dup5.session -L dup.policy TPM2_CC_Duplicate
duplicate -C null -c moved.ctx -G null -p session:dup5.session -r clear.dup -s clear.seed
flushcontext dup5.session
flushcontext -t
ecdhkeygen -c primary.ctx -u ecdh.pub -o ecdh.z
flushcontext -t
evictcontrol -C o -c key.ctx 0x81000010 -o key.handle
geteccparameters ecc256 -o curve.parameters
nvdefine -C o -s 32 0x1500016
nvwrite 0x1500016 -i secret -C o
nvcertify -C ak.ctx -c o -g sha256 -o nv.sig --attestation nv.msg --size 6 0x1500016
flushcontext -t
encodeobject -C primary.ctx -u key.pub -r key.priv -o key.tss2
getrandom 32 --cphash random.cphash -o random
loadexternal -C o -u rsa.pub -c external.ctx -n external.name
flushcontext -t
flushcontext -l
flushcontext -s
"""


def make_files(swtpm: Swtpm, folder: Path) -> list[str]:
    """Run all steps in the folder; return those that this version of the tools, or this TPM, does not support."""
    (folder / "data").write_bytes(b"what is signed\n")
    (folder / "secret").write_bytes(b"secret")
    failed = []
    for line in STEPS.strip().splitlines():
        name = folder / "ak.name"
        words = line.format(a=_ATTRIBUTES, name=name.read_bytes().hex() if name.exists() else "").split()
        try:
            tpm2(swtpm, *words, cwd=folder)
        except (SwtpmError, subprocess.TimeoutExpired) as error:
            failed.append(f"{line}: {error}")
    return failed


KINDS = {
    "primary.ctx key.ctx rsa.ctx ek.ctx ak.ctx external.ctx": "context file of tpm2-tools (TPMS_CONTEXT)",
    "policy.ctx trial.ctx hmac.session": "session context of tpm2-tools",
    "key.pub rsa.pub hmac.pub sealed.pub aes.pub ek.pub ak.pub moved.pub": "TPM2B_PUBLIC",
    "rsa.tpmt": "TPMT_PUBLIC",
    "key.priv rsa.priv hmac.priv sealed.priv aes.priv ak.priv moved.priv": "TPM2B_PRIVATE",
    "moved.dup moved2.dup clear.dup": "TPM2B_PRIVATE",
    "key.creation primary.creation": "TPM2B_CREATION_DATA",
    "key.ticket primary.ticket": "TPMT_TK_CREATION",
    "hash.ticket": "TPMT_TK_HASHCHECK",
    "verified.ticket": "TPMT_TK_VERIFIED",
    "auth.ticket": "TPMT_TK_AUTH",
    "primary.hash random.cphash": "TPM2B_DIGEST",
    "key.name key.qname ak.name external.name": "Name of an object",
    "key.sig rsa.sig quote.sig quote2.sig certify.sig time.sig nv.sig created.sig": "TPMT_SIGNATURE",
    "key.plain": "ECDSA signature in DER",
    "rsa.plain rsa.enc": "size of an RSA-2048 number",
    "quote.msg quote2.msg certify.msg time.msg nv.msg created.msg": "TPMS_ATTEST",
    "quote.pcrs": "PCR values of tpm2_quote",
    "pcrread.values": "size of 3 SHA-256 digests",
    "quote.values": "size of 2 SHA-256 digests",
    "cred.blob": "credential file of tpm2-tools",
    "policy.digest dup.policy": "policy digest",
    "pcr.policy hash.digest data.hmac": "size of a SHA-256 digest",
    "moved.seed moved2.seed": "TPM2B_ENCRYPTED_SECRET",
    "ecdh.pub ecdh.z": "TPM2B_ECC_POINT",
    "key.handle": "handle file of libtss2-esys",
    "curve.parameters": "TPMS_ALGORITHM_DETAIL_ECC",
    "key.pem": "public key in PEM",
    "rsa.der": "public key in DER",
    "key.tss2": "TSS2 PRIVATE KEY",
}
"""What the files are: words of a kind that `read_file` returns for each."""

EXPECTED = {name: kind for names, kind in KINDS.items() for name in names.split()}
