// Runs Python in a worker: answers {id, name, args} with {id, result} or {id, error}, and reports its start.
import { loadPyodide } from "./pyodide/pyodide.mjs";

const here = new URL(".", import.meta.url);
let python = null;

function report(done, text) {
  self.postMessage({ progress: done, text });
}

// Counts the bytes of downloads, for the progress bar.
function countDownloads(total) {
  const fetchFile = self.fetch;
  let received = 0;
  self.fetch = async (...args) => {
    const response = await fetchFile(...args);
    if (!response.ok || !response.body) return response;
    const count = new TransformStream({
      transform(chunk, controller) {
        received += chunk.byteLength;
        report(Math.min(0.7, (0.7 * received) / total), "Downloading Python");
        controller.enqueue(chunk);
      },
    });
    return new Response(response.body.pipeThrough(count), {
      headers: { "Content-Type": response.headers.get("Content-Type") || "" },
      status: response.status,
    });
  };
}

async function start() {
  const files = await (await fetch(new URL("files.json", here))).json();
  countDownloads(files.bytes);
  const archive = fetch(new URL("tpmwire.zip", here)).then((response) => response.arrayBuffer());
  const pyodide = await loadPyodide({ indexURL: new URL("pyodide/", here).href });
  report(0.8, "Loading tpmwire");
  pyodide.unpackArchive(await archive, "zip", { extractDir: "/app" });
  pyodide.runPython("import sys; sys.path.insert(0, '/app')");
  python = pyodide.pyimport("playground_bridge");
  report(0.95, "Starting a TPM");
  const facts = JSON.parse(python.start());
  self.postMessage({ progress: 1, text: "Ready", facts });
}

const started = start();
started.catch((error) => self.postMessage({ failed: String((error && error.message) || error) }));

self.onmessage = async ({ data: { id, name, args } }) => {
  try {
    await started;
    const begin = performance.now();
    const result = JSON.parse(python[name](...args));
    self.postMessage({ id, result, milliseconds: performance.now() - begin });
  } catch (error) {
    self.postMessage({ id, error: String((error && error.message) || error) });
  }
};
