// Small helpers for the page's elements. Text is set as text only, so that pasted input never becomes HTML.

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key === "class") made.className = value;
    else if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key === "data") Object.assign(made.dataset, value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== ""));
  return made;
}

export const find = (id) => document.getElementById(id);

const NAMES = /\b(?:TPM2_[A-Za-z0-9_]+|TPM2B_[A-Z0-9_]+|TPM[A-Z]?_[A-Z0-9_a-z]+)\b|`([^`]+)`/g;
let pages = {};

export function setPages(names) {
  pages = names;
}

// Returns nodes for a text, in which names of the standard link to their pages and `words` are code.
export function linked(text) {
  const nodes = [];
  let end = 0;
  for (const match of text.matchAll(NAMES)) {
    nodes.push(text.slice(end, match.index));
    const name = match[0];
    if (match[1]) nodes.push(element("code", {}, match[1]));
    else if (Object.hasOwn(pages, name)) nodes.push(element("a", { href: `../${pages[name]}` }, name));
    else nodes.push(name);
    end = match.index + name.length;
  }
  nodes.push(text.slice(end));
  return nodes.filter((node) => node !== "");
}
