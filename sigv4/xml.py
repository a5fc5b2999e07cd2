"""The XML of the AWS query protocol, read within bounds: a document is its leaves by path, and nothing else."""

from .errors import ResponseError

__all__ = ["MAX_SIZE", "Document", "parse"]

MAX_SIZE = 1 << 20  # octets
_MAX_DEPTH = 16
_MAX_ELEMENTS = 10_000


class Document:
    """Texts of an XML document by path of local names, such as "ErrorResponse/Error/Code"."""

    __slots__ = ("_leaves", "_repeated", "root")

    def __init__(self, root: str, leaves: dict[str, str], repeated: set[str]) -> None:
        self.root = root
        self._leaves = leaves
        self._repeated = repeated

    def __repr__(self) -> str:
        # The texts may be credentials.
        return f"<Document {self.root} with {len(self._leaves)} texts>"

    def one(self, path: str) -> str:
        """The text at `path`. Raises ResponseError where it is missing, empty or there more than once."""
        name = path.rpartition("/")[2]
        if path in self._repeated:
            raise ResponseError(f"the answer has more than one {name}; it is not an answer of AWS as documented")
        text = self._leaves.get(path, "")
        if not text:
            state = "an empty" if path in self._leaves else "no"
            raise ResponseError(f"the answer has {state} {name}; check the endpoint and any proxy before it")
        return text

    def first(self, *paths: str) -> str:
        """The text at the first of `paths` that has one, else ""."""
        return next((text for path in paths if (text := self._leaves.get(path))), "")


def parse(data: bytes) -> Document:
    """Reads a UTF-8 document of at most MAX_SIZE octets, without DTD.

    Names lose their namespace, texts their surrounding blanks. Raises ResponseError, and nothing else, for
    what is not well-formed or exceeds the bounds.
    """
    if len(data) > MAX_SIZE:
        raise ResponseError(f"the answer has {len(data)} octets; at most {MAX_SIZE} are read")
    from xml.parsers import expat

    reader = _Reader()
    # The encoding is fixed because AWS writes no other, and a document must not choose among our codecs.
    parser = expat.ParserCreate("utf-8", " ")
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    # No entities of the document's own: they are how a small document becomes a large one.
    parser.StartDoctypeDeclHandler = reader.doctype
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        reason = expat.ErrorString(error.code)
        raise ResponseError(
            f"the answer is no XML ({reason}); check the endpoint and any proxy before it"
        ) from error
    return Document(reader.root, reader.leaves, reader.repeated)


class _Reader:
    """Collects what `parse` returns."""

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
            raise ResponseError("the answer's XML is nested too deeply or has too many elements")
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
        raise ResponseError("the answer has a DOCTYPE (an HTML page?); check the endpoint and any proxy before it")
