// The tab Explain: a text or file, and its explanation.
import { element, find, linked } from "./dom.js";
import { legend, showMessage, showTable } from "./message.js";

const EXAMPLES = [
  ["a response code", "0x98e"],
  ["a line of a log", "tpm tpm0: A TPM error (2446) occurred attempting to create a null primary"],
  ["an error of tpm2-tools", "tpm:session(1):the authorization HMAC check failed and DA counter incremented"],
  ["bytes of a command",
    "80020000004100000182000000170000000940000009000000000000000001000b2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"],
  ["a command and its response",
    "80010000000c0000017b0008\n8001000000140000000000088a3c51f0d42e6b97"],
  ["attributes of a key", "fixedTPM|fixedParent|sensitiveDataOrigin|userWithAuth|restricted|sign"],
  ["a handle", "0x81010001"],
  ["PCRs", "sha256:0,7"],
  ["a command", "TPM2_Create"],
  ["a Windows error", "0x80280921"],
];

let latest = 0;

export function setUpExplain(call) {
  const input = find("input");
  const grow = () => {
    input.style.height = "auto";
    input.style.height = `${Math.min(input.scrollHeight + 2, 260)}px`;
    find("clear").hidden = !input.value;
  };
  const go = async () => {
    grow();
    const text = input.value.trim();
    const mine = ++latest;
    if (!text) return show(null);
    history.replaceState(null, "", text.length < 2000 ? `#explain/${encodeURIComponent(text)}` : "#explain");
    find("note").textContent = "";
    find("result").classList.add("waiting");
    const answer = await call("explain", text);
    if (mine === latest) show(answer.result, answer.milliseconds);
  };
  let timer = 0;
  input.addEventListener("input", () => {
    grow();
    clearTimeout(timer);
    timer = setTimeout(go, 250);
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      clearTimeout(timer);
      go();
    }
  });
  find("go").addEventListener("click", go);
  find("clear").addEventListener("click", () => {
    input.value = "";
    go();
    input.focus();
  });
  const openFile = async (file) => {
    const mine = ++latest;
    if (file.size > 20e6) return show({ error: `${file.name} has more than 20 MB; choose a smaller file` });
    find("result").classList.add("waiting");
    const bytes = new Uint8Array(await file.arrayBuffer());
    const answer = await call("explain_file", file.name, bytes);
    if (mine !== latest) return;
    show(answer.result, answer.milliseconds);
    const things = answer.result.things || [];
    if (things.some((thing) => thing.kind === "a recording of TPM commands")) {
      find("result").prepend(savePage(call, file.name, bytes));
    }
  };
  find("file").addEventListener("change", (event) => {
    if (event.target.files[0]) openFile(event.target.files[0]);
    event.target.value = "";
  });
  const box = input.closest(".box");
  box.addEventListener("dragover", (event) => {
    event.preventDefault();
    box.classList.add("over");
  });
  box.addEventListener("dragleave", () => box.classList.remove("over"));
  box.addEventListener("drop", (event) => {
    event.preventDefault();
    box.classList.remove("over");
    if (event.dataTransfer.files[0]) openFile(event.dataTransfer.files[0]);
    else {
      input.value = event.dataTransfer.getData("text");
      go();
    }
  });
  find("examples").append(...EXAMPLES.map(([label, text]) =>
    element("button", { type: "button", onclick: async () => {
      input.value = text;
      await go();
      if (find("result").getBoundingClientRect().top > innerHeight - 160) find("note").scrollIntoView({ block: "start" });
    } }, label)));
  if (!location.hash && innerWidth > 740) input.focus();
  return (text) => {
    input.value = text;
    go();
  };
}

// Returns a button that saves the page of `tpmwire decode --html`. The policy of this page forbids its scripts here.
function savePage(call, name, bytes) {
  const save = async () => {
    const { result } = await call("page_of_file", name, bytes);
    if (result.error) return (find("note").textContent = result.error);
    const address = URL.createObjectURL(new Blob([result.html], { type: "text/html" }));
    element("a", { href: address, download: `${name}.html` }).click();
    setTimeout(() => URL.revokeObjectURL(address), 1000);
    find("note").textContent = `Saved as ${name}.html`;
  };
  return element("p", {}, element("button", { type: "button", id: "save-page", class: "quiet", onclick: save },
    "Save as a page with sequence diagram and step debugger"));
}

function show(answer, milliseconds) {
  const result = find("result");
  result.classList.remove("waiting");
  if (!answer) return result.replaceChildren();
  if (answer.error) {
    result.replaceChildren(element("div", { class: "card refusal", role: "alert" }, linked(answer.error)));
    return (find("note").textContent = "");
  }
  const notes = (answer.notes || []).map((note) => element("p", { class: "hint" }, note));
  result.replaceChildren(...notes, ...answer.things.map(showThing));
  find("note").textContent = `Explained in ${Math.max(1, Math.round(milliseconds))} ms`;
}

function showThing(thing) {
  if (thing.error) return element("div", { class: "card refusal" }, linked(thing.error));
  if (thing.meaning) return showMeaning(thing.meaning);
  const bytes = thing.trees.some((tree) => tree.type === "command" || tree.type === "response");
  return element("section", { class: "card" },
    element("p", { class: "kind" }, `taken as ${thing.kind}`),
    bytes ? legend() : null,
    thing.trees.map(showMessage),
    thing.more ? element("p", {}, "Only the first messages are shown; `tpmwire decode` shows all.") : null,
    thing.others.length ? [element("h3", {}, "It can also be"), element("ul", {}, thing.others.map((other) => element("li", {}, linked(other))))] : null);
}

function showMeaning(meaning) {
  const [first, ...rest] = meaning.meaning;
  const lines = joinLines(rest);
  const code = meaning.type === "TPM_RC" && meaning.value ? (first.match(/TPM_RC_\w+/) || [])[0] : null;
  return element("section", { class: "card" },
    element("p", { class: "kind" }, `taken as ${meaning.kind}${meaning.value !== null && meaning.type ? ` (${meaning.type})` : ""}`),
    meaning.table
      ? [element("h2", {}, meaning.table.name), showTable(meaning.table)]
      : [element("h2", {}, linked(first)), lines.map((line) => element("p", { class: `fact d${line.depth}` },
          line.key ? element("span", { class: "key" }, line.key) : null, element("span", {}, linked(line.text))))],
    code ? element("p", {}, element("a", { class: "more", href: `../reference/codes/${code}.html` }, `All about ${code}`)) : null,
    meaning.others.length
      ? element("details", {}, element("summary", {}, `It can also be ${meaning.others.length === 1 ? "something else" : `one of ${meaning.others.length} other things`}`),
        element("ul", {}, meaning.others.slice(0, 8).map((other) => element("li", {}, `${other.kind}: `, linked(String(other.meaning))))))
      : null);
}

// Returns the facts of an explanation, with lines that were wrapped for the terminal joined: {key, text, depth}.
function joinLines(lines) {
  const WIDTH = 104;
  const facts = [];
  let previous = "";
  for (const line of lines) {
    const text = line.trim();
    const indent = line.length - line.trimStart().length;
    const wrapped = previous.length + 1 + text.split(" ")[0].length > WIDTH;
    if (facts.length && wrapped && indent >= 2) facts[facts.length - 1].text += ` ${text}`;
    else {
      const [, key, value] = text.match(/^(\S+(?: \S+)?) {2,}(.*)/) || [null, "", text];
      facts.push({ key, text: value, depth: Math.min(3, indent >> 1) });
    }
    previous = line;
  }
  return facts;
}
