"""Recipes of distributions, built or checked by the tools that Debian has for them."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import pytest

from tests.support.programs import ROOT
from tools import recipes
from tpmwire import __version__

pytestmark = pytest.mark.deb

SOURCE = ROOT / "dist" / f"tpmwire-{__version__}.tar.gz"
SINGLE = ROOT / "dist" / "tpmwire.pyz"
UNIT = "usr/lib/systemd/system/tpmwire.service"


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directory with the recipes of this version and its checksums."""
    folder = tmp_path_factory.mktemp("recipes")
    for name, text in recipes.fill(recipes.values_of(__version__, SOURCE, SINGLE)).items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return folder


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    """Returns what a program printed. Fails unless it exits with 0."""
    done = subprocess.run(
        [*map(str, command)],
        check=False,
        cwd=cwd,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def check_files(root: Path) -> None:
    """Fails unless the programs run from a directory that a package was unpacked into."""
    for name in ("tpmwire", "aws-tpm-process-credential"):
        program = root / "usr" / "bin" / name
        if (root / "usr" / "share" / "tpmwire").exists():  # the modules, which are not in /usr/share here
            text = program.read_text()
            assert text.startswith("#!/usr/bin/python3 -I\n")
            text = text.replace("/usr/bin/python3", sys.executable)
            program.write_text(text.replace("/usr/share/tpmwire", f"{root}/usr/share/tpmwire"))
        assert run(program, "--version", cwd=root) == f"{name} {__version__}\n"
    assert re.findall("^ExecStart=([^ ]*)", (root / UNIT).read_text(), re.M) == ["/usr/bin/tpmwire"]
    renew = (root / UNIT).with_name("tpmwire-renew.service").read_text()
    assert re.findall("^ExecStart=([^ ]*)", renew, re.M) == ["/usr/bin/tpmwire"]
    assert (root / UNIT).with_name("tpmwire-renew.timer").exists()
    for path in ("bash-completion/completions/tpmwire", "zsh/site-functions/_tpmwire"):
        assert (root / "usr" / "share" / path).exists()


def test_rpm(filled: Path, tmp_path: Path) -> None:
    shutil.copy(SOURCE, tmp_path)
    spec = filled / "rpm" / "tpmwire.spec"
    settings = ["--define", f"_topdir {tmp_path}", "--define", f"_sourcedir {tmp_path}", "--nodeps"]
    run("rpmbuild", *settings, "-bb", spec, cwd=tmp_path)
    (package,) = tmp_path.glob("RPMS/noarch/*.rpm")
    # The distribution's builders add these.
    added = {"no-changelogname-tag", "no-group-tag", "no-packager-tag", "no-signature"}
    assert set(re.findall(r": E: (.*)$", run("rpmlint", "--permissive", package, cwd=tmp_path), re.M)) <= added
    (tmp_path / "root").mkdir()
    run("sh", "-c", f"rpm2cpio {package} | (cd root && cpio -id)", cwd=tmp_path)
    check_files(tmp_path / "root")


def test_arch(filled: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    # makepkg refuses root, and nobody cannot enter pytest's directories.
    place = Path(tempfile.mkdtemp(prefix="makepkg-", dir="/tmp"))
    request.addfinalizer(lambda: shutil.rmtree(place))
    shutil.copy(SOURCE, place)
    shutil.copy(filled / "arch" / "PKGBUILD", place)
    for path in (place, *place.iterdir()):
        shutil.chown(path, 65534, 65534)
    user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    # There is no pacman in Debian, which would look for the dependencies.
    settings = {"HOME": str(place), "PACMAN": "true", "PKGDEST": str(place), "PKGEXT": ".pkg.tar.gz"}
    run(*user, "makepkg", "--nodeps", cwd=place, **settings)
    (package,) = place.glob("*.pkg.tar.gz")
    (tmp_path / "root").mkdir()
    run("tar", "-xf", package, "-C", "root", cwd=tmp_path)
    check_files(tmp_path / "root")


def test_alpine(filled: Path, tmp_path: Path) -> None:
    """abuild is not in Debian. The recipe is a shell script, whose package() needs no more than the sources."""
    run("shellcheck", "--shell=sh", "--exclude=SC2034,SC2154", filled / "alpine" / "APKBUILD", cwd=tmp_path)
    run("tar", "-xf", SOURCE, cwd=tmp_path)
    script = f". {filled}/alpine/APKBUILD; pkgdir={tmp_path}/root; cd {tmp_path}/$pkgname-$pkgver; package"
    run("sh", "-euc", script, cwd=tmp_path)
    check_files(tmp_path / "root")
    check = f'. {filled}/alpine/APKBUILD; printf %s "$sha512sums" | sed "/^$/d" | sha512sum --check --strict -'
    run("sh", "-euc", check, cwd=SOURCE.parent)


def test_nix(filled: Path, tmp_path: Path) -> None:
    """There is no nixpkgs here. The recipe is evaluated with stand-ins, and its shell commands are run."""
    names = ("asn1crypto", "construct", "cryptography", "hatchling", "pyopenssl")
    packages = " ".join(f'{name} = "{name}";' for name in names)
    expression = f"""import {filled}/nix/package.nix {{
        lib = {{ licenses.asl20 = "asl20"; platforms.linux = "linux"; }};
        fetchurl = source: source;
        python3Packages = {{ buildPythonApplication = recipe: recipe; {packages} }};
    }}"""
    store = {f"NIX_{name}_DIR": str(tmp_path / name) for name in ("STORE", "STATE", "LOG")}
    out = run("nix-instantiate", "--eval", "--strict", "--json", "-E", expression, cwd=tmp_path, **store)
    recipe = json.loads(out[out.index("{") :])
    assert recipe["version"] == __version__
    assert recipe["src"]["hash"] == f"sha256:{hashlib.sha256(SOURCE.read_bytes()).hexdigest()}"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    for key, needed in (("dependencies", project["project"]), ("build-system", project["build-system"])):
        requirements = needed["requires" if key == "build-system" else key]
        assert recipe[key] == sorted(re.split("[>=]", each)[0].lower() for each in requirements)
    run("tar", "-xf", SOURCE, cwd=tmp_path)
    replace = 'substituteInPlace() { grep -q "$3" "$1" && sed -i "s,$3,$4," "$1"; }'
    script = f"set -eu; {replace}; out={tmp_path}/out; {recipe['postInstall']}"
    run("bash", "-c", script, cwd=tmp_path / f"tpmwire-{__version__}")
    service = (tmp_path / "out/lib/systemd/system/tpmwire.service").read_text()
    assert f"ExecStart={tmp_path}/out/bin/tpmwire" in service


def test_yocto(filled: Path, tmp_path: Path) -> None:
    recipe = tmp_path / f"tpmwire_{__version__}.bb"
    shutil.copy(filled / "yocto" / "tpmwire.bb", recipe)
    # Variables without a use here, and a request to the home page.
    rules = ("oelint.var.bbclassextend", "oelint.var.suggestedvar.CVE_PRODUCT", "oelint.vars.homepageping")
    run(sys.executable, "-m", "oelint_adv", *(f"--suppress={rule}" for rule in rules), recipe, cwd=tmp_path)


def test_the_single_file_as_yocto_and_buildroot_install_it(tmp_path: Path) -> None:
    run(ROOT / "packaging" / "install", SINGLE, cwd=ROOT, DESTDIR=str(tmp_path), PREFIX="/usr")
    check_files(tmp_path)
