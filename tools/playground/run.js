// The tab Run: commands for the TPM in this page, with their bytes and the TPM's internal steps.
import { element, find, linked } from "./dom.js";
import { legend, showMessage } from "./message.js";
import { setUpPrompt } from "./prompt.js";

const STARTERS = [
  ["Random bytes", "GetRandom 8"],
  ["Hash a text", "Hash text:hello"],
  ["Create a key and sign", "key = CreatePrimary ecc:ecdsa-sha256 + Sign $key text:hello"],
  ["Extend a PCR", "PCR_Event 23 text:boot + PCR_Read sha256:23"],
  ["Seal a secret", "parent = CreatePrimary + sealed = Create $parent data=text:secret + blob = Load $parent $sealed + Unseal $blob"],
  ["Store bytes", "NV_DefineSpace 0x01000001 dataSize=8 + NV_Write 0x01000001 text:12345678 + NV_Read 0x01000001"],
  ["Compute a policy", "trial = StartAuthSession TRIAL + PolicyPCR $trial sha256:7 + PolicyGetDigest $trial"],
  ["A command that is refused", "ReadPublic 0x81000001"],
];

export function setUpRun(call) {
  const line = find("line");
  const log = find("log");
  const prompt = setUpPrompt(line, (text) => call("complete", text));
  find("prompt").after(prompt.box);
  const send = async (text) => {
    text = text.trim();
    if (!text) return;
    prompt.note(text);
    line.value = "";
    find("run-note").textContent = "";
    const entry = element("article", { class: "entry card waiting" }, element("h2", { class: "typed" }, text));
    log.prepend(entry);
    find("starters").open = false;
    const answer = await call("run", text);
    entry.classList.remove("waiting");
    entry.append(...showRun(answer.result));
    // A line with a mistake comes back, to be corrected.
    if (answer.result.code === -1 && !line.value) line.value = text;
    find("run-note").textContent = answer.milliseconds ? `Executed in ${Math.max(1, Math.round(answer.milliseconds))} ms` : "";
    if (entry.getBoundingClientRect().top > innerHeight - 200) find("prompt").scrollIntoView({ block: "start" });
  };
  find("prompt").addEventListener("submit", (event) => {
    event.preventDefault();
    send(line.value);
  });
  find("reset").addEventListener("click", async () => {
    await call("new_tpm");
    log.replaceChildren();
    find("starters").open = true;
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
  const parts = (result.notes || []).map((note) => element("p", { class: "hint" }, note));
  if (result.code) parts.push(...showRefusal(result.text));
  else if (result.text) parts.push(...showResults(result.text));
  const count = result.exchanges.length;
  if (count) {
    const title = count === 1 ? "Bytes of the command and its response" : `Bytes of ${count} commands and their responses`;
    // Filled when opened: hundreds of bytes are elements of their own.
    parts.push(folded(title, () => [legend(), ...result.exchanges.flatMap((each) => [showMessage(each.command), showMessage(each.response)])]));
  }
  if (result.steps && result.steps.length) {
    parts.push(folded(`Inside the TPM: ${result.steps.length} steps`, () => [element("ol", { class: "steps" },
      result.steps.map(([name, detail]) => element("li", {}, element("b", {}, name), " ", element("span", {}, linked(detail)))))]));
  }
  return parts;
}

// Returns the results of commands: the last one is open, the results that it needed are folded.
function showResults(text) {
  const results = text.split(/\n(?=\$\d+ )/);
  return results.map((result, n) => {
    const [title, ...lines] = result.split("\n");
    const body = lines.length ? element("pre", { class: "text", tabindex: "0", role: "region", "aria-label": title }, linked(lines.join("\n"))) : null;
    return body
      ? element("details", { class: "value", open: n === results.length - 1 }, element("summary", {}, title), body)
      : element("p", { class: "value" }, linked(title));
  });
}

// A refusal is the last line of a text; results of earlier commands are above it.
function showRefusal(text) {
  const lines = text.split("\n");
  const last = lines.pop();
  return [...(lines.length ? showResults(lines.join("\n")) : []), element("p", { class: "refusal", role: "alert" }, linked(last))];
}

export function folded(title, fill) {
  const details = element("details", {}, element("summary", {}, title));
  details.addEventListener("toggle", () => {
    if (details.open && details.children.length === 1) details.append(...fill());
  });
  return details;
}
