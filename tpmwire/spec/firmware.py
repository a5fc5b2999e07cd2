"""The firmware version of a TPM, from the TPM's properties."""

__all__ = ["INFINEON", "firmware_version"]

INFINEON = int.from_bytes(b"IFX\0", "big")
"""TPM_PT_MANUFACTURER of Infineon."""


def firmware_version(first: int, second: int, manufacturer: int = 0) -> str:
    """Returns the firmware version as manufacturers and Windows write it: four numbers, such as 7.85.4555.0.

    `first` and `second` are TPM_PT_FIRMWARE_VERSION_1 and _2, `manufacturer` is TPM_PT_MANUFACTURER. Each version
    property has two numbers of 16 bits (Part 2, §6.13). The second property of Infineon has numbers of 24 and 8
    bits.
    """
    bits = 8 if manufacturer == INFINEON else 16
    return f"{first >> 16}.{first & 0xFFFF}.{second >> bits}.{second & (1 << bits) - 1}"
