// One item on the sheet: its picture, which plays when it is pointed at, and what is to know at a glance.

// Pictures load once their frame is (almost) in view; a frame that is scrolled past in a moment loads nothing.
const SETTLE_MS = 90;
const eye = new IntersectionObserver((seen) => {
  for (const { target, isIntersecting } of seen) {
    clearTimeout(target.settling);
    if (isIntersecting && target.arrive) target.settling = setTimeout(() => { eye.unobserve(target); target.arrive(); }, SETTLE_MS);
  }
}, { rootMargin: "160px 0px" });

// A poster; where there is none, the video's own first picture.
function picture(item, frame) {
  const still = () => {
    const video = make("video.still", { preload: "metadata", tabindex: "-1", "aria-hidden": "true", src: `${item.video}#t=0.1` });
    video.muted = true;
    video.playsInline = true;
    frame.prepend(video);
  };
  if (!item.poster) return still();
  const image = make("img.still", { alt: "", decoding: "async", draggable: "false" });
  image.addEventListener("load", () => frame.classList.add("developed"));
  image.addEventListener("error", () => { image.remove(); still(); });
  image.src = item.poster;
  return frame.prepend(image);
}

// At most one video plays on the sheet: the one that is pointed at.
const projector = {
  frame: null,
  start(frame, item) {
    if (this.frame === frame) return;
    this.stop();
    const film = make("video.film", { src: item.video, tabindex: "-1", "aria-hidden": "true" });
    Object.assign(film, { muted: true, loop: true, playsInline: true });
    film.addEventListener("playing", () => frame.classList.add("playing"));
    film.addEventListener("error", () => { if (film.isConnected) frame.classList.add("lost"); this.stop(); });
    film.addEventListener("timeupdate", () => frame.style.setProperty("--played", film.currentTime / film.duration || 0));
    frame.querySelector(".open").append(film);
    this.frame = frame;
    film.play().catch(() => {});
  },
  stop() {
    if (!this.frame) return;
    const film = this.frame.querySelector(".film");
    this.frame.classList.remove("playing");
    this.frame = null;
    if (!film) return;
    film.pause();
    film.removeAttribute("src");
    film.load(); // so that what is still to come is not fetched
    film.remove();
  },
  turn(frame, item) { if (this.frame === frame) this.stop(); else this.start(frame, item); },
};

function drawCard(cell, look) {
  const { item } = cell;
  const frame = make(`div.frame.${item.section}`);
  const open = make("button.open", { type: "button", tabindex: "-1", "aria-label": spoken(item), "aria-haspopup": "dialog" });
  const element = make(`article.card.${item.section}`, { "data-key": item.key }, frame, caption(item));
  frame.append(open);
  if (item.video) {
    mount(frame, item, cell);
    frame.arrive = () => picture(item, open);
    eye.observe(frame);
    frame.append(make("span.length", { "aria-hidden": "true" }, lengthOf(item)), make("span.played", { "aria-hidden": "true" }));
    if (item.mismatch) frame.append(make("span.flag", { "aria-hidden": "true", title: item.mismatch }, "Not as ordered"));
    pointing(frame, open, item, look);
  } else {
    open.append(missing(item));
  }
  open.addEventListener("click", (event) => {
    if (item.video && event.pointerType === "touch") projector.turn(frame, item);
    else look(item);
  });
  open.addEventListener("keydown", (event) => {
    if (event.key !== " ") return;
    event.preventDefault(); // space plays, and neither scrolls nor clicks
    if (item.video && !event.repeat) projector.turn(frame, item);
  });
  return element;
}

// A picture of another shape than the sheet's lies on a mat, whole, as a print on its board.
function mount(frame, item, cell) {
  const shape = cell.width / cell.frame;
  if (Math.abs(item.ratio / shape - 1) < 0.02) return;
  frame.classList.add("mat", item.ratio < shape ? "upright" : "across");
  frame.style.setProperty("--ratio", item.ratio);
}

// Pointing at a frame plays it, without sound, unless its owner wants stillness. Touched, it has a button of its own.
function pointing(frame, open, item, look) {
  let waiting = 0;
  frame.addEventListener("pointerenter", (event) => {
    if (event.pointerType !== "mouse" || stillness.matches) return;
    waiting = setTimeout(() => projector.start(frame, item), 140);
  });
  frame.addEventListener("pointerleave", (event) => {
    clearTimeout(waiting);
    if (event.pointerType === "mouse" && projector.frame === frame) projector.stop();
  });
  const closer = make("button.closer", { type: "button", tabindex: "-1", "aria-label": `Look closer at ${item.key}`, onclick: () => look(item) });
  closer.append(icon("expand"));
  frame.append(closer);
}

// In place of a picture: what went wrong, in plain words; or how far it is.
function missing(item) {
  const state = STATE_WORDS[item.state] || item.state;
  if (item.replacedBy) return make("span.missing", {}, make("span.word", {}, state), make("span.why", { dir: "auto" }, `${item.replacedBy} took its place`));
  const why = item.meaning || (item.section === "attention" ? item.message : "");
  return make("span.missing", {}, make("span.word", {}, state), make("span.why", { dir: "auto" }, why));
}

function caption(item) {
  const variant = variantOf(item);
  const facts = [...item.labels.slice(0, 3).map(([name, value]) => `${name} ${value}`)];
  if (item.cost !== undefined) facts.push(money(item.cost));
  if (!item.video) facts.push(lengthOf(item));
  const tools = make("span.tools", {},
    tool("copy", `Copy the prompt of ${item.key}`, () => copy(item.prompt, "Prompt")),
    item.video && make("a.tool", { href: item.video, download: true, tabindex: "-1", "aria-label": `Download ${item.key}`, title: "Download" }, icon("down")));
  return make("div.caption", {},
    make("h3", { dir: "auto" }, make("span.key", { title: item.key }, variant ? item.group.key : item.key), variant && make("span.variant", {}, variant)),
    make("p.prompt", { dir: "auto", title: item.prompt.slice(0, 600) }, item.prompt.slice(0, 400)),
    make("p.facts", { dir: "auto" }, make("span.list", {}, facts.join(" · ")), tools));
}

function tool(shape, words, act) {
  return make("button.tool", { type: "button", tabindex: "-1", "aria-label": words, title: words.split(" of ")[0], onclick: act }, icon(shape));
}
