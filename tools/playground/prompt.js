// A line of input for commands: history with the arrow keys, and suggestions that Tab or a click accepts.
import { element } from "./dom.js";

const MOST = 12;

// Connects the input `line`. `complete(text)` resolves to {last, words}. Returns {box, note}: the element with the
// suggestions, and a function that stores a line that was sent.
export function setUpPrompt(line, complete) {
  const typed = [];
  let at = 0;
  let words = [];
  let last = "";
  const box = element("div", { class: "suggestions", role: "group", "aria-label": "Suggestions" });
  const clear = () => {
    words = [];
    box.replaceChildren();
  };
  const accept = (word) => {
    const end = line.value.length - last.length;
    line.value = line.value.slice(0, end) + word + (word.endsWith("=") || word.endsWith(":") ? "" : " ");
    line.focus();
    suggest();
  };
  const suggest = async () => {
    const text = line.value;
    if (!text.trim() || line.selectionStart !== text.length) return clear();
    const { result } = await complete(text);
    if (line.value !== text || result.error) return;
    ({ last, words } = result);
    // Without a beginning, all names would be suggested after each word.
    if (!last) words = words.slice(0, 6);
    box.replaceChildren(...words.slice(0, MOST).map((word, n) =>
      element("button", { type: "button", class: n ? null : "first", onclick: () => accept(word), tabindex: "-1" }, word)));
  };
  let timer = 0;
  line.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(suggest, 80);
  });
  line.addEventListener("keydown", (event) => {
    if (event.key === "Tab" && !event.shiftKey && words.length && last) {
      event.preventDefault();
      return accept(words[0]);
    }
    if (event.key === "Escape") return clear();
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!step || !typed.length) return;
    event.preventDefault();
    at = Math.max(0, Math.min(typed.length, at + step));
    line.value = typed[at] || "";
    clear();
  });
  const note = (text) => {
    typed.push(text);
    at = typed.length;
    clearTimeout(timer);
    clear();
  };
  return { box, note };
}
