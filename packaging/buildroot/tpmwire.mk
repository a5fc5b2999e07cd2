################################################################################
#
# tpmwire
#
################################################################################

TPMWIRE_VERSION = @VERSION@
TPMWIRE_SITE = @URL@/releases/download/v$(TPMWIRE_VERSION)
# The single file has construct and bytecode.
TPMWIRE_EXTRA_DOWNLOADS = tpmwire.pyz
TPMWIRE_LICENSE = Apache-2.0
TPMWIRE_LICENSE_FILES = LICENSE

define TPMWIRE_INSTALL_TARGET_CMDS
	DESTDIR=$(TARGET_DIR) PREFIX=/usr $(@D)/packaging/install $(TPMWIRE_DL_DIR)/tpmwire.pyz
endef

define TPMWIRE_USERS
	tpmwire -1 tpmwire -1 * /var/lib/tpmwire - tss AWS credentials from the TPM
endef

$(eval $(generic-package))
