SUMMARY = "AWS credentials whose secret key never leaves the TPM"
DESCRIPTION = "A credential_process for the AWS CLI and SDKs, which signs with a key in the TPM, and tools for TPM 2.0."
HOMEPAGE = "@URL@"
BUGTRACKER = "@URL@/issues"
SECTION = "console/network"
LICENSE = "Apache-2.0"
LIC_FILES_CHKSUM = "file://LICENSE;md5=@MD5_LICENSE@"
PV = "@VERSION@"

# The single file has construct, for which OpenEmbedded has no recipe.
SRC_URI = "\
    ${HOMEPAGE}/releases/download/v${PV}/tpmwire-${PV}.tar.gz \
    ${HOMEPAGE}/releases/download/v${PV}/tpmwire.pyz;name=single;unpack=0 \
"
SRC_URI[sha256sum] = "@SHA256@"
SRC_URI[single.sha256sum] = "@SHA256_SINGLE@"
UPSTREAM_CHECK_URI = "${HOMEPAGE}/releases"

inherit allarch features_check systemd useradd
REQUIRED_DISTRO_FEATURES = "systemd"

SYSTEMD_SERVICE:${PN} = "tpmwire.socket tpmwire.service tpmwire-renew.timer"
SYSTEMD_AUTO_ENABLE = "disable"
USERADD_PACKAGES = "${PN}"
GROUPADD_PARAM:${PN} = "--system tss; --system tpmwire"
USERADD_PARAM:${PN} = "--system --gid tpmwire --groups tss --home-dir ${localstatedir}/lib/tpmwire --no-create-home --shell /sbin/nologin tpmwire"

do_install() {
    DESTDIR=${D} PREFIX=${prefix} ${S}/packaging/install ${UNPACKDIR}/tpmwire.pyz
}

FILES:${PN} += "${prefix}/lib ${datadir}"
RDEPENDS:${PN} = "ca-certificates python3-modules"
