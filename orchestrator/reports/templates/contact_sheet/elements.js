// Elements made of names and texts. Nothing here reads markup: what people and servers wrote stays text.

const byId = (id) => document.getElementById(id);

// make("p.prompt", {dir: "auto"}, "text", child, …)
function make(what, attributes = {}, ...children) {
  const [tag, ...classes] = what.split(".");
  const element = document.createElement(tag);
  if (classes.length) element.className = classes.join(" ");
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child || child === 0));
  return element;
}

const SHAPES = {
  play: "M7 4.5v15l12-7.5z",
  pause: "M7 5h3.6v14H7zM13.4 5H17v14h-3.6z",
  expand: "M4 9V4h5v1.8H5.8V9zM15 4h5v5h-1.8V5.8H15zM4 15h1.8v3.2H9V20H4zM18.2 15H20v5h-5v-1.8h3.2z",
  copy: "M8 3h11v13h-2V5H8zM5 7h10v14H5zm1.8 1.8v10.4h6.4V8.8z",
  down: "M11 3h2v9.2l3.3-3.3 1.4 1.4L12 16l-5.7-5.7 1.4-1.4 3.3 3.3zM4 19h16v2H4z",
  close: "M6.4 5 12 10.6 17.6 5 19 6.4 13.4 12l5.6 5.6-1.4 1.4-5.6-5.6L6.4 19 5 17.6l5.6-5.6L5 6.4z",
  back: "M15.5 4.5 8 12l7.5 7.5-1.5 1.5-9-9 9-9z",
  next: "M8.5 4.5 16 12l-7.5 7.5L10 21l9-9-9-9z",
};

function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  const path = document.createElementNS(space, "path");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", SHAPES[name]);
  svg.append(path);
  return svg;
}

// Tells everybody, screen readers too, and fades.
let saidUntil = 0;
function say(text) {
  byId("said").textContent = text;
  byId("said").classList.add("shown");
  clearTimeout(saidUntil);
  saidUntil = setTimeout(() => byId("said").classList.remove("shown"), 1800);
}

async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Not everywhere may a page reach the clipboard by itself.
    const area = make("textarea", { "aria-hidden": "true", class: "aside" });
    area.value = text;
    (document.querySelector("dialog[open]") || document.body).append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  say(`${what} copied`);
}

const stillness = matchMedia("(prefers-reduced-motion: reduce)");
