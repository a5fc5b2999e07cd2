"""The texts of response codes, compared with those of libtss2-rc, which tpm2_rc_decode prints."""

import ctypes
import ctypes.util
import random
from collections.abc import Callable

import pytest

from tpmwire.explain.tss2_texts import find_codes, tss2_text
from tpmwire.spec.response_texts import explain
from tpmwire.spec.tss2_codes import BASE, LAYERS

LAYER_NUMBERS = (*range(16), 40, 255, 0x7FFF, 0x8028)


@pytest.fixture(scope="module")
def decode() -> Callable[[int], str]:
    """Tss2_RC_Decode of the installed tpm2-tss."""
    path = ctypes.util.find_library("tss2-rc")
    if path is None:
        pytest.skip("needs libtss2-rc")
    function = ctypes.CDLL(path).Tss2_RC_Decode
    function.restype, function.argtypes = ctypes.c_char_p, [ctypes.c_uint32]
    return lambda rc: function(rc).decode()


@pytest.mark.parametrize("layer", [0, 10, 11])
def test_every_number_of_a_layer(decode: Callable[[int], str], layer: int) -> None:
    """The TPM itself, one layer with errors of its own, and the one that repeats the TPM's."""
    codes = range(layer << 16, layer + 1 << 16)
    assert [hex(rc) for rc in codes if tss2_text(rc) != decode(rc)] == []


def test_other_layers(decode: Callable[[int], str]) -> None:
    """All numbers of all these layers were compared once; each run of the test draws some."""
    drawn = random.Random().sample(range(1 << 16), 500)
    for layer in LAYER_NUMBERS:
        for number in {*range(0x60), *drawn}:
            assert tss2_text(layer << 16 | number) == decode(layer << 16 | number), hex(layer << 16 | number)


def test_a_text_leads_back_to_its_code(decode: Callable[[int], str]) -> None:
    for layer in (0, *range(6, 12)):
        for number in range(0x1000):
            text = decode(layer << 16 | number)
            if "(null)" in text or "(1.2)" in text:
                continue
            for pasted in (text, f"ERROR: Esys_Load(0x98E) - {text}, then more", text.upper()):
                codes = find_codes(pasted)
                assert codes, text
                assert tss2_text(codes[0]) == text


def test_each_known_code_has_a_name_of_ours(decode: Callable[[int], str]) -> None:
    for layer in (6, 7, 8, 9, 10):
        for number in range(1, 0x10000):
            known = not decode(layer << 16 | number).endswith(f":0x{number:X}")
            assert (
                not known
                or explain(layer << 16 | number).name == f"TSS2_{LAYERS[layer].name}_RC_{BASE[number][0]}"
            )
