// The tab Run: commands for the TPM in this page, with their bytes and the TPM's internal steps.
import { element, find, linked } from "./dom.js";
import { legend, showMessage } from "./message.js";

const STARTERS = [
  ["Random bytes", "GetRandom bytesRequested=8"],
  ["Create a primary key", "CreatePrimary primaryHandle=owner inPublic=template:srk-ecc"],
  ["Read a PCR", "PCR_Read pcrSelectionIn=sha256:0,23"],
  ["Hash a text", "Hash data=text:hello hashAlg=SHA256 hierarchy=owner"],
  ["A command that is refused", "ReadPublic objectHandle=0x81000001"],
];

export function setUpRun(call) {
  const line = find("line");
  const log = find("log");
  const typed = [];
  let at = 0;
  const send = async (text) => {
    text = text.trim();
    if (!text) return;
    typed.push(text);
    at = typed.length;
    line.value = "";
    find("run-note").textContent = "";
    const entry = element("div", { class: "entry waiting" }, element("p", { class: "typed" }, element("span", { "aria-hidden": "true" }, "> "), text));
    log.append(entry);
    log.scrollTop = log.scrollHeight;
    const answer = await call("run", text);
    entry.classList.remove("waiting");
    entry.append(...showRun(answer.result));
    if (answer.result.error && !line.value) line.value = text;
    find("run-note").textContent = answer.milliseconds ? `Executed in ${Math.max(1, Math.round(answer.milliseconds))} ms` : "";
    log.scrollTop = entry.offsetTop - log.offsetTop - 8;
  };
  find("prompt").addEventListener("submit", (event) => {
    event.preventDefault();
    send(line.value);
  });
  line.addEventListener("keydown", (event) => {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!step || !typed.length) return;
    event.preventDefault();
    at = Math.max(0, Math.min(typed.length, at + step));
    line.value = typed[at] || "";
  });
  find("reset").addEventListener("click", async () => {
    await call("new_tpm");
    log.replaceChildren();
    find("run-note").textContent = "A new TPM has started.";
    line.focus();
  });
  find("lines").append(...STARTERS.map(([label, text]) =>
    element("button", { type: "button", onclick: () => send(text) }, element("b", {}, label), element("code", {}, text))));
  return (text) => {
    line.value = text;
    line.focus();
  };
}

// Returns the elements for the result of a line.
export function showRun(result) {
  if (result.error) return [element("p", { class: "refusal", role: "alert" }, linked(result.error))];
  const parts = [];
  if (result.text) parts.push(element("pre", { class: "text", tabindex: "0" }, result.text));
  if (result.exchanges && result.exchanges.length) {
    const count = result.exchanges.length;
    parts.push(element("details", {}, element("summary", {}, count === 1 ? "Bytes of the command and its response" : `Bytes of ${count} commands and their responses`),
      legend(), result.exchanges.flatMap((exchange) => [showMessage(exchange.command), showMessage(exchange.response)])));
  }
  if (result.steps && result.steps.length) {
    parts.push(element("details", {}, element("summary", {}, `Inside the TPM: ${result.steps.length} steps`),
      element("ol", { class: "steps" }, result.steps.map(([name, detail]) =>
        element("li", {}, element("b", {}, name), " ", element("span", {}, linked(detail)))))));
  }
  return parts;
}
