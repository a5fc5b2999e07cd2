// The tab Learn: lessons, each with tasks that are checked in a TPM of its own. Progress stays in the browser.
import { element, find } from "./dom.js";
import { inline, markdown } from "./markdown.js";
import { setUpPrompt } from "./prompt.js";
import { showRun } from "./run.js";

const STORE = "tpmwire-lessons";

function solvedLessons() {
  try {
    return new Set(JSON.parse(localStorage.getItem(STORE)) || []);
  } catch {
    return new Set();
  }
}

function storeSolved(slugs) {
  try {
    localStorage.setItem(STORE, JSON.stringify([...slugs]));
  } catch {
    // Storage may be disabled: progress then lasts as long as the page.
  }
}

export function setUpLearn(call) {
  const panel = find("learn");
  let lessons = null;
  let solved = solvedLessons();
  let wanted = null;

  const showList = () => {
    const next = lessons.find((lesson) => !solved.has(lesson.slug)) || lessons[0];
    panel.replaceChildren(
      element("h1", {}, "Learn TPM 2.0 by doing"),
      element("p", { class: "lead" }, `${lessons.length} lessons. In each, you send commands to a TPM in this page, and the page checks your tasks.`),
      element("div", { class: "progress" },
        element("a", { class: "button primary", href: `#learn/${next.slug}` }, `${solved.size ? "Continue" : "Start"}: ${next.title}`),
        element("span", {}, `${[...solved].filter((slug) => lessons.some((lesson) => lesson.slug === slug)).length} of ${lessons.length} solved`)),
      element("ol", { class: "lessons" }, lessons.map((lesson) =>
        element("li", { class: solved.has(lesson.slug) ? "solved" : null },
          element("a", { href: `#learn/${lesson.slug}` },
            element("span", { class: "number", "aria-hidden": "true" }, solved.has(lesson.slug) ? "✓" : String(lesson.number)),
            element("span", {}, lesson.title, solved.has(lesson.slug) ? element("span", { class: "hidden" }, " (solved)") : null))))));
  };

  const showLesson = async (slug) => {
    const known = lessons.find((lesson) => lesson.slug === slug || String(lesson.number) === slug.replace(/^0/, "") || lesson.slug.slice(3) === slug);
    if (!known) return showList();
    const { result: lesson } = await call("open_lesson", known.number);
    if (lesson.error) return panel.replaceChildren(element("p", { class: "card refusal" }, lesson.error));
    const line = element("input", { id: "lesson-line", spellcheck: "false", autocapitalize: "off", autocomplete: "off", enterkeyhint: "send", placeholder: "a command, or: hint" });
    const command = (code) =>
      /^([A-Z][A-Za-z0-9_]+ \S|\w+ = [A-Z]|answer|flip|wire|tasks|hint)/.test(code)
        ? element("button", { type: "button", class: "code", title: "Copy to the prompt", onclick: () => { line.value = code; line.focus(); } }, code)
        : null;
    const marks = lesson.tasks.map(() => element("span", { class: "mark", "aria-hidden": "true" }));
    const missing = lesson.tasks.map(() => element("p", { class: "missing" }));
    const items = lesson.tasks.map((task, n) =>
      element("li", { class: "task" }, marks[n],
        element("div", {}, element("p", {}, inline(task.text.replace(/\n/g, " "), command)), missing[n],
          element("details", {}, element("summary", {}, "Hint"), element("p", {}, inline(task.hint.replace(/\n/g, " "), command))))));
    const log = element("div", { class: "log" });
    const note = element("p", { class: "status", role: "status" });
    const prompt = setUpPrompt(line, (text) => call("complete_lesson", text));
    const send = async (text) => {
      text = text.trim();
      if (!text) return;
      prompt.note(text);
      line.value = "";
      const entry = element("article", { class: "entry waiting" }, element("h3", { class: "typed" }, text));
      log.prepend(entry);
      const { result } = await call("run_lesson", text);
      entry.classList.remove("waiting");
      entry.append(...showRun(result));
      if (text === "wire") for (const each of entry.querySelectorAll("details")) each.open = true;
      if (result.error) return;
      for (const [n, item] of items.entries()) {
        const done = result.done.includes(n);
        item.classList.toggle("done", done);
        marks[n].textContent = done ? "✓" : "";
        missing[n].textContent = done ? "" : result.missing[n] || "";
      }
      if (result.code === -1 && !line.value) line.value = text;
      const news = result.tasks.map((n) => n + 1);
      note.textContent = news.length ? `Task ${news.join(", ")} solved.` : "";
      if (result.solved && !solved.has(lesson.slug)) {
        solved.add(lesson.slug);
        storeSolved(solved);
      }
      if (result.solved) {
        note.textContent = "";
        finished.hidden = false;
      }
    };
    const next = lessons[known.number];
    const finished = element("div", { class: "finished", role: "status", hidden: true },
      element("strong", {}, "Lesson solved. "),
      next ? element("a", { class: "button primary", href: `#learn/${next.slug}` }, `Next: ${next.title}`) : "It was the last one.");
    const before = lessons[known.number - 2];
    panel.replaceChildren(
      element("nav", { class: "steps-nav", "aria-label": "Lessons" },
        element("a", { href: "#learn" }, "All lessons"),
        before ? element("a", { href: `#learn/${before.slug}` }, `← ${before.title}`) : null,
        next ? element("a", { href: `#learn/${next.slug}` }, `${next.title} →`) : null),
      element("p", { class: "kind" }, `Lesson ${lesson.number} of ${lessons.length}`),
      element("h1", { tabindex: "-1" }, lesson.title),
      element("div", { class: "lesson" },
        element("div", { class: "reading" }, markdown(lesson.text, command), lesson.picture ? markdown(lesson.picture, command) : null,
          element("details", { class: "help" }, element("summary", {}, "In the field: what goes wrong, and why"), markdown(lesson.field, command)),
          element("details", { class: "help" }, element("summary", {}, "A solution"),
            element("ol", { class: "solution" }, lesson.solution.map((each) => element("li", {}, command(each) || element("code", {}, each)))))),
        element("div", { class: "doing" },
          element("section", { class: "card", "aria-labelledby": "tasks-title" }, element("h2", { id: "tasks-title" }, "Tasks"), element("ol", { class: "tasks" }, items), finished),
          element("form", { class: "box prompt", autocomplete: "off", onsubmit: (event) => { event.preventDefault(); send(line.value); } },
            element("label", { for: "lesson-line" }, element("span", { "aria-hidden": "true" }, ">"), element("span", { class: "hidden" }, "Command")),
            line, element("button", { class: "primary" }, "Send")),
          prompt.box, note, log)));
    scrollTo(0, 0);
  };

  const open = async (slug) => {
    wanted = slug;
    if (!lessons) {
      if (!panel.children.length) panel.replaceChildren(element("h1", {}, "Learn TPM 2.0 by doing"), element("p", { class: "lead" }, "The lessons are loading."));
      const { result } = await call("lessons");
      if (result.error) return panel.replaceChildren(element("h1", {}, "Learn TPM 2.0 by doing"), element("p", { class: "card refusal" }, result.error));
      lessons = result.lessons;
    }
    if (wanted !== slug) return;
    if (slug) await showLesson(slug);
    else showList();
  };
  return { open, ready() {} };
}
