"""The step debugger in the terminal: messages, what each side knows, and the bytes of a message, side by side."""

from collections.abc import Callable, Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Footer, OptionList, Static
from textual.widgets.option_list import Option

from tpmwire.explain import Node
from tpmwire.explain.show import Line, lines
from tpmwire.explain.tampering import Change
from tpmwire.spec.response_texts import explain

from ...terminal.colors import style_line
from ...terminal.streams import printable
from .steps import explain_knowledge, step_title

__all__ = ["Debugger"]

STYLES = {"title": "bold", "group": "dim italic", "new": "bold green", "wrong": "bold red", "text": "dim"}
Judge = Callable[[Change], list[str]]


class Debugger(App[None]):
    """Shows the messages of a recording one after another.

    `judge` returns lines that report whether the TPM or the program detects the change of a bit.
    """

    TITLE = "tpmwire debug"
    ENABLE_COMMAND_PALETTE = False
    CSS = """
    #title { height: 1; text-style: reverse; padding: 0 1; }
    #field { height: auto; min-height: 2; padding: 0 1; border-top: solid $panel; }
    #messages { width: 26; border: none; padding: 0; }
    #knowledge { width: 2fr; padding: 0 1; border-left: solid $panel; }
    #fields { width: 3fr; border: none; border-left: solid $panel; padding: 0 1; }
    #messages, #fields { text-wrap: nowrap; text-overflow: ellipsis; background: $surface; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,p", "step(-1)", "previous", priority=True),
        Binding("right,n", "step(1)", "next", priority=True),
        Binding("s", "session", "next with a session"),
        Binding("r", "refused", "next refused"),
        Binding("c", "change", "change a bit of the field"),
        Binding("q", "quit", "quit"),
    ]

    def __init__(self, trees: Sequence[Node], judge: Judge, places: Sequence[int]) -> None:
        super().__init__()
        self.trees, self.judge, self.places = trees, judge, places
        self.place = 0

    def compose(self) -> ComposeResult:
        """Yields the widgets of the screen."""
        yield Static(id="title")
        with Horizontal():
            yield OptionList(*(Option(_row(tree)) for tree in self.trees), id="messages")
            with VerticalScroll(id="knowledge"):
                yield Static(id="facts")
            yield OptionList(id="fields")
        yield Static(id="field")
        yield Footer()

    def on_mount(self) -> None:
        """Shows the first message."""
        self.query_one("#fields").focus()
        self.show(0)

    def on_resize(self) -> None:
        """Rewraps the text of the knowledge pane to the pane's new width."""
        self.call_after_refresh(self._show_knowledge)

    def show(self, place: int) -> None:
        """Shows the message with an index among the shown messages."""
        self.place = max(0, min(len(self.trees) - 1, place))
        tree = self.trees[self.place]
        title = f"{step_title(self.places[self.place], tree)}   ({self.place + 1} of {len(self.trees)})"
        self.query_one("#title", Static).update(Text(title))
        self._show_knowledge()
        fields = self.query_one("#fields", OptionList)
        fields.clear_options()
        fields.add_options([Option(style_line(line, Text(no_wrap=True))) for line in lines(tree)])
        fields.highlighted = 0
        messages = self.query_one("#messages", OptionList)
        if messages.highlighted != self.place:
            messages.highlighted = self.place

    def _show_knowledge(self) -> None:
        pane = self.query_one("#knowledge", VerticalScroll)
        facts = Text()
        for line, kind in explain_knowledge(self.trees[self.place].knowledge, max(30, pane.content_size.width)):
            facts.append(f"{printable(line)}\n", STYLES.get(kind, ""))
        self.query_one("#facts", Static).update(facts)
        pane.scroll_home(animate=False)

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Shows the message that is chosen in the list of messages, or the whole line of a chosen field."""
        if event.option_list.id == "fields":
            self.query_one("#field", Static).update(style_line(self._line(event.option_index), Text()))
        elif event.option_index != self.place:
            self.show(event.option_index)

    def _line(self, number: int) -> Line:
        return list(lines(self.trees[self.place]))[number]

    def action_step(self, count: int) -> None:
        """Moves by a number of messages."""
        self.show(self.place + count)

    def action_session(self) -> None:
        """Moves to the next message that uses a session."""
        self._find(lambda tree: bool(tree.knowledge))

    def action_refused(self) -> None:
        """Moves to the next response with an error code."""
        self._find(lambda tree: tree.type == "response" and any(tree.octets[6:10]))

    def _find(self, fits: Callable[[Node], bool]) -> None:
        later = range(self.place + 1, len(self.trees))
        found = next((place for place in later if fits(self.trees[place])), None)
        if found is None:
            self.notify("no further message")
        else:
            self.show(found)

    def action_change(self) -> None:
        """Shows whether the TPM or the program detects a change of the selected field's lowest bit on the bus."""
        offset = _last_offset(self._line(self.query_one("#fields", OptionList).highlighted or 0))
        said = ["This line has no bytes of the message."]
        if offset is not None:
            said = self.judge(Change(self.places[self.place], offset))
            said[0] = f"Lowest bit of the byte at 0x{offset:x}: {said[0]}"
        self.query_one("#field", Static).update(Text("\n".join(said), "bold"))


def _last_offset(line: Line) -> int | None:
    """Returns the offset of the last byte on a line; None for a line without bytes of the message."""
    size = len(bytes.fromhex(line.octets)) if line.octets else 0
    return int(line.offset, 16) + size - 1 if size and line.offset.strip("= ") else None


def _row(tree: Node) -> Text:
    """Returns a message's row in the list of messages: an arrow, and the command or the result."""
    if tree.type == "command":
        return Text(f"→ {tree.name.removeprefix('TPM2_')}", no_wrap=True)
    if code := int.from_bytes(tree.octets[6:10], "big"):
        return Text(f"← ✘ {explain(code).name}", "bold red", no_wrap=True)
    return Text("← ✔", "dim", no_wrap=True)
