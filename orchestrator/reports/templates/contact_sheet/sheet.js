// The sheet itself: draws what is near the window, and follows filter, keys and size.

const OVERSCAN_PX = 500;
const data = readData();
const grid = byId("grid");
const drawn = new Map(); // item → element
let filter = Filter.read(location.hash);
let layout = null;
let current = null; // the item that Tab leads to

const viewer = new Viewer(
  (item, step) => { const cell = cellOf(item); return cell ? (layout.cells[cell.place + step] || {}).item : null; },
  (item, last) => {
    history.replaceState(null, "", filter.hash(item && item.key) || location.pathname + location.search);
    if (item) point(item, { scroll: true });
    else if (last && cellOf(last)) focusOn(last);
  },
);

function cellOf(item) { return layout.of.get(item); }

function arrange() {
  const passes = filter.passes();
  const groups = [];
  for (const group of data.groups) {
    const items = group.items.filter(passes);
    if (items.length) groups.push({ ...group, items, whole: group });
  }
  layout = new Layout(groups, grid.clientWidth, usualRatio(data.items));
  const shown = layout.cells.length;
  const total = data.items.length;
  byId("count").textContent = shown + layout.left === total ? counted(total, "video") : `${(shown + layout.left).toLocaleString("en")} of ${counted(total, "video")}`;
  if (layout.left) byId("count").textContent += `; the first ${shown.toLocaleString("en")} are drawn, filter for the others`;
  // The states beside it say how many there are; it is seen where it says more.
  byId("count").classList.toggle("whole", !filter.any && !layout.left);
  byId("empty").hidden = shown > 0;
  grid.style.height = `${layout.height}px`;
  grid.style.setProperty("--cell", `${layout.cell}px`);
  if (!current || !cellOf(current)) current = shown ? layout.cells[0].item : null;
  clear();
  draw();
}

function clear() {
  projector.stop();
  drawn.clear();
  grid.replaceChildren();
}

// Elements stand in the order of the page, so that it is also that of Tab and of screen readers.
function draw() {
  const above = grid.getBoundingClientRect().top;
  const wanted = layout.between(-above - OVERSCAN_PX, innerHeight - above + OVERSCAN_PX);
  const focused = current && drawn.has(current) && drawn.get(current).contains(document.activeElement) ? cellOf(current) : null;
  if (focused && !wanted.cells.includes(focused)) wanted.cells.push(focused);
  const keep = new Map();
  const pieces = [
    ...wanted.headings.map((each) => [each, () => heading(each)]),
    ...wanted.bands.map((each) => [each, () => band(each)]),
    ...wanted.cells.map((each) => [each, () => cellElement(each)]),
  ].sort(([a], [b]) => a.top - b.top || (a.place === undefined ? -1 : a.place) - (b.place === undefined ? -1 : b.place));
  for (const [piece, fresh] of pieces) keep.set(piece.item || piece, drawn.get(piece.item || piece) || fresh());
  for (const [piece, element] of drawn) {
    if (keep.has(piece)) continue;
    if (projector.frame && element.contains(projector.frame)) projector.stop();
    element.remove();
    drawn.delete(piece);
  }
  let before = null;
  for (const [piece, element] of keep) {
    if (!drawn.has(piece)) {
      if (before) before.after(element);
      else grid.prepend(element);
      drawn.set(piece, element);
    }
    before = element;
  }
  markCurrent();
}

function stand(element, top, x) {
  element.style.transform = `translate(${x}px, ${top}px)`;
  return element;
}

function heading({ section, top, n }) {
  return stand(make(`div.heading.${section}`, { role: "listitem" }, make("h2", {}, `${SECTION_WORDS[section]} `, make("span.n", {}, n.toLocaleString("en")))), top, 0);
}

function band({ top, x, width, height, more }) {
  const element = stand(make(more ? "div.band.more" : "div.band", { role: "presentation" }), top, x);
  element.style.width = `${width}px`;
  element.style.height = `${height}px`;
  return element;
}

function cellElement(cell) {
  const { item, place, top, x } = cell;
  const element = make("div.cell", { role: "listitem", "aria-posinset": place + 1, "aria-setsize": layout.cells.length }, drawCard(cell, (one) => viewer.show(one)));
  element.addEventListener("focusin", () => { if (current !== item) { current = item; markCurrent(); } });
  element.style.height = `${cell.height}px`;
  element.style.setProperty("--frame", `${cell.frame}px`);
  return stand(element, top, x);
}

