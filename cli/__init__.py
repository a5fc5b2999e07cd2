"""The command line, which puts tpmwire and sigv4 together. Old Pythons can parse this file, and are refused."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 (whoever copies the files has no installer that looks)
    sys.exit("tpmwire needs Python 3.11 or newer; this is %d.%d.%d" % sys.version_info[:3])  # noqa: UP031
