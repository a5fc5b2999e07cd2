"""Random uses of keys that both TPMs of `soft_pair` have: signatures, ciphers, sequences, exchanges of points.

The private parts are known, so that both TPMs return equal values or verify what the other one signed.
"""

import hashlib
from typing import Any

from tests.support.soft_pair_core import BASE_POINT, NO_KDF, NO_POINT, NO_SCHEME, NO_SYMMETRIC, scheme_of
from tests.support.soft_pair_wide import RSA, WidePair
from tpmwire import commands
from tpmwire.crypto.formulas import digest_size
from tpmwire.sessions import SessionStart
from tpmwire.soft import ecc
from tpmwire.spec.constants import TPM_ALG, TPM_ECC, TPM_RH, TPM_SE, TPM_ST, TPMA_OBJECT
from tpmwire.spec.structures import (
    TPMS_ECC_PARMS,
    TPMS_KEYEDHASH_PARMS,
    TPMS_RSA_PARMS,
    TPMS_SCHEME_ECDAA,
    TPMS_SCHEME_HASH,
    TPMS_SENSITIVE_CREATE,
    TPMS_SYMCIPHER_PARMS,
    TPMT_ECC_SCHEME,
    TPMT_KEYEDHASH_SCHEME,
    TPMT_PUBLIC,
    TPMT_RSA_DECRYPT,
    TPMT_RSA_SCHEME,
    TPMT_SENSITIVE,
    TPMT_SYM_DEF,
    TPMT_SYM_DEF_OBJECT,
    TPMT_TK_HASHCHECK,
)

__all__ = ["NO_TICKET", "KeyPair"]

A = TPMA_OBJECT
HASHES = (TPM_ALG.SHA1, *[TPM_ALG.SHA256] * 3, TPM_ALG.SHA384, TPM_ALG.SHA512)
CURVES = (*[TPM_ECC.NIST_P256] * 4, TPM_ECC.NIST_P384, TPM_ECC.NIST_P521, TPM_ECC.NIST_P224, TPM_ECC.SM2_P256)
SIGNERS = (
    *[TPM_ALG.RSASSA] * 2,
    TPM_ALG.RSAPSS,
    *[TPM_ALG.ECDSA] * 2,
    TPM_ALG.ECSCHNORR,
    TPM_ALG.SM2,
    *[TPM_ALG.HMAC] * 2,
)
MODES = (TPM_ALG.CFB, TPM_ALG.CBC, TPM_ALG.CTR, TPM_ALG.OFB, TPM_ALG.ECB)
NO_TICKET = TPMT_TK_HASHCHECK(TPM_ST.HASHCHECK, TPM_RH.NULL, b"")
PRIVATE = int.from_bytes(hashlib.sha256(b"a private key").digest(), "big")
OWN_PASSWORD = b"own"


def point_of(number: TPM_ECC) -> Any:
    """Returns the public key of PRIVATE on a curve, as TPMS_ECC_POINT."""
    curve = ecc.CURVES[number]
    return ecc.point_of(curve, curve.multiply(PRIVATE % curve.n, curve.g))


POINTS = {number: point_of(number) for number in set(CURVES)}


