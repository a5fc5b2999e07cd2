// Shows messages as bytes and fields, and tables of the standard. Pointing at one highlights the other.
import { element, linked } from "./dom.js";

const HEADER = new Set([
  "tag", "commandSize", "commandCode", "responseSize", "responseCode", "authorizationSize", "parameterSize",
]);

// Returns the kind of a part of a message: header, handle, authorization, or parameter.
function kindOf(node, root) {
  if (root.type !== "command" && root.type !== "response") return "param";
  if (HEADER.has(node.name)) return "head";
  if (node.name.startsWith("authorization")) return "auth";
  if (/^(TPMI_[DRS]H|TPM_HANDLE)/.test(node.type || "")) return "handle";
  return "param";
}

// Returns the rows of a message: {node, depth, kind, from, to}; sizes and buffers are part of their field's row.
function rowsOf(root) {
  const rows = [];
  const add = (node, depth, kind, derived) => {
    let children = node.children || [];
    if (children.length && ["size", "count"].includes(children[0].name)) children = children.slice(1);
    if (children.length === 1 && !children[0].type && children[0].name === "buffer") children = [];
    const to = node.offset + node.size;
    rows.push({ node, depth, kind, from: derived ? 0 : node.offset, to: derived ? 0 : to, derived });
    for (const child of children) add(child, depth + 1, kind, derived);
    for (const child of node.beside || []) add(child, depth + 1, kind, true);
  };
  for (const child of root.children || []) add(child, 0, kindOf(child, root), false);
  for (const child of root.beside || []) add(child, 0, "param", true);
  return rows;
}

function dumpOf(root, kinds) {
  const dump = element("div", { class: "dump", "aria-hidden": "true" });
  const octets = (root.octets || "").match(/../g) || [];
  const shown = octets.slice(0, 4096);
  for (let at = 0; at < shown.length; at += 8) {
    const line = element("span", { class: "line" }, element("span", { class: "at" }, at.toString(16).padStart(4, "0")));
    shown.slice(at, at + 8).forEach((octet, n) => {
      line.append(element("span", { class: `byte ${kinds[at + n] || ""}`, data: { at: at + n } }, octet));
    });
    dump.append(line);
  }
  if (shown.length < octets.length) dump.append(element("span", { class: "line" }, `${octets.length - shown.length} more bytes`));
  return dump;
}

export function showMessage(root) {
  const rows = rowsOf(root);
  const kinds = [];
  for (const row of rows) if (!row.derived) for (let at = row.from; at < row.to; at++) kinds[at] = row.kind;
  const dump = dumpOf(root, kinds);
  const list = element("ul", { class: "fields", tabindex: "0", "aria-label": "Fields: arrow keys highlight the bytes of each" });
  for (const { node, depth, kind, from, to, derived } of rows) {
    const about = [node.type, node.spec].filter(Boolean).join(", ");
    const value = derived && node.octets && !node.children ? element("code", { class: "hex" }, node.octets) : null;
    list.append(
      element("li", { class: `field ${kind}${derived ? " derived" : ""}`, data: { from, to }, style: null },
        element("span", { class: `indent d${Math.min(depth, 6)}` }),
        element("span", { class: "words" },
          element("span", { class: "name" }, node.name), " ",
          element("span", { class: "text" }, linked(node.text || "")), " ", value,
          about ? element("span", { class: "about" }, linked(about)) : null,
          node.error ? element("span", { class: "bad" }, node.error) : null)));
  }
  const code = (root.children || []).find((child) => child.name === "responseCode");
  const refused = code && !/^0+$/.test(code.octets);
  const card = element("article", { class: `message ${root.type || ""} ${refused || root.error ? "refused" : ""}` },
    element("h2", {}, element("span", { class: "title" }, linked(titleOf(root))),
      element("span", { class: "size" }, `${root.size} bytes`)),
    root.text ? element("p", { class: "purpose" }, linked(root.text), root.spec ? element("span", { class: "about" }, root.spec) : null) : null,
    root.error ? element("p", { class: "bad" }, root.error) : null,
    element("div", { class: "split" }, dump, list));
  connect(card, dump, list);
  return card;
}

const titleOf = (root) => (root.type === "response" ? "Response" : root.name);

// Highlights the bytes of the field at the pointer, and the field of the byte at the pointer.
function connect(card, dump, list) {
  const bytes = [...dump.querySelectorAll(".byte")];
  const fields = [...list.children];
  const light = (from, to, field) => {
    for (const lit of card.querySelectorAll(".lit")) lit.classList.remove("lit");
    for (const byte of bytes.slice(from, to)) byte.classList.add("lit");
    if (field) field.classList.add("lit");
  };
  list.addEventListener("pointerover", (event) => {
    const field = event.target.closest(".field");
    if (field) light(+field.dataset.from, +field.dataset.to, field);
  });
  dump.addEventListener("pointerover", (event) => {
    const byte = event.target.closest(".byte");
    if (!byte) return;
    const at = +byte.dataset.at;
    const around = fields.filter((field) => +field.dataset.from <= at && at < +field.dataset.to);
    const narrow = around[around.length - 1];
    if (narrow) light(+narrow.dataset.from, +narrow.dataset.to, narrow);
  });
  list.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || event.target !== list) return;
    event.preventDefault();
    const now = fields.findIndex((field) => field.classList.contains("lit"));
    const field = fields[Math.max(0, Math.min(fields.length - 1, now < 0 ? 0 : now + step))];
    light(+field.dataset.from, +field.dataset.to, field);
    field.scrollIntoView({ block: "nearest" });
  });
  list.addEventListener("blur", () => light(0, 0, null));
  card.addEventListener("pointerleave", () => light(0, 0, null));
}

export function showTable(table) {
  const parts = table.parts.filter((part) => part.rows.length);
  return element("div", { class: "spec" },
    element("p", { class: "purpose" }, linked(table.purpose), table.spec ? element("span", { class: "about" }, table.spec) : null),
    parts.map((part) => [
      element("h3", {}, part.heading),
      part.rows.length === 1 && part.rows[0].length === 1
        ? element("p", {}, linked(part.rows[0][0]))
        : element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": part.heading },
          element("table", {}, element("tbody", {}, part.rows.map((row) =>
            element("tr", {}, row.map((cell, n) => element(n ? "td" : "th", n ? {} : { scope: "row" }, linked(cell)))))))),
    ]));
}

export function legend() {
  const kinds = [["head", "header"], ["handle", "handles"], ["auth", "authorizations"], ["param", "parameters"]];
  return element("p", { class: "legend", "aria-hidden": "true" },
    kinds.map(([kind, label]) => element("span", {}, element("span", { class: `byte ${kind}` }, "00"), ` ${label}`)));
}
