"""TPM commands of a use of a key on /dev/tpm0 and behind /dev/tpmrm0: `python -m tests.bench.devices`.

A model of the kernel's resource manager counts the commands at the chip (tests/support/resource_manager.py). Their
times are computed from published ones, as in `chips`: a context swap costs one exchange there, and more in fact.
"""

import tempfile
from pathlib import Path

from tests.bench.chips import CHIPS, milliseconds
from tests.support import keys
from tests.support.bench import DATE, Bench, bench
from tests.support.modes import step
from tests.support.resource_manager import ResourceManager
from tpmwire.spec.commands.context import EvictControl
from tpmwire.spec.constants import TPM_RH
from tpmwire.tpm import Tpm
from tpmwire.use.hmac import HmacKey

SHOWN = ("Infineon SLB9670", "Infineon SLB9672", "ST33KTPM2X", "Nuvoton NPCT750")


def main() -> None:
    """Prints the table."""
    print(f"{'commands, and their time in ms on':34}" + "".join(f"{name:>18}" for name in SHOWN))
    with tempfile.TemporaryDirectory() as name, bench(Path(name)) as made:
        _print(made, "handle, in clear", HmacKey(handle=keys.PLAIN_HANDLE, protected=False))
        _print(made, "handle", HmacKey(handle=keys.PLAIN_HANDLE))
        _print(made, "file, in clear", HmacKey(file=made.file("plain"), protected=False))
        _print(made, "file", HmacKey(file=made.file("plain")))
        _print(made, "file under the storage root key", HmacKey(file=made.file("plain-srk")))
        with Tpm.open(made.bus.target, 20) as tpm:
            tpm.execute(EvictControl(TPM_RH.OWNER, keys.SRK_HANDLE, keys.SRK_HANDLE))
        _print(made, "handle, without storage root key", HmacKey(handle=keys.PLAIN_HANDLE))


def _print(made: Bench, way: str, key: HmacKey) -> None:
    made.run(key)
    manager = ResourceManager(made.bus.target)
    with Tpm(manager, for_one_use=True) as tpm:
        key.hmac(tpm, DATE)
    print(way)
    for device, pairs in (("/dev/tpm0", made.bus.dialogue), ("/dev/tpmrm0", manager.dialogue)):
        commands = [step(pair) for pair in pairs]
        times = "".join(f"{milliseconds(commands, CHIPS[name]):18.1f}" for name in SHOWN)
        print(f"    {device:12}{len(commands):4} commands{'':5}{times}")


if __name__ == "__main__":
    main()
