"""`tpmwire info` for a TPM of version 1.85: number of the errata, parameter sets of ML-KEM and ML-DSA."""

import json

import pytest

from cli.toolbox import main
from cli.tpm import capabilities
from tpmwire import Tpm
from tpmwire.spec.constants import TPM_PT


def test_post_quantum_and_errata(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    real = capabilities.properties

    def properties(tpm: Tpm) -> dict[TPM_PT, int]:
        newer = {TPM_PT.REVISION: 185, TPM_PT.YEAR: 0, TPM_PT.ERRATA: 1, TPM_PT.ML_PARAMETER_SETS: 0x12}
        return {**real(tpm), **newer}

    assert main(["info", "--json", "--tpm-path", "soft:"]) == 0
    older = json.loads(capsys.readouterr().out)
    assert (older["specification"]["date"], older["specification"]["errata"]) == ("2021-03-16", None)
    monkeypatch.setattr(capabilities, "properties", properties)
    assert main(["info", "--json", "--tpm-path", "soft:"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["specification"] == {"revision": "1.85", "level": 0, "date": None, "errata": 1}
    assert found["post_quantum"] == ["mlKem_768", "mlDsa_65"]
    assert main(["info", "--tpm-path", "soft:"]) == 0
    out = capsys.readouterr().out
    assert "revision 1.85, level 0, errata 1\n" in out
    assert "post-quantum: mlKem_768 mlDsa_65\n" in out