// Tab comes to one card and its tools; arrows lead to the others.
function markCurrent() {
  for (const [piece, element] of drawn) {
    if (!piece.group) continue;
    const here = piece === current;
    if (element.classList.contains("current") === here && element.marked) continue;
    element.marked = true;
    element.classList.toggle("current", here);
    for (const each of element.querySelectorAll("button, a")) each.tabIndex = here ? 0 : -1;
  }
}

function point(item, { scroll = false } = {}) {
  current = item;
  const cell = cellOf(item);
  if (scroll && cell) {
    const above = grid.getBoundingClientRect().top + cell.top;
    const bar = document.querySelector(".bar").getBoundingClientRect().height;
    if (above < bar + 8) scrollBy(0, above - bar - 16);
    else if (above + cell.height > innerHeight) scrollBy(0, above + cell.height - innerHeight + 16);
  }
  draw();
}

function focusOn(item) {
  point(item, { scroll: true });
  const element = drawn.get(item);
  if (element) element.querySelector(".open").focus({ preventScroll: true });
}

function refilter(change) {
  const labels = new Map(change.labels || filter.labels);
  if (change.label) {
    if (change.label[1]) labels.set(...change.label);
    else labels.delete(change.label[0]);
  }
  clearTimeout(typing);
  // What was typed a moment ago counts, though its turn has not come yet.
  filter = new Filter(change.text === undefined ? byId("text").value : change.text, change.state === undefined ? filter.state : change.state, labels);
  history.replaceState(null, "", filter.hash() || location.pathname + location.search);
  showFilter(filter);
  arrange();
}

function pressed(event) {
  if (viewer.dialog.open || event.ctrlKey || event.metaKey || event.altKey) return;
  const writing = event.target.closest("input, select, textarea");
  if (event.key === "/" && !writing) {
    event.preventDefault();
    byId("text").focus();
    byId("text").select();
  } else if (event.key === "Escape") {
    projector.stop();
    if (event.target === byId("text") && filter.text) refilter({ text: "" });
    else if (writing) event.target.blur();
  } else if (event.target === byId("text") && (event.key === "ArrowDown" || event.key === "Enter") && current) {
    event.preventDefault();
    focusOn(current);
  } else if (!writing && /^(Arrow|Home$|End$)/.test(event.key) && grid.contains(event.target)) {
    const cell = current && cellOf(current);
    const next = cell && layout.toward(cell, event.key);
    if (!next) return;
    event.preventDefault();
    projector.stop();
    focusOn(next.item);
  } else if (event.target === document.body && /^Arrow(Left|Right)$/.test(event.key)) {
    const first = firstInView(); // nothing has the keys yet; up and down go on scrolling
    if (!first) return;
    event.preventDefault();
    focusOn(first.item);
  }
}

function firstInView() {
  const above = grid.getBoundingClientRect().top;
  const { cells } = layout.between(-above, innerHeight - above);
  return cells.find((cell) => above + cell.top >= 0) || cells[0];
}

let asked = 0;
let typing = 0;
let width = 0;
drawSlate(data);
drawTheme(remembered());
drawFilters(data, refilter);
showFilter(filter);
byId("text").addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(refilter, 120, {}); });
byId("clear").addEventListener("click", () => { refilter({ text: "", state: "", labels: new Map() }); byId("text").focus(); });
byId("theme").addEventListener("click", nextTheme);
addEventListener("scroll", () => { if (!asked) asked = requestAnimationFrame(() => { asked = 0; draw(); }); }, { passive: true });
addEventListener("keydown", pressed);
addEventListener("hashchange", () => { filter = Filter.read(location.hash); showFilter(filter); arrange(); lookAtAsked(); });
new ResizeObserver(() => { if (grid.clientWidth !== width) { width = grid.clientWidth; arrange(); } }).observe(grid);
width = grid.clientWidth;
arrange();
lookAtAsked();

// The address may name an item: it is opened, if it is there.
function lookAtAsked() {
  const key = new URLSearchParams(location.hash.slice(1)).get("item");
  const item = key && data.items.find((each) => each.key === key);
  if (item) viewer.show(item);
  else if (viewer.dialog.open) viewer.dialog.close();
}
