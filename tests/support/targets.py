"""Hosts that keys are wrapped for, as `tpmwire export-public` prints them; their keys are made in software."""

import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from cli.keys.targets import Target
from tests.support.makers import Issued, chain, pem
from tpmwire.keys.templates import ek_ecc, h2_primary
from tpmwire.spec.structures import TPMS_ECC_POINT

__all__ = ["ENDORSEMENT", "OWNER", "SECRET", "host", "write_chain", "write_target"]

SECRET = b"wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEYxx"
OWNER, ENDORSEMENT = 0x40000001, 0x4000000B


def host(called: str, **changed: Any) -> dict[str, Any]:
    """A line of the fleet, as `tpmwire export-public` prints it."""
    numbers = ec.generate_private_key(ec.SECP256R1()).public_key().public_numbers()
    point = TPMS_ECC_POINT(numbers.x.to_bytes(32, "big"), numbers.y.to_bytes(32, "big"))
    fields: dict[str, Any] = json.loads(Target(called, "h2", OWNER, h2_primary().replace(unique=point)).to_json())
    return {**fields, **changed}


def write_chain(tmp_path: Path) -> dict[str, bytes]:
    """Writes web-1.json and maker-ca.pem, and returns the certificates."""
    specs = chain()
    made = {
        "root": Issued(specs["root"], specs["root"]).der,
        "intermediate": Issued(specs["intermediate"], specs["root"]).der,
        "leaf": Issued(specs["leaf"], specs["intermediate"]).der,
    }
    write_target(tmp_path, specs["leaf"].key, pem(made["leaf"]).decode())
    (tmp_path / "maker-ca.pem").write_bytes(pem(made["root"], made["intermediate"]))
    return made


def write_target(tmp_path: Path, key: object, certificate: str) -> None:
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    numbers = key.public_key().public_numbers()
    point = TPMS_ECC_POINT(numbers.x.to_bytes(32, "big"), numbers.y.to_bytes(32, "big"))
    target = Target("web-1", "ek-ecc", ENDORSEMENT, ek_ecc().replace(unique=point), certificate)
    (tmp_path / "web-1.json").write_text(target.to_json())
