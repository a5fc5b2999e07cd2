"""Checks of the lesson on what a TPM is: read a property, and read a response code."""

from tpmwire.spec.properties import TPM_PT

from ..attempt import Attempt


def _manufacturer(attempt: Attempt) -> str:
    for each in attempt.done("GetCapability"):
        for found in each.response.capability_data.data:
            if getattr(found, "property", None) == TPM_PT.MANUFACTURER:
                letters = found.value.to_bytes(4, "big").decode("ascii", "replace").strip("\0 ")
                return "" if attempt.answered(letters) else "The number is there; answer its four letters."
    return "No response with the property MANUFACTURER yet."


def _refused(attempt: Attempt) -> str:
    codes = [each.rc for each in attempt.refused("ReadPublic")]
    if not codes:
        return "The TPM has not refused a ReadPublic yet."
    return "" if any(map(attempt.answered, codes)) else "Answer the response code of ReadPublic."


CHECKS = (_manufacturer, _refused)
