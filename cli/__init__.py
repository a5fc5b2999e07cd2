"""The command-line programs, built on tpmwire and sigv4. Importing the package exits if Python is too old."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 (an installer checks this, but the files can be copied without one)
    sys.exit("tpmwire needs Python 3.11 or newer; this is %d.%d.%d" % sys.version_info[:3])  # noqa: UP031
