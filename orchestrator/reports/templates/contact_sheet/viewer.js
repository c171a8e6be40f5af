// A closer look at one item: large, with sound, with all that is known of it, and its takes and revisions at hand.

class Viewer {
  // `neighbour(item, step)`: the item before (-1) or behind (1) on the sheet; `moved(item, last)`: another one is looked at, or
  // none any more (null) after the last.
  constructor(neighbour, moved) {
    Object.assign(this, { dialog: byId("viewer"), neighbour, moved, item: null });
    this.dialog.addEventListener("close", () => this.closed());
    this.dialog.addEventListener("click", (event) => { if (event.target === this.dialog) this.dialog.close(); });
    this.dialog.addEventListener("keydown", (event) => this.pressed(event));
  }

  show(item) {
    projector.stop();
    this.letGo();
    this.item = item;
    this.dialog.replaceChildren(this.stage(item), this.side(item));
    if (!this.dialog.open) this.dialog.showModal();
    this.dialog.focus({ preventScroll: true });
    this.moved(item);
  }

  closed() {
    this.letGo();
    const last = this.item;
    this.item = null;
    this.dialog.replaceChildren();
    this.moved(null, last);
  }

  // A video that nobody looks at any more is not fetched any further.
  letGo() {
    const film = this.dialog.querySelector("video");
    if (!film) return;
    film.pause();
    film.removeAttribute("src");
    film.load();
  }

  step(by) {
    const other = this.neighbour(this.item, by);
    if (other) this.show(other);
  }

  pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const film = this.dialog.querySelector("video");
    if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
      event.preventDefault();
      this.step(event.key === "ArrowLeft" ? -1 : 1);
    } else if (event.key === " " && film && !event.target.closest("button, a")) {
      event.preventDefault();
      if (film.paused) film.play().catch(() => {});
      else film.pause();
    }
  }

  stage(item) {
    const stage = make(`div.stage.${item.section}`);
    stage.style.setProperty("--ratio", item.ratio);
    if (item.video) {
      const film = make("video.big", { controls: true, src: item.video, poster: item.poster, tabindex: "0", "aria-label": spoken(item) });
      Object.assign(film, { loop: true, playsInline: true, autoplay: !stillness.matches });
      film.addEventListener("error", () => {
        if (film.getAttribute("src")) stage.append(make("p.trouble", { role: "alert" }, "The video does not stand beside this page, or cannot be played here."));
      });
      stage.append(film);
    } else {
      stage.append(missing(item));
    }
    const go = (by, shape, words) => make(`button.go.${shape}`, { type: "button", "aria-label": words, disabled: !this.neighbour(item, by), onclick: () => this.step(by) }, icon(shape));
    stage.append(go(-1, "back", "The one before"), go(1, "next", "The next one"));
    return stage;
  }

  side(item) {
    const close = make("button.close", { type: "button", "aria-label": "Close", onclick: () => this.dialog.close() }, icon("close"));
    const act = (words, shape, does) => make("button.act", { type: "button", onclick: does }, icon(shape), words);
    return make("div.side", {},
      make("div.top", {}, make("p.state", {}, STATE_WORDS[item.state] || item.state), close),
      make("h2", { id: "viewer-title", dir: "auto" }, item.key),
      this.siblings(item),
      item.mismatch && make("p.notice", {}, make("strong", {}, "Not as ordered: "), item.mismatch),
      this.instead(item),
      this.failure(item),
      // Above the prompt, which may be as long as it likes.
      make("div.acts", {},
        act("Copy prompt", "copy", () => copy(item.prompt, "Prompt")),
        item.video && make("a.act", { href: item.video, download: true }, icon("down"), "Download"),
        act("Copy link", "copy", () => copy(location.href, "Link"))),
      make("p.words", { dir: "auto" }, item.prompt),
      item.shortened && make("p.note", {}, "Shortened here; results.csv has it whole."),
      this.facts(item));
  }

  siblings(item) {
    if (item.group.items.length < 2) return null;
    const others = item.group.items.map((each) => make("button.chip", {
      type: "button", "aria-pressed": String(each === item), onclick: () => this.show(each),
    }, variantOf(each)));
    return make("div.chips", { role: "group", "aria-label": "Takes and revisions" }, ...others);
  }

  // Its row was mended: what is wanted since.
  instead(item) {
    if (!item.replacedBy) return null;
    const other = item.group.items.find((each) => each.key === item.replacedBy);
    const name = other ? make("button.link", { type: "button", onclick: () => this.show(other) }, other.key) : item.replacedBy;
    return make("p.notice", { dir: "auto" }, "Its row was mended, and ", name, " took its place.");
  }

  failure(item) {
    if (item.video || !(item.meaning || item.message)) return null;
    return make("div.notice", {},
      item.meaning && make("p", {}, capital(item.meaning), "."),
      item.mend && !item.replacedBy && make("p", {}, make("strong", {}, "What helps: "), ...spans(item.mend), "."),
      item.message && item.message !== item.meaning && make("p.note", { dir: "auto" }, `In the provider’s or the program’s own words: ${item.message}`));
  }

  facts(item) {
    const found = [
      ["Model", item.model], ["Size", item.size.replace("x", " × ")],
      ["Length", item.duration && Math.abs(item.duration - item.seconds) > 0.5 ? `${lasting(item.duration)}, ordered ${lasting(item.seconds)}` : lengthOf(item)],
      ["Cost", item.cost === undefined ? "" : money(item.cost)],
      ["File", item.bytes ? sized(item.bytes) : ""],
      ["In the archive since", instant(item.archivedAt)], ["Reason", item.reason],
      ...item.labels,
    ].filter(([, value]) => value);
    const list = make("dl.facts", {}, ...found.map(([name, value]) => make("div", {}, make("dt", { dir: "auto" }, name), make("dd", { dir: "auto" }, value))));
    if (item.receipt) list.append(make("div", {}, make("dt", {}, "Proof"), make("dd", {}, make("a", { href: item.receipt, target: "_blank", rel: "noopener" }, "receipt"))));
    return list;
  }
}

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

// `dailies retry` in a sentence is a command.
function spans(text) {
  return text.split("`").map((part, n) => (n % 2 ? make("code", {}, part) : part));
}
