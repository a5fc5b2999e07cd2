"""Part 3, §14.7 and §19.3: two-phase key exchange with an ephemeral key."""

from ...crypto.formulas import kdfa
from ...crypto.pure.curves import Curve
from ...spec.commands.asymmetric import ZGen_2Phase
from ...spec.commands.ephemeral import EC_Ephemeral
from ...spec.constants import TPM_ALG, TPM_RH, TPMA_OBJECT
from ...spec.response_codes import TPM_RC
from ...spec.structures import TPMS_ECC_PARMS
from .. import ecc
from ..refusal import Refusal, require
from ..registry import handles
from ..tpm_state import TpmState

OPEN_MAX = 64
"""Maximum number of unused ephemeral keys; counters of older keys are refused."""


def _scalar(tpm: TpmState, curve: Curve, counter: int) -> int:
    """Returns the private ephemeral key with this counter, derived from the proof of the null hierarchy."""
    derived = kdfa(
        TPM_ALG.SHA256,
        tpm.proof(TPM_RH.NULL),
        b"ECDAA Commit",
        curve.p.bit_length().to_bytes(4, "big"),
        counter.to_bytes(8, "big"),
        8 * (curve.size + 8),
    )
    return int.from_bytes(derived, "big") % (curve.n - 1) + 1


@handles(EC_Ephemeral)
def ec_ephemeral(tpm: TpmState, command: EC_Ephemeral) -> EC_Ephemeral.Response:
    """Creates an ephemeral key for one key exchange, and returns (public point, counter) (TPM2_EC_Ephemeral)."""
    curve = ecc.CURVES.get(command.curve_id)
    if curve is None:
        raise Refusal(TPM_RC.CURVE, "curve_id")
    tpm.commit_counter += 1
    counter = tpm.commit_counter & 0xFFFF
    tpm.open_commits = [*tpm.open_commits, counter][-OPEN_MAX:]
    point = curve.multiply(_scalar(tpm, curve, counter), curve.g)
    return EC_Ephemeral.Response(ecc.point_of(curve, point), counter)


@handles(ZGen_2Phase)
def z_gen_2_phase(tpm: TpmState, command: ZGen_2Phase) -> ZGen_2Phase.Response:
    """Returns the ECDH points of the static keys and of the ephemeral keys of both parties (TPM2_ZGen_2Phase)."""
    key = tpm.key(command.key_a)
    parameters = key.public.parameters
    if not isinstance(parameters, TPMS_ECC_PARMS):
        raise Refusal(TPM_RC.KEY, "key_a")
    usable = key.has(TPMA_OBJECT.DECRYPT) and not key.has(TPMA_OBJECT.RESTRICTED)
    require(usable, TPM_RC.ATTRIBUTES, "key_a")
    require(command.in_scheme == TPM_ALG.ECDH, TPM_RC.SCHEME, "in_scheme")
    curve = ecc.CURVES[parameters.curve_id]
    points = []
    for field, given in (("in_qs_b", command.in_qs_b), ("in_qe_b", command.in_qe_b)):
        point = ecc.to_point(curve, given) if given is not None else None
        if point is None:
            raise Refusal(TPM_RC.ECC_POINT, field)
        points.append(point)
    require(command.counter in tpm.open_commits, TPM_RC.VALUE, "counter")
    tpm.open_commits.remove(command.counter)
    assert key.sensitive is not None
    static = curve.multiply(int.from_bytes(key.sensitive.sensitive, "big"), points[0])
    ephemeral = curve.multiply(_scalar(tpm, curve, command.counter), points[1])
    return ZGen_2Phase.Response(ecc.point_of(curve, static), ecc.point_of(curve, ephemeral))