class KeyPair(WidePair):
    """Two TPMs that get commands with keys that both have. A few arguments are wrong."""

    def __init__(self, seed: int, swtpm: Any, soft: Any) -> None:
        super().__init__(seed, swtpm, soft)
        self._other_actions = self._actions
        self._actions = [getattr(self, name) for name in dir(self) if name.startswith("use_")]

    def run(self, steps: int) -> None:
        """Executes random scenarios, each with about ten commands, and a few other commands between them."""
        for _ in range(steps // 8):
            self._flush_all()
            for _ in range(self.random.randrange(3)):
                self.random.choice(self._other_actions)()
            self._flush_all()
            self.random.choice(self._actions)()

    # Helpers.

    def _spoil(self, data: bytes, probability: float = 0.04) -> bytes:
        """Returns the data, or rarely the data with a changed, missing or additional byte."""
        if not self._chance(probability):
            return data
        at = self.random.randrange(len(data) + 1)
        return self.random.choice(
            (data[:at] + b"\xa5" + data[at + 1 :], data[:-1], data + b"\0", b"", data[:at] + b"\0" + data[at:])
        )

    def _expect(self, name: str, first: Any, second: Any) -> None:
        if first != second:
            self.differences.append(f"{self.count}: {name}: {first!r} {second!r}")

    def _data(self, largest: int = 100) -> bytes:
        return self.random.randbytes(self.random.choice((0, 1, 16, 32, self.random.randrange(largest + 1))))

    def _load_key(self, public: TPMT_PUBLIC, secret: bytes) -> int:
        """Loads a key with its private part in both TPMs, and returns its handle, or 0 if they refuse it."""
        auth = self.random.choice((b"", OWN_PASSWORD))
        seed = b"" if public.type in (TPM_ALG.RSA, TPM_ALG.ECC) and self._chance(0.5) else bytes(range(32))
        if public.type in (TPM_ALG.KEYEDHASH, TPM_ALG.SYMCIPHER):
            seed = bytes(range(digest_size(public.name_alg)))
            public = public.replace(unique=hashlib.new(public.name_alg.name.lower(), seed + secret).digest())
        private = TPMT_SENSITIVE(public.type, auth, seed, self._spoil(secret, 0.02))
        hierarchy = TPM_RH.NULL if self._chance(0.98) else TPM_RH.OWNER
        made = self.both(lambda _: commands.LoadExternal(private, public, hierarchy), compare=lambda r: r.name)
        self._note_loaded(made, auth)
        return made[0].object_handle if made is not None else 0

    def _attributes(self, wanted: A | None = None) -> A:
        if wanted is None:
            return super()._attributes()
        found = wanted | A.USER_WITH_AUTH
        return found | A.NO_DA if self._chance(0.5) else found

    def _signer(self, alg: TPM_ALG, hash_alg: TPM_ALG, *, fixed: bool) -> int:
        """Loads a key for a signature scheme. With `fixed`, the scheme is the key's."""
        attributes = self._attributes(A.SIGN_ENCRYPT)
        named = TPMS_SCHEME_HASH(hash_alg)
        name_alg = self.random.choice(HASHES)
        if alg == TPM_ALG.HMAC:
            scheme = TPMT_KEYEDHASH_SCHEME(alg, named) if fixed else TPMT_KEYEDHASH_SCHEME(TPM_ALG.NULL)
            public = TPMT_PUBLIC(TPM_ALG.KEYEDHASH, name_alg, attributes, b"", TPMS_KEYEDHASH_PARMS(scheme), b"")
            return self._load_key(public, bytes(range(self.random.choice((16, 20, 32, 64)))))
        if alg in (TPM_ALG.RSASSA, TPM_ALG.RSAPSS):
            rsa = TPMT_RSA_SCHEME(alg, named) if fixed else TPMT_RSA_SCHEME(TPM_ALG.NULL)
            parameters: Any = TPMS_RSA_PARMS(NO_SYMMETRIC, rsa, 2048, 0)
            modulus = RSA.modulus.to_bytes(256, "big")
            public = TPMT_PUBLIC(TPM_ALG.RSA, name_alg, attributes, b"", parameters, modulus)
            return self._load_key(public, RSA.prime.to_bytes(128, "big"))
        return self._curve(attributes, hash_alg, alg, fixed=fixed)

    def _curve(self, attributes: A, hash_alg: TPM_ALG, alg: TPM_ALG, *, fixed: bool) -> int:
        named: Any = TPMS_SCHEME_ECDAA(hash_alg, 0) if alg == TPM_ALG.ECDAA else TPMS_SCHEME_HASH(hash_alg)
        scheme = TPMT_ECC_SCHEME(alg, named) if fixed else TPMT_ECC_SCHEME(TPM_ALG.NULL)
        self.curve = self.random.choice(CURVES)
        parameters = TPMS_ECC_PARMS(NO_SYMMETRIC, scheme, self.curve, NO_KDF)
        public = TPMT_PUBLIC(
            TPM_ALG.ECC, self.random.choice(HASHES), attributes, b"", parameters, POINTS[self.curve]
        )
        size = ecc.CURVES[self.curve].size
        return self._load_key(public, (PRIVATE % ecc.CURVES[self.curve].n).to_bytes(size, "big"))

    # Signatures and keyed hashes.

    def use_signature(self) -> None:
        alg, hash_alg = self.random.choice(SIGNERS), self.random.choice(HASHES)
        fixed = self._chance(0.5)
        key = self._signer(alg, hash_alg, fixed=fixed)
        if not key:
            return
        for _ in range(3):
            scheme = NO_SCHEME if fixed and self._chance(0.6) else scheme_of(alg, hash_alg)
            scheme = scheme_of(alg, self.random.choice(HASHES)) if self._chance(0.08) else scheme
            digest = self._spoil(self.random.randbytes(digest_size(hash_alg)))
            command = commands.Sign(key, digest, scheme, NO_TICKET)
            exact = alg in (TPM_ALG.RSASSA, TPM_ALG.HMAC)
            made = self.both(
                lambda _, command=command: command,
                self._auth(key),
                compare=(lambda r: r.signature) if exact else (lambda _: None),
            )
            if made is None:
                continue
            verified = self._spoil(digest)
            self.both(
                lambda side, made=made, verified=verified: commands.VerifySignature(
                    key, verified, made[1 - side].signature
                ),
                compare=lambda r: r.validation,
            )

    def use_hmac(self) -> None:
        hash_alg, cmac = self.random.choice(HASHES), self._chance(0.3)
        if cmac:
            attributes = self._attributes(A.SIGN_ENCRYPT)
            cipher = TPMT_SYM_DEF_OBJECT(TPM_ALG.AES, 128, TPM_ALG.CMAC)
            public = TPMT_PUBLIC(
                TPM_ALG.SYMCIPHER, TPM_ALG.SHA256, attributes, b"", TPMS_SYMCIPHER_PARMS(cipher), b""
            )
            key = self._load_key(public, bytes(range(16)))
        else:
            key = self._signer(TPM_ALG.HMAC, hash_alg, fixed=self._chance(0.7))
        if not key:
            return
        for _ in range(2):
            data, alg = self._data(1024), self.random.choice((TPM_ALG.NULL, TPM_ALG.NULL, hash_alg, TPM_ALG.CMAC))
            command = commands.HMAC(key, data, alg)
            self.both(lambda _, command=command: command, self._auth(key), compare=vars)
        auth = self._password()
        alg = self.random.choice((TPM_ALG.NULL, hash_alg, TPM_ALG.CMAC))
        started = self.both(lambda _: commands.HMAC_Start(key, auth, alg), self._auth(key))
        self._note_loaded(started, auth)
        if started is not None:
            # swtpm ends when it continues a CMAC sequence whose context was loaded.
            self._feed(started[0].sequence_handle, saved=not cmac)

    def _feed(self, sequence: int, *, saved: bool = True) -> list[Any] | None:
        for _ in range(self.random.randrange(4)):
            if saved and self._chance(0.1):
                sequence = self._save_and_load(sequence)
            command = commands.SequenceUpdate(sequence, self._data(1024))
            self.both(lambda _, command=command: command, self._auth(sequence))
        end = commands.SequenceComplete(
            sequence, self._data(1024), self.random.choice((TPM_RH.OWNER, TPM_RH.NULL))
        )
        made = self.both(
            lambda _: end,
            self._auth(sequence),
            compare=lambda r: (r.result, r.validation.hierarchy, len(r.validation.digest)),
        )
        if made is not None and sequence in self._loaded:
            self._loaded.remove(sequence)
        return made

    def _save_and_load(self, handle: int) -> int:
        """Saves and loads the context of an object, and flushes the object in between."""
        saved = self.both(lambda _: commands.ContextSave(handle))
        if saved is None:
            return handle
        self.both(lambda _: commands.FlushContext(handle))
        loaded = self.both(
            lambda side: commands.ContextLoad(saved[side].context), compare=lambda r: r.loaded_handle
        )
        if loaded is None:
            return handle
        self._auths[loaded[0].loaded_handle] = self._auths.get(handle, b"")
        self._loaded = [loaded[0].loaded_handle if one == handle else one for one in self._loaded]
        return int(loaded[0].loaded_handle)

    def use_hash_sequence(self) -> None:
        auth, alg = self._password(), self.random.choice((*HASHES, TPM_ALG.NULL))
        started = self.both(lambda _: commands.HashSequenceStart(auth, alg))
        self._note_loaded(started, auth)
        if started is None:
            return
        sequence = started[0].sequence_handle
        if alg != TPM_ALG.NULL:
            self._sign_with_ticket(self._feed(sequence))
            return
        command = commands.SequenceUpdate(sequence, self._data(1024))
        self.both(lambda _: command, self._auth(sequence))
        pcr, data = self.random.choice((16, 23, 1, TPM_RH.NULL, 17)), self._data(1024)
        end = commands.EventSequenceComplete(pcr, sequence, data)
        self.both(lambda _: end, self._auth(pcr), self._auth(sequence), compare=lambda r: r.results)

    def _sign_with_ticket(self, hashed: list[Any] | None) -> None:
        """Signs a hash of the TPM with a restricted key, which needs the hash's ticket."""
        if hashed is None:
            return
        key = self._restricted(TPM_RH.OWNER)
        if key:
            self.both(
                lambda side: commands.Sign(key, hashed[side].result, NO_SCHEME, hashed[side].validation),
                self._auth(key),
            )

    def _restricted(self, hierarchy: int) -> int:
        """Creates a restricted signing key, which is different in each TPM. Returns its handle or 0."""
        attributes = A.FIXED_TPM | A.FIXED_PARENT | A.SENSITIVE_DATA_ORIGIN | A.RESTRICTED | A.SIGN_ENCRYPT
        scheme = TPMT_ECC_SCHEME(TPM_ALG.ECDSA, TPMS_SCHEME_HASH(TPM_ALG.SHA256))
        parameters: Any = TPMS_ECC_PARMS(NO_SYMMETRIC, scheme, TPM_ECC.NIST_P256, NO_KDF)
        public = TPMT_PUBLIC(TPM_ALG.ECC, TPM_ALG.SHA256, attributes | A.USER_WITH_AUTH, b"", parameters, NO_POINT)
        return self._create_primary(hierarchy, public)

    def _create_primary(self, hierarchy: int, public: TPMT_PUBLIC) -> int:
        auth = self._password()
        sensitive = commands.CreatePrimary(hierarchy, TPMS_SENSITIVE_CREATE(auth, b""), public)
        made = self.both(
            lambda _: sensitive,
            self._auth(hierarchy),
            compare=lambda r: (
                r.out_public.replace(unique=public.unique),
                r.creation_data,
                r.creation_ticket.hierarchy,
            ),
        )
        self._note_loaded(made, auth)
        self.primary = made
        return made[0].object_handle if made is not None else 0

    # Ciphers.

    def use_cipher(self) -> None:
        mode = self.random.choice(MODES)
        attributes = self._attributes(A.SIGN_ENCRYPT | A.DECRYPT)
        bits = self.random.choice((128, 256))
        cipher = TPMT_SYM_DEF_OBJECT(TPM_ALG.AES, bits, mode if self._chance(0.7) else TPM_ALG.NULL)
        public = TPMT_PUBLIC(
            TPM_ALG.SYMCIPHER, self.random.choice(HASHES), attributes, b"", TPMS_SYMCIPHER_PARMS(cipher), b""
        )
        key = self._load_key(public, bytes(range(bits // 8)))
        if not key:
            return
        iv = b"" if mode == TPM_ALG.ECB else self.random.randbytes(16)
        for _ in range(4):
            size = 16 * self.random.randrange(1, 65) if self._chance(0.6) else self.random.randrange(1, 1025)
            data, chosen = self.random.randbytes(size), mode if self._chance(0.9) else self.random.choice(MODES)
            decrypt, given = self._chance(0.5), self._spoil(iv)
            command = commands.EncryptDecrypt2(key, data, decrypt, chosen, given)
            if self._chance(0.4):
                command = commands.EncryptDecrypt(key, decrypt, chosen, given, data)  # type: ignore[assignment]
            # swtpm fills ivOut with key stream after a partial block in CFB mode, where the standard has zeros.
            partial = TPM_ALG.CFB in (chosen, mode) and size % 16
            made = self.both(
                lambda _, command=command: command,
                self._auth(key),
                compare=(lambda r: r.out_data) if partial else vars,
            )
            iv = made[0].iv_out if made is not None else iv

    def use_rsa(self) -> None:
        alg, hash_alg = self.random.choice((TPM_ALG.RSAES, TPM_ALG.OAEP, TPM_ALG.NULL)), self.random.choice(HASHES)
        details = TPMS_SCHEME_HASH(hash_alg)
        schemes = {TPM_ALG.OAEP: TPMT_RSA_SCHEME(alg, details)}
        fixed = alg != TPM_ALG.NULL and self._chance(0.5)
        scheme = schemes.get(alg, TPMT_RSA_SCHEME(alg)) if fixed else TPMT_RSA_SCHEME(TPM_ALG.NULL)
        parameters = TPMS_RSA_PARMS(NO_SYMMETRIC, scheme, 2048, 0)
        modulus = RSA.modulus.to_bytes(256, "big")
        public = TPMT_PUBLIC(TPM_ALG.RSA, TPM_ALG.SHA256, self._attributes(A.DECRYPT), b"", parameters, modulus)
        key = self._load_key(public, RSA.prime.to_bytes(128, "big"))
        if not key:
            return
        padding = TPMT_RSA_DECRYPT(alg, details) if alg == TPM_ALG.OAEP else TPMT_RSA_DECRYPT(alg)
        padding = TPMT_RSA_DECRYPT(TPM_ALG.NULL) if fixed and self._chance(0.5) else padding
        for _ in range(3):
            label = self.random.choice((b"", b"", b"", b"label\0", b"label"))
            message = self.random.randbytes(self.random.choice((0, 1, 32, 100, 190, 245)))
            message = b"\0" + self.random.randbytes(255) if alg == TPM_ALG.NULL else message
            made = self.both(
                lambda _, message=message, label=label: commands.RSA_Encrypt(key, message, padding, label),
                compare=lambda r: r.out_data if alg == TPM_ALG.NULL else len(r.out_data),
            )
            if made is not None:
                self.both(
                    lambda side, made=made, label=label: commands.RSA_Decrypt(
                        key, made[1 - side].out_data, padding, label
                    ),
                    self._auth(key),
                    compare=vars,
                )

    # Points.

    def use_point(self) -> None:
        key = self._curve(self._attributes(A.DECRYPT), TPM_ALG.SHA256, TPM_ALG.ECDH, fixed=self._chance(0.5))
        if not key:
            return
        curve = ecc.CURVES[self.curve]
        point = ecc.point_of(curve, curve.multiply(self.random.randrange(1, curve.n), curve.g))
        point = point.replace(x=self._spoil(point.x)) if self._chance(0.3) else point
        self.both(lambda _: commands.ECDH_ZGen(key, point), self._auth(key), compare=vars)
        made = self.both(lambda _: commands.ECDH_KeyGen(key))
        if made is not None:
            shared = self.both(lambda side: commands.ECDH_ZGen(key, made[side].pub_point), self._auth(key))
            if shared is not None:
                self._expect("ECDH", [r.out_point for r in shared], [r.z_point for r in made])
        begun = self.both(lambda _: commands.EC_Ephemeral(self.curve), compare=lambda r: (r.counter, len(r.q.x)))
        if begun is None:
            return
        counter = begun[0].counter if self._chance(0.9) else begun[0].counter - 1
        ended = self.both(
            lambda side: commands.ZGen_2Phase(key, POINTS[self.curve], begun[1 - side].q, TPM_ALG.ECDH, counter),
            self._auth(key),
        )
        if ended is not None and counter == begun[0].counter:
            self._expect("ZGen_2Phase", *[(r.out_z1, r.out_z2) for r in ended])

    def use_commit(self) -> None:
        key = self._curve(self._attributes(A.SIGN_ENCRYPT), TPM_ALG.SHA256, TPM_ALG.ECDAA, fixed=self._chance(0.8))
        if not key:
            return
        curve = ecc.CURVES[self.curve]
        for _ in range(2):
            s2, y2 = (b"", b"") if self._chance(0.3) else self._second_point(curve)
            p1 = NO_POINT if self._chance(0.3) else ecc.point_of(curve, curve.multiply(7, curve.g))
            p1 = BASE_POINT if self._chance(0.05) else p1
            made = self.both(
                lambda _, p1=p1, s2=s2, y2=y2: commands.Commit(key, p1, s2, y2),
                self._auth(key),
                compare=lambda r: (r.k, r.counter, len(r.l.x), len(r.e.x)),
            )
            if made is None:
                continue
            counter = made[0].counter if self._chance(0.8) else self.random.randrange(5)
            command = commands.Sign(key, bytes(32), scheme_of(TPM_ALG.ECDAA, TPM_ALG.SHA256, counter), NO_TICKET)
            self.both(lambda _, command=command: command, self._auth(key))

    def _second_point(self, curve: Any) -> tuple[bytes, bytes]:
        """Returns s2 and y2 of TPM2_Commit: a point whose x coordinate is the hash of s2, if there is one."""
        if curve.p % 4 != 3:
            return b"s2", b"y2"
        while True:
            s2 = self.random.randbytes(4)
            x = int.from_bytes(hashlib.sha256(s2).digest(), "big") % curve.p
            y = pow(x**3 - 3 * x + curve.b, (curve.p + 1) // 4, curve.p)
            if curve.holds((x, y)):
                return s2, y.to_bytes(curve.size, "big")

    # Sessions.

    def use_session(self) -> None:
        """Uses an HMAC key under a session that encrypts, audits, is bound, or is saved in between."""
        hash_alg = self.random.choice(HASHES)
        key = self._signer(TPM_ALG.HMAC, hash_alg, fixed=True)
        if not key:
            return
        bits = self.random.choice((128, 256))
        cipher = self.random.choice(
            (TPMT_SYM_DEF(TPM_ALG.AES, bits, TPM_ALG.CFB), TPMT_SYM_DEF(TPM_ALG.XOR, TPM_ALG.SHA256))
        )
        alg = self.random.choice(HASHES)
        sessions = self._start(lambda: SessionStart(TPM_SE.HMAC, alg, cipher))
        if sessions is None:
            return
        handle = sessions[0].handle
        for _ in range(5):
            auth = self._auths[key] if self._chance(0.9) else b"wrong"
            flags = {name: self._chance(0.5) for name in ("encrypt", "decrypt", "audit")}
            flags |= {"keep": self._chance(0.95), "audit_exclusive": self._chance(0.1)}
            data = self._data(200)
            made = self.both(
                lambda _, data=data: commands.HMAC(key, data, TPM_ALG.NULL),
                lambda side, auth=auth, flags=flags: sessions[side].use(auth, **flags),
                compare=vars,
            )
            if made is not None and not flags["keep"]:
                return
            if self._chance(0.2):
                saved = self.both(lambda _: commands.ContextSave(handle))
                if saved is None:
                    return
                self.both(
                    lambda side, saved=saved: commands.ContextLoad(saved[side].context),
                    compare=lambda r: r.loaded_handle,
                )
            if self._chance(0.3):
                signer = self.random.choice((key, TPM_RH.NULL))
                self.both(
                    lambda _, signer=signer: commands.GetSessionAuditDigest(
                        TPM_RH.ENDORSEMENT, signer, handle, b"nonce", NO_SCHEME
                    ),
                    self._auth(TPM_RH.ENDORSEMENT),
                    self._auth(signer),
                    compare=lambda r: len(r.audit_info),
                )
        self._flush_session(handle)
