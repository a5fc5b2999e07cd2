"""Event types in TCG event logs (TCG PC Client Platform Firmware Profile, §10.4.1), and the usage of each PCR."""

__all__ = ["EVENT_TYPES", "EV_EFI_HCRTM_EVENT", "EV_NO_ACTION", "PCR_USES", "event_name"]

EV_NO_ACTION = 3
EV_EFI_HCRTM_EVENT = 0x80000010

EVENT_TYPES = {
    0: ("EV_PREBOOT_CERT", "reserved"),
    1: ("EV_POST_CODE", "firmware code that ran at power-on"),
    2: ("EV_UNUSED", "reserved"),
    3: ("EV_NO_ACTION", "information; extends no PCR"),
    4: ("EV_SEPARATOR", "end of the firmware's measurements in this PCR before the boot loader"),
    5: ("EV_ACTION", "an action of the firmware"),
    6: ("EV_EVENT_TAG", "a tagged event of the platform or the operating system"),
    7: ("EV_S_CRTM_CONTENTS", "contents of the first code, the root of trust for measurement"),
    8: ("EV_S_CRTM_VERSION", "version of the first code, the root of trust for measurement"),
    9: ("EV_CPU_MICROCODE", "a microcode update of the CPU"),
    10: ("EV_PLATFORM_CONFIG_FLAGS", "settings of the platform"),
    11: ("EV_TABLE_OF_DEVICES", "a table of devices"),
    12: ("EV_COMPACT_HASH", "a hash whose meaning its creator defines"),
    13: ("EV_IPL", "code or a command of the boot loader"),
    14: ("EV_IPL_PARTITION_DATA", "data of the boot partition"),
    15: ("EV_NONHOST_CODE", "code of another processor"),
    16: ("EV_NONHOST_CONFIG", "settings of another processor"),
    17: ("EV_NONHOST_INFO", "the presence of another processor"),
    18: ("EV_OMIT_BOOT_DEVICE_EVENTS", "the firmware measures no attempts to boot devices"),
    19: ("EV_POST_CODE2", "firmware code that ran at power-on, with a description"),
    0x401: ("EVTYPE_PCR_MAPPING", "the mapping of PCRs (Intel TXT)"),
    0x402: ("EVTYPE_HASH_START", "the start of the measured launch (Intel TXT)"),
    0x403: ("EVTYPE_COMBINED_HASH", "a combination of hashes (Intel TXT)"),
    0x404: ("EVTYPE_MLE_HASH", "the measured launched environment (Intel TXT)"),
    0x40A: ("EVTYPE_BIOSAC_REG_DATA", "data of the BIOS authenticated code module (Intel TXT)"),
    0x40B: ("EVTYPE_CPU_SCRTM_STAT", "the status of the CPU's root of trust (Intel TXT)"),
    0x40C: ("EVTYPE_LCP_CONTROL_HASH", "the control field of the launch control policy (Intel TXT)"),
    0x40D: ("EVTYPE_ELEMENTS_HASH", "elements of the launch control policy (Intel TXT)"),
    0x40E: ("EVTYPE_STM_HASH", "the SMI transfer monitor (Intel TXT)"),
    0x40F: ("EVTYPE_OSSINITDATA_CAP_HASH", "capabilities of the operating system (Intel TXT)"),
    0x410: ("EVTYPE_SINIT_PUBKEY_HASH", "the public key of the SINIT module (Intel TXT)"),
    0x411: ("EVTYPE_LCP_HASH", "the launch control policy (Intel TXT)"),
    0x80000001: (
        "EV_EFI_VARIABLE_DRIVER_CONFIG",
        "a UEFI variable with settings, such as the state of Secure Boot",
    ),
    0x80000002: ("EV_EFI_VARIABLE_BOOT", "a UEFI boot variable"),
    0x80000003: ("EV_EFI_BOOT_SERVICES_APPLICATION", "a loaded UEFI application, such as a boot loader"),
    0x80000004: ("EV_EFI_BOOT_SERVICES_DRIVER", "a loaded UEFI driver"),
    0x80000005: ("EV_EFI_RUNTIME_SERVICES_DRIVER", "a loaded UEFI driver that stays at run time"),
    0x80000006: ("EV_EFI_GPT_EVENT", "the partition table of the boot disk"),
    0x80000007: ("EV_EFI_ACTION", "an action of the firmware"),
    0x80000008: ("EV_EFI_PLATFORM_FIRMWARE_BLOB", "a part of the firmware"),
    0x80000009: ("EV_EFI_HANDOFF_TABLES", "tables that the firmware hands to the operating system"),
    0x8000000A: ("EV_EFI_PLATFORM_FIRMWARE_BLOB2", "a part of the firmware, with a description"),
    0x8000000B: ("EV_EFI_HANDOFF_TABLES2", "tables that the firmware hands over, with a description"),
    0x8000000C: ("EV_EFI_VARIABLE_BOOT2", "a UEFI boot variable"),
    0x8000000D: ("EV_EFI_GPT_EVENT2", "the partition table of the boot disk"),
    0x80000010: ("EV_EFI_HCRTM_EVENT", "code that the hardware measured before the first instruction"),
    0x800000E0: ("EV_EFI_VARIABLE_AUTHORITY", "the certificate or hash by which Secure Boot accepted an image"),
    0x800000E1: ("EV_EFI_SPDM_FIRMWARE_BLOB", "firmware of a device, reported by SPDM"),
    0x800000E2: ("EV_EFI_SPDM_FIRMWARE_CONFIG", "settings of a device, reported by SPDM"),
    0x800000E3: ("EV_EFI_SPDM_DEVICE_POLICY", "the policy for devices with SPDM"),
    0x800000E4: ("EV_EFI_SPDM_DEVICE_AUTHORITY", "the certificate by which a device was accepted"),
}
"""Names and meanings of event types."""

PCR_USES = (
    "firmware code",
    "firmware settings",
    "code of option ROMs and drivers",
    "settings of option ROMs and drivers",
    "boot loader and attempts to boot",
    "settings of the boot loader, partition table",
    "events of the platform's maker",
    "Secure Boot",
    "commands and kernel command line (GRUB)",
    "files and initrd (GRUB, Linux)",
    "files that the operating system read (IMA)",
    "unified kernel image (systemd)",
    "kernel command line and credentials (systemd)",
    "system extensions (systemd)",
    "shim's keys and settings",
    "identity of the machine and its file systems (systemd)",
    "debugging",
    *("dynamic root of trust",) * 6,
    "applications",
)
"""The usual contents of each PCR (TCG PC Client Platform Firmware Profile, §3.3.4, and the UAPI registry)."""


def event_name(kind: int) -> str:
    """Returns the name of an event type, or its number in hex."""
    return EVENT_TYPES[kind][0] if kind in EVENT_TYPES else f"0x{kind:08x}"
