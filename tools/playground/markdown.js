// Shows the Markdown of lessons: paragraphs, lists, tables, code, diagrams. No HTML is read from the text.
import { element, linked } from "./dom.js";
import { drawSequence } from "./sequence.js";

const INLINE = /`([^`]+)`|\*\*(.+?)\*\*|\[([^\]]+)\]\(([^)\s]+)\)|(?<!\w)\*(\w[^*]*)\*/g;

// Returns nodes for a text with marks. `command` makes a button of code that is a command.
export function inline(text, command) {
  const nodes = [];
  let end = 0;
  for (const match of text.matchAll(INLINE)) {
    nodes.push(...linked(text.slice(end, match.index)));
    const [all, code, strong, label, , emphasis] = match;
    if (code) nodes.push((command && command(code)) || element("code", {}, code));
    else if (strong) nodes.push(element("strong", {}, linked(strong)));
    else if (emphasis) nodes.push(element("em", {}, linked(emphasis)));
    else nodes.push(label);
    end = match.index + all.length;
  }
  return [...nodes, ...linked(text.slice(end))];
}

export function markdown(text, command) {
  const nodes = [];
  text.split(/^```/m).forEach((part, n) => {
    if (n % 2) nodes.push(...fence(part, text));
    else for (const block of part.split(/\n\s*\n/)) if (block.trim()) nodes.push(blockOf(block.replace(/^\n+|\n+$/g, ""), command));
  });
  return nodes;
}

function fence(part, whole) {
  const [language, ...lines] = part.replace(/\n$/, "").split("\n");
  const code = lines.join("\n");
  if (language === "mermaid") {
    const drawn = code.startsWith("sequenceDiagram") ? drawSequence(code) : null;
    return drawn ? [drawn] : [];
  }
  // A drawn diagram replaces the same picture in characters.
  if (/[|+]-{2,}|-{2,}>|^\s*\|/m.test(code) && /^```mermaid\nsequenceDiagram/m.test(whole)) return [];
  return [element("pre", { class: "text", tabindex: "0", role: "region", "aria-label": "Example" }, code)];
}

function blockOf(block, command) {
  const heading = block.match(/^#+ (.*)/);
  if (heading) return element("h3", {}, inline(heading[1], command));
  if (block.startsWith("|")) return tableOf(block, command);
  if (/^([-*]|\d+\.) /.test(block)) {
    const items = block.split(/^(?=(?:[-*]|\d+\.) )/m).map((item) => item.replace(/^\S+ /, "").replace(/\n\s+/g, " "));
    return element(/^\d/.test(block) ? "ol" : "ul", {}, items.map((item) => element("li", {}, inline(item, command))));
  }
  if (block.startsWith("    ")) return element("pre", { class: "text", tabindex: "0", role: "region", "aria-label": "Example" }, block.replace(/^ {4}/gm, ""));
  return element("p", {}, inline(block.replace(/\n/g, " "), command));
}

function tableOf(block, command) {
  const rows = block.split("\n").filter((line) => !/^[|\s:-]+$/.test(line))
    .map((line) => line.trim().replace(/^\||\|$/g, "").split(" | ").map((cell) => cell.trim()));
  const [head, ...body] = rows;
  return element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": head.join(", ") },
    element("table", {},
      element("thead", {}, element("tr", {}, head.map((cell) => element("th", { scope: "col" }, inline(cell, command))))),
      element("tbody", {}, body.map((row) => element("tr", {}, row.map((cell) => element("td", {}, inline(cell, command))))))));
}
