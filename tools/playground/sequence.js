// Draws a sequence diagram of mermaid as an SVG picture: participants, arrows, and notes.

const NS = "http://www.w3.org/2000/svg";

function shape(name, attributes, ...children) {
  const made = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// Returns the lines of a text, each of at most `most` characters where words allow it.
function wrap(text, most) {
  const lines = [""];
  for (const word of text.split(" ")) {
    const last = lines[lines.length - 1];
    if (last && last.length + word.length + 1 > most) lines.push(word);
    else lines[lines.length - 1] = last ? `${last} ${word}` : word;
  }
  return lines;
}

// Returns the picture, or null if a line of the diagram is not known.
export function drawSequence(source) {
  const names = new Map();
  const steps = [];
  for (const line of source.split("\n").slice(1).map((each) => each.trim()).filter(Boolean)) {
    const person = line.match(/^(?:participant|actor) (\S+)(?: as (.*))?$/);
    const arrow = line.match(/^(\S+?)(--?>>|--?>|--?[x)])(\S+?): ?(.*)$/);
    const note = line.match(/^Note (?:over|left of|right of) ([^:]+): ?(.*)$/i);
    if (person) names.set(person[1], person[2] || person[1]);
    else if (arrow) {
      for (const each of [arrow[1], arrow[3]]) if (!names.has(each)) names.set(each, each);
      steps.push({ from: arrow[1], to: arrow[3], text: arrow[4], dashed: arrow[2].startsWith("--") });
    } else if (note) steps.push({ over: note[1].split(",").map((each) => each.trim()), text: note[2] });
    else return null;
  }
  const keys = [...names.keys()];
  const gap = keys.length > 2 ? 210 : 330;
  const margin = 90;
  const width = margin * 2 + gap * (keys.length - 1);
  const x = (key) => margin + gap * keys.indexOf(key);
  const drawn = [];
  let y = 62;
  for (const step of steps) {
    const own = step.from && step.from === step.to;
    const left = step.over ? Math.min(...step.over.map(x)) : Math.min(x(step.from), x(step.to));
    const right = step.over ? Math.max(...step.over.map(x)) : Math.max(x(step.from), x(step.to));
    const room = own ? gap - 20 : Math.max(right - left, gap - 30);
    const lines = wrap(step.text, Math.floor(room / 7.2));
    const middle = own ? x(step.from) + 12 : (left + right) / 2;
    const height = lines.length * 17;
    const anchor = own && keys.indexOf(step.from) < keys.length - 1 ? "start" : own ? "end" : "middle";
    const at = own && anchor === "end" ? middle - 24 : middle;
    lines.forEach((line, n) => drawn.push(shape("text", { x: at, y: y + 12 + n * 17, "text-anchor": anchor, class: step.over ? "note" : "label" }, line)));
    y += height + 6;
    if (!step.over && !own) {
      const direction = x(step.to) > x(step.from) ? 1 : -1;
      const end = x(step.to) - 5 * direction;
      drawn.push(shape("line", { x1: x(step.from), y1: y, x2: end, y2: y, class: step.dashed ? "arrow back" : "arrow" }));
      drawn.push(shape("path", { d: `M${x(step.to)} ${y} l${-9 * direction} -5 v10 z`, class: "head" }));
    }
    y += 14;
  }
  const life = keys.map((key) => shape("line", { x1: x(key), y1: 44, x2: x(key), y2: y, class: "life" }));
  const boxes = keys.flatMap((key) => {
    const lines = wrap(names.get(key), 20);
    return [
      shape("rect", { x: x(key) - 82, y: 4, width: 164, height: 40, rx: 8, class: "person" }),
      ...lines.map((line, n) => shape("text", { x: x(key), y: (lines.length > 1 ? 21 : 29) + n * 16, "text-anchor": "middle", class: "name" }, line)),
    ];
  });
  const said = steps.map((step) => (step.over ? step.text : `${names.get(step.from)} to ${names.get(step.to)}: ${step.text}`)).join(". ");
  const picture = shape("svg", { viewBox: `0 0 ${width} ${y + 8}`, class: "sequence", role: "img", "aria-label": said }, ...life, ...boxes, ...drawn);
  const figure = document.createElement("figure");
  figure.className = "picture";
  figure.tabIndex = 0;
  figure.append(picture);
  picture.style.minWidth = `${Math.min(width, 360 + 130 * (keys.length - 2))}px`;
  return figure;
}
