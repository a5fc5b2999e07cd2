"""Soft TPM: anonymous signatures, and two-phase key exchange with an ephemeral key (Part 3, §14.7 and §19)."""

from typing import Any

from ...crypto.formulas import digest
from ...crypto.pure.curves import Point
from ...spec.commands.asymmetric import ZGen_2Phase
from ...spec.commands.ephemeral import Commit, EC_Ephemeral
from ...spec.constants import TPM_ALG, TPMA_OBJECT
from ...spec.response_codes import TPM_RC
from ...spec.structures import TPMS_ECC_PARMS, TPMS_ECC_POINT
from .. import ecc
from ..commitments import close_commitment, derive_commitment, open_commitment
from ..ecc_schemes import exchange_mqv, exchange_sm2
from ..refusal import Refusal, require
from ..registry import handles
from ..tpm_state import TpmState

NO_POINT = TPMS_ECC_POINT(b"", b"")


@handles(Commit)
def commit(tpm: TpmState, command: Commit) -> Commit.Response:
    """Returns the points K, L and E and the counter of a new commitment for an ECDAA signature (TPM2_Commit)."""
    key = tpm.key(command.sign_handle)
    parameters = key.public.parameters
    if not isinstance(parameters, TPMS_ECC_PARMS):
        raise Refusal(TPM_RC.KEY, "sign_handle")
    require(parameters.scheme.scheme == TPM_ALG.ECDAA, TPM_RC.SCHEME, "sign_handle")
    require(bool(command.s2) == bool(command.y2), TPM_RC.SIZE, "y2")
    curve = ecc.CURVES[parameters.curve_id]
    base: Point | None = None
    if command.s2:
        x = int.from_bytes(digest(key.public.name_alg, command.s2), "big") % curve.p
        base = x, int.from_bytes(command.y2, "big")
        require(curve.holds(base), TPM_RC.ECC_POINT, "s2")
    given = command.p1 if command.p1 is not None else NO_POINT
    point = ecc.to_point(curve, given) if given != NO_POINT else None
    require(given == NO_POINT or point is not None, TPM_RC.ECC_POINT, "p1")
    assert key.sensitive is not None
    secret = derive_commitment(tpm, curve, tpm.commit_counter & 0xFFFF, key.name)
    k = l_point = e = NO_POINT
    if base is not None:
        k = ecc.point_of(curve, curve.multiply(int.from_bytes(key.sensitive.sensitive, "big"), base))
        l_point = ecc.point_of(curve, curve.multiply(secret, base))
    if point is not None or base is None:
        e = ecc.point_of(curve, curve.multiply(secret, point or curve.g))
    return Commit.Response(k, l_point, e, open_commitment(tpm))


@handles(EC_Ephemeral)
def ec_ephemeral(tpm: TpmState, command: EC_Ephemeral) -> EC_Ephemeral.Response:
    """Creates an ephemeral key for one key exchange, and returns (public point, counter) (TPM2_EC_Ephemeral)."""
    curve = ecc.CURVES.get(command.curve_id)
    if curve is None:
        raise Refusal(TPM_RC.CURVE, "curve_id")
    counter = open_commitment(tpm)
    point = curve.multiply(derive_commitment(tpm, curve, counter), curve.g)
    return EC_Ephemeral.Response(ecc.point_of(curve, point), counter)


@handles(ZGen_2Phase)
def z_gen_2_phase(tpm: TpmState, command: ZGen_2Phase) -> ZGen_2Phase.Response:
    """Returns the points that the static and ephemeral keys of two parties share (TPM2_ZGen_2Phase)."""
    key = tpm.key(command.key_a)
    parameters = key.public.parameters
    if not isinstance(parameters, TPMS_ECC_PARMS):
        raise Refusal(TPM_RC.KEY, "key_a")
    usable = key.has(TPMA_OBJECT.DECRYPT) and not key.has(TPMA_OBJECT.RESTRICTED)
    require(usable, TPM_RC.ATTRIBUTES, "key_a")
    own = parameters.scheme.scheme
    require(own in (TPM_ALG.NULL, command.in_scheme), TPM_RC.SCHEME, "in_scheme")
    curve = ecc.CURVES[parameters.curve_id]
    points = []
    for field, given in (("in_qs_b", command.in_qs_b), ("in_qe_b", command.in_qe_b)):
        point = ecc.to_point(curve, given) if given is not None else None
        if point is None:
            raise Refusal(TPM_RC.ECC_POINT, field)
        points.append(point)
    require(command.counter in tpm.open_commits, TPM_RC.VALUE, "counter")
    assert key.sensitive is not None
    static = int.from_bytes(key.sensitive.sensitive, "big")
    ephemeral = derive_commitment(tpm, curve, command.counter)
    if command.in_scheme == TPM_ALG.ECDH:
        first: Any = curve.multiply(static, points[0])
        second = ecc.point_of(curve, curve.multiply(ephemeral, points[1]))
    else:
        exchange = exchange_mqv if command.in_scheme == TPM_ALG.ECMQV else exchange_sm2
        first, second = exchange(curve, static, ephemeral, points[0], points[1]), NO_POINT
        if first is None:
            raise Refusal(TPM_RC.NO_RESULT)
    close_commitment(tpm, command.counter)
    return ZGen_2Phase.Response(ecc.point_of(curve, first), second)
