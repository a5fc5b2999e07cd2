"""The appliance's initramfs: busybox, our single file, Python 3.11 and as much of its library as that imports."""

import os
import shlex
import subprocess
import tempfile
from pathlib import Path

from .cpio import Archive
from .packages import NETWORK_MODULE, unpacked

LOADER = "lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"
LIBRARY_PATHS = ("lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu")
PYTHON = "usr/bin/python3.11"
HERE = Path(__file__).parent
ROOTFS = HERE.parents[1] / "tools" / "rootfs.py"

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
        with tempfile.TemporaryDirectory() as directory:
            tree = Path(directory, "tree")
            self._fill(tree, pyz)
            for path in sorted(tree.rglob("*")):
                name = str(path.relative_to(tree))
                if path.is_symlink():
                    archive.link(name, os.readlink(path))
                elif path.is_file():
                    archive.copy(name, path)
        return archive

    def _fill(self, tree: Path, pyz: Path) -> None:
        """Run tools/rootfs.py with the image's own interpreter, which this machine may not have installed."""
        root = self._root
        loader = [str(root / LOADER), "--library-path", ":".join(str(root / path) for path in LIBRARY_PATHS)]
        words = [str(ROOTFS), str(tree), "--program", str(pyz), "--script", str(HERE / "guest.py")]
        words += ["--sysroot", str(root), "--ldd", shlex.join([*loader, "--list"])]
        environment = {**os.environ, "PYTHONHOME": str(root / "usr"), "LC_ALL": "C.UTF-8"}
        subprocess.run([*loader, str(root / PYTHON), "-s", "-S", *words], check=True, env=environment)
