// Starts Python in a worker, and connects the page's tabs with it.
import { find, setPages } from "./dom.js";
import { setUpExplain } from "./explain.js";
import { setUpLearn } from "./learn.js";
import { setUpRun } from "./run.js";

const TABS = ["explain", "run", "learn"];
const waiting = new Map();
let count = 0;
let failure = "";

// A worker from a blob has the Content-Security-Policy of this page: Python can connect to this site only.
const script = `import ${JSON.stringify(new URL("worker.js", import.meta.url).href)};`;
const address = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
const worker = location.protocol === "file:" ? null : new Worker(address, { type: "module" });

function fail(message) {
  failure = message;
  find("loading").hidden = false;
  find("loading").classList.add("failed");
  find("loading-text").textContent = message;
  find("progress").hidden = true;
  for (const { resolve } of waiting.values()) resolve({ result: { error: message } });
  waiting.clear();
}

// Calls a function of Python: resolves to {result, milliseconds}.
function call(name, ...args) {
  if (failure) return Promise.resolve({ result: { error: failure } });
  return new Promise((resolve) => {
    waiting.set(++count, { resolve });
    worker.postMessage({ id: count, name, args });
  });
}

function receive({ data }) {
  if (data.progress !== undefined) {
    find("progress").value = data.progress;
    const percent = data.progress < 1 ? ` (${Math.round(100 * data.progress)} %)` : "";
    if (find("loading-text").dataset.text !== data.text) find("loading-text").textContent = data.text;
    find("loading-text").dataset.text = data.text;
    find("progress").title = `${data.text}${percent}`;
    if (data.progress === 1) {
      setPages(data.facts.names);
      document.documentElement.dataset.ready = String(Math.round(performance.now()));
      find("loading").hidden = true;
      learn.ready(data.facts);
    }
    return;
  }
  if (data.failed) return fail(`Python did not start: ${data.failed}. Reload the page, or use a newer browser.`);
  const { resolve } = waiting.get(data.id);
  waiting.delete(data.id);
  if (data.error) resolve({ result: { error: `internal error: ${lastLine(data.error)}` } });
  else resolve({ result: data.result, milliseconds: data.milliseconds });
}

const lastLine = (text) => text.trim().split("\n").pop();

function select(name, focus) {
  for (const tab of TABS) {
    const button = find(`tab-${tab}`);
    button.setAttribute("aria-selected", String(tab === name));
    button.tabIndex = tab === name ? 0 : -1;
    find(tab).hidden = tab !== name;
  }
  if (focus) find(`tab-${name}`).focus();
}

function route() {
  const [name, ...rest] = location.hash.slice(1).split("/");
  const tab = TABS.includes(name) ? name : "explain";
  select(tab);
  let text = rest.join("/");
  try {
    text = decodeURIComponent(text);
  } catch {
    // Not encoded: used as it is.
  }
  if (tab === "explain" && text) explain(text);
  if (tab === "run" && text) run(text);
  if (tab === "learn") learn.open(text);
}

const explain = setUpExplain(call);
const run = setUpRun(call);
const learn = setUpLearn(call);

TABS.forEach((tab, n) => {
  const button = find(`tab-${tab}`);
  const go = (name, focus) => {
    history.pushState(null, "", `#${name}`);
    select(name, focus);
    if (name === "learn") learn.open("");
  };
  button.addEventListener("click", () => go(tab));
  button.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const edge = { Home: 0, End: TABS.length - 1 }[event.key];
    const target = step ? (n + step + TABS.length) % TABS.length : edge;
    if (target === undefined) return;
    event.preventDefault();
    go(TABS[target], true);
  });
});

find("theme").addEventListener("click", () => {
  const dark = getComputedStyle(document.documentElement).colorScheme.includes("dark");
  document.documentElement.dataset.theme = dark ? "light" : "dark";
  try {
    localStorage.setItem("tpmwire-theme", dark ? "light" : "dark");
  } catch {
    // Storage may be disabled.
  }
});

if (worker) {
  worker.addEventListener("message", receive);
  worker.addEventListener("error", (event) => fail(`Python did not start: ${event.message || "the worker failed"}.`));
} else {
  fail("The page was opened as a file. Browsers run Python only from a server: python3 -m http.server -d build/site");
}
addEventListener("hashchange", route);
addEventListener("popstate", route);
route();
