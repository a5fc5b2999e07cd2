"""An extension of griffe (mkdocs.yml): turns docstrings into Markdown, and lists fields compactly."""

from collections.abc import Iterator
from typing import Any

from griffe import Attribute, Class, Docstring, Extension, Object  # type: ignore[import-not-found]

from tools.site_pages import fence_examples

__all__ = ["Docstrings"]


class Docstrings(Extension):  # type: ignore[misc]
    """Fences the examples of docstrings, and adds the fields of the standard's classes to their docstrings."""

    def on_instance(self, *, obj: Object, **_: Any) -> None:
        """Fences the examples in the object's docstring."""
        if obj.docstring is not None:
            obj.docstring.value = fence_examples(obj.docstring.value)

    def on_class_members(self, *, cls: Class, **_: Any) -> None:
        """Moves the fields of a class of tpmwire.spec, and of its Response, into one block of code."""
        if not cls.path.startswith("tpmwire.spec.") or cls.name == "Response":
            return
        lines = [*_list_fields(cls, "")]
        if (response := cls.members.get("Response")) is not None and response.is_class:
            lines += ["", "class Response:", *_list_fields(response, "    ")]
            cls.del_member("Response")
        if lines:
            text = cls.docstring.value if cls.docstring is not None else ""
            cls.docstring = Docstring("\n".join([text, "", "```python", *lines, "```"]), parent=cls)


def _list_fields(cls: Class, indent: str) -> Iterator[str]:
    """Yields a line for each field of the class that has no docstring, and removes the field from the class."""
    for name, member in list(cls.members.items()):
        if isinstance(member, Attribute) and member.docstring is None and not name.startswith("_"):
            annotation = f": {member.annotation}" if member.annotation is not None else ""
            value = f" = {member.value}" if member.value is not None else ""
            yield f"{indent}{name}{annotation}{value}"
            cls.del_member(name)
