"""What a run's TPM commands take on real chips, reckoned: `python -m tests.bench.chips`.

Nobody has published times of TPM2_HMAC or TPM2_Load, so a command costs here what its slowest published part does:
one exchange at least, and a key generated, an ECDH point or an RSA decryption where it has one. Both programs'
lists are reckoned alike. Chips' times are those of wolfTPM's README ("Benchmark", parameter encryption off).
The Go program's commands were recorded on swtpm (commit 497f983), ours are those that
tests/swtpm/test_hmac_key.py and tests/aws/test_cache.py assert.
"""

__all__ = ["main"]

# Milliseconds: GetRandom of 32 octets, an ECC P-256 key, an RSA-2048 key, ECDH, an RSA decryption.
CHIPS = {
    "Infineon SLB9670": (2.2, 231, 2196, 232, 163),
    "Infineon SLB9672": (1.4, 136, 1568, 66, 77),
    "Infineon SLB9673 (I2C)": (11, 311, 1911, 114, 168),
    "ST33KTPM2X": (1.4, 89, 1944, 66, 91),
    "ST33TPHF2X": (2.3, 220, 7455, 247, 248),
    "Microchip ATTPM20": (29, 153, 5276, 64, 118),
    "Nations Z32H330": (2.8, 52, 2184, 39, 133),
    "Nations NS350": (5.5, 52, 2379, 27, 52),
    "Nuvoton NPCT650": (5.0, 148, 4479, 176, 541),
    "Nuvoton NPCT750": (2.2, 84, 3409, 29, 70),
    "Jetson Orin fTPM": (0.06, 120, 736, 90, 12),
}

# "5 ecc ecdh": five commands, of which one makes an ECC key and one decrypts a salt.
WAYS: dict[str, tuple[str, str]] = {
    "handle, in clear": ("1", "4"),
    "handle, in clear, warm": ("1", "4"),
    "handle, encrypted": ("3 ecdh", "7 rsa"),
    "handle, encrypted, warm": ("3 ecdh", "7 rsa"),
    "PCR, in clear": ("3", "7"),
    "PCR, encrypted": ("5 ecdh", "10 rsa"),
    "file, in clear": ("5 ecc", "8 ecc"),
    "file, encrypted": ("6 ecc ecdh", "11 ecc rsa"),
    "file under a persistent key, in clear": ("3", "8 ecc"),
    "file under a persistent key, encrypted": ("5 ecdh", "11 ecc rsa"),
    "warm by the boot's key, in clear": ("3", "4"),
    "handle, in clear, first of a cache": ("2", "4"),
    "handle, encrypted, first of a cache": ("6 ecdh ecdh", "7 rsa"),
    "file, in clear, first of a cache": ("10 ecc ecc", "8 ecc"),
    "file, encrypted, first of a cache": ("12 ecc ecc ecdh ecdh", "11 ecc rsa"),
}
"""A way: our commands and the Go program's. It salts nothing, so its "encrypted" has no ECDH, and makes the RSA
endorsement key each time; of a file it then runs out of object slots. It has no parent but the hierarchy's, and no
cache."""


def milliseconds(commands: str, chip: tuple[float, ...]) -> float:
    """What a list such as "5 ecc ecdh" takes on a chip."""
    number, *parts = commands.split()
    floor, ecc, rsa, ecdh, _ = chip
    cost = {"ecc": ecc, "rsa": rsa, "ecdh": ecdh}
    return int(number) * floor + sum(cost[part] for part in parts)


def main() -> None:
    """Prints milliseconds of TPM time per run: ours / the Go program's, and where we are not ahead."""
    behind = []
    for way, (ours, theirs) in WAYS.items():
        print(f"{way}: {ours} here, {theirs} in Go")
        for name, chip in CHIPS.items():
            mine, other = milliseconds(ours, chip), milliseconds(theirs, chip)
            print(f"    {name:26}{mine:9.1f} / {other:9.1f} ms")
            if mine >= other:
                behind.append(f"{way} on {name}")
        print()
    print("not ahead: " + ("; ".join(behind) if behind else "nowhere"))
    # The Go program's option hides nothing on the bus; what hiding costs us over its way in clear:
    for name, chip in CHIPS.items():
        more = milliseconds(WAYS["handle, encrypted"][0], chip) - milliseconds(WAYS["handle, in clear"][1], chip)
        print(f"    {name:26}{more:+9.1f} ms for our encrypted run against its run in clear, per handle")


if __name__ == "__main__":
    main()
