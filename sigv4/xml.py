"""Parses XML responses from AWS into mappings from path to text, with limits on their size."""

from .errors import ResponseError

__all__ = ["MAX_SIZE", "Document", "parse_xml"]

MAX_SIZE = 1 << 20  # bytes
_MAX_DEPTH = 16
_MAX_ELEMENTS = 10_000


class Document:
    """The texts of an XML document's elements, by path of local names, such as "ErrorResponse/Error/Code"."""

    __slots__ = ("_leaves", "_repeated", "root")

    def __init__(self, root: str, leaves: dict[str, str], repeated: set[str]) -> None:
        self.root = root
        self._leaves = leaves
        self._repeated = repeated

    def __repr__(self) -> str:
        # The repr omits the texts, which may be credentials.
        return f"<Document {self.root} with {len(self._leaves)} texts>"

    def one(self, path: str) -> str:
        """Returns the text at `path`. Raises ResponseError if it is missing, empty or repeated."""
        name = path.rpartition("/")[2]
        if path in self._repeated:
            raise ResponseError(
                f"the response has more than one {name}; check the endpoint and any proxy in between"
            )
        text = self._leaves.get(path, "")
        if not text:
            state = "an empty" if path in self._leaves else "no"
            raise ResponseError(f"the response has {state} {name}; check the endpoint and any proxy in between")
        return text

    def first(self, *paths: str) -> str:
        """Returns the text at the first of `paths` that has one, else ""."""
        return next((text for path in paths if (text := self._leaves.get(path))), "")


def parse_xml(data: bytes) -> Document:
    """Parses a UTF-8 document of at most MAX_SIZE bytes, without DTD.

    Namespaces of names and whitespace around texts are removed. Raises only ResponseError: for a document that is
    not well-formed, or that exceeds the limits.
    """
    if len(data) > MAX_SIZE:
        raise ResponseError(
            f"the response is {len(data)} bytes long, more than the limit of {MAX_SIZE}; check the endpoint"
        )
    # late: a run that gets no response does not need it. xml.parsers.expat is another name of this module.
    import pyexpat as expat

    reader = _Reader()
    # UTF-8 only: AWS always uses it, and a document must not select one of Python's codecs.
    parser = expat.ParserCreate("utf-8", " ")
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    # A DTD is refused, since its entities could expand to any size.
    parser.StartDoctypeDeclHandler = reader.doctype
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        reason = expat.ErrorString(error.code)
        raise ResponseError(
            f"the response is not valid XML ({reason}); check the endpoint and any proxy in between"
        ) from error
    return Document(reader.root, reader.leaves, reader.repeated)


class _Reader:
    """Handlers of the XML parser that collect the texts of leaves."""

    def __init__(self) -> None:
        self.root = ""
        self.leaves: dict[str, str] = {}
        self.repeated: set[str] = set()
        self._path: list[str] = []
        self._texts: list[str] = []
        self._is_leaf = False
        self._elements = 0

    def start(self, name: str, _attributes: dict[str, str]) -> None:
        self._elements += 1
        if len(self._path) >= _MAX_DEPTH or self._elements > _MAX_ELEMENTS:
            raise ResponseError(
                "the XML of the response is nested too deeply or has too many elements; check the endpoint"
            )
        self._path.append(name.rpartition(" ")[2])
        self.root = self.root or self._path[0]
        self._texts.clear()
        self._is_leaf = True

    def text(self, text: str) -> None:
        self._texts.append(text)

    def end(self, _name: str) -> None:
        if self._is_leaf:
            path = "/".join(self._path)
            if path in self.leaves:
                self.repeated.add(path)
            else:
                self.leaves[path] = "".join(self._texts).strip()
        self._is_leaf = False
        self._path.pop()

    def doctype(self, *_declaration: object) -> None:
        raise ResponseError(
            "the response has a DOCTYPE (an HTML page?); check the endpoint and any proxy in between"
        )
