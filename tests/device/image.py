"""The appliance's initramfs: busybox, our single file, Python 3.11 and as much of its library as that imports."""

import os
import subprocess
import tempfile
import zipfile
from pathlib import Path

from .cpio import Archive
from .packages import NETWORK_MODULE, unpacked

LOADER = "lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"
LIBRARY_PATHS = ("lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu")
PYTHON = "usr/bin/python3.11"
HERE = Path(__file__).parent

INIT = f"""\
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin:/usr/bin HOME=/root
mount -t proc proc /proc
dmesg -n 1
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
insmod /{NETWORK_MODULE}
ifconfig lo 127.0.0.1 up
ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up
route add default gw 10.0.2.2
python3 /job/guest.py
reboot -f
"""


class Image:
    """Kernel and initramfs of the appliance, built from Debian's packages around one .pyz.

    `kernel` is the path of the kernel, `base` the archive's bytes.
    """

    def __init__(self, pyz: Path) -> None:
        self._root = unpacked()
        (self.kernel,) = (self._root / "boot").glob("vmlinuz-*")
        self.base = self._archive(pyz).dump()

    def initramfs(self, job: dict[str, bytes]) -> bytes:
        """The whole initramfs of one run: the base, and after it the files of `job`, which appear under /job."""
        archive = Archive()
        archive.copy("job/guest.py", HERE / "guest.py")
        for name, content in job.items():
            archive.file(f"job/{name}", content, 0o600)
        return self.base + archive.dump()

    def _archive(self, pyz: Path) -> Archive:
        archive = Archive()
        archive.console()
        for mount_point in ("proc", "sys", "tmp", "root"):
            archive.directory(mount_point)
        archive.file("init", INIT.encode(), 0o755)
        archive.copy("bin/busybox", self._root / "bin/busybox")
        (module,) = (self._root / "lib/modules").rglob(NETWORK_MODULE)
        archive.copy(NETWORK_MODULE, module)
        archive.copy("bin/tpmwire.pyz", pyz)
        archive.link("bin/aws-tpm-process-credential", "tpmwire.pyz")
        archive.link("bin/tpmwire", "tpmwire.pyz")
        archive.copy(PYTHON, self._root / PYTHON)
        archive.link("usr/bin/env", "/bin/busybox")  # of the single file's first line
        archive.link("bin/python3", f"/{PYTHON}")
        self._add_libraries(archive, self._root / PYTHON)
        for file in self._stdlib(pyz):
            if file.suffix != ".so" or self._add_libraries(archive, file):
                archive.copy(str(file.relative_to(self._root)), file)
        return archive

    def _stdlib(self, pyz: Path) -> list[Path]:
        with tempfile.TemporaryDirectory() as directory:
            with zipfile.ZipFile(pyz) as archive:
                archive.extractall(directory)
            listed = self._run(PYTHON, "-s", "-S", str(HERE / "closure.py"), directory, str(HERE / "guest.py"))
        return [Path(line) for line in listed.splitlines()]

    def _add_libraries(self, archive: Archive, binary: Path) -> bool:
        """Add the shared libraries of a binary; False where one is in none of the packages, as liblzma."""
        rows = [line.split() for line in self._run("--list", str(binary)).splitlines()]
        found = {row[0]: Path(row[2]) for row in rows if row[1:2] == ["=>"] and row[0][0] != "/"}
        # The loader looks into this machine's own directories too.
        if not all(path.is_relative_to(self._root) for path in found.values()):
            return False
        for name, path in found.items():
            archive.copy(f"lib/x86_64-linux-gnu/{name}", path)
        archive.copy("lib64/ld-linux-x86-64.so.2", self._root / LOADER)
        return True

    def _run(self, *arguments: str) -> str:
        """Run the image's own dynamic loader, and by it the image's own Python, on this machine."""
        root = self._root
        paths = ":".join(str(root / path) for path in LIBRARY_PATHS)
        arguments = tuple(str(root / argument) if argument == PYTHON else argument for argument in arguments)
        environment = {**os.environ, "PYTHONHOME": str(root / "usr"), "LC_ALL": "C.UTF-8"}
        command = [str(root / LOADER), "--library-path", paths, *arguments]
        return subprocess.run(command, check=True, env=environment, capture_output=True, text=True).stdout
