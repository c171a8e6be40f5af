// What is shown: by text, state and label. The filter stands in the address behind `#`, so that it can be shared.

const CHOICES = [
  ["", "All"], ["attention", "Needs attention"], ["ready", "Ready"], ["coming", "Still to come"],
  ["mismatch", "Not as ordered"], ["cancelled", "Cancelled"], ["replaced", "Made anew"],
];
// Labels with a list of their own to choose from, and the longest such list: the text finds all others.
const LISTS_MOST = 5;
const VALUES_MOST = 200;

class Filter {
  constructor(text = "", state = "", labels = new Map()) {
    Object.assign(this, { text, state, labels });
  }

  static read(hash) {
    const asked = new URLSearchParams(hash.replace(/^#/, ""));
    const labels = new Map();
    for (const [name, value] of asked) if (name.startsWith("label.")) labels.set(name.slice(6), value);
    return new Filter(asked.get("q") || "", asked.get("state") || "", labels);
  }

  get any() { return Boolean(this.text || this.state || this.labels.size); }

  // `item`: the key of the one that is looked at more closely.
  hash(item) {
    const told = new URLSearchParams();
    if (this.text) told.set("q", this.text);
    if (this.state) told.set("state", this.state);
    for (const [name, value] of this.labels) told.set(`label.${name}`, value);
    if (item) told.set("item", item);
    return told.toString() && `#${told}`;
  }

  // Each word of the text must occur in the key, the prompt, a label or the reason.
  passes() {
    const words = this.text.toLowerCase().split(/\s+/).filter(Boolean);
    const labels = [...this.labels];
    return (item) =>
      isOf(item, this.state) &&
      labels.every(([name, value]) => item.labels.some(([n, v]) => n === name && v === value)) &&
      words.every((word) => haystack(item).includes(word));
  }
}

function isOf(item, state) {
  if (!state) return true;
  return state === "mismatch" ? Boolean(item.mismatch) : item.section === state || item.state === state;
}

function haystack(item) {
  if (item.haystack === undefined) {
    const labels = item.labels.map(([name, value]) => `${name}:${value}`);
    const parts = [item.key, item.prompt, ...labels, item.model, item.size, item.reason, item.meaning, item.message, item.mismatch];
    item.haystack = parts.filter(Boolean).join("\n").toLowerCase();
  }
  return item.haystack;
}

// The labels that are worth a list: several values, and not one for each item.
function labelLists(items) {
  const found = new Map();
  for (const item of items) {
    for (const [name, value] of item.labels) {
      if (!found.has(name)) found.set(name, new Map());
      const values = found.get(name);
      if (values.size <= VALUES_MOST) values.set(value, (values.get(value) || 0) + 1);
    }
  }
  const worth = [...found].filter(([, values]) => values.size > 1 && values.size <= VALUES_MOST);
  return worth.filter(([, values]) => values.size < items.length || items.length < 3).slice(0, LISTS_MOST);
}

function drawFilters(data, changed) {
  const chips = CHOICES.map(([state, words]) => [state, words, data.items.filter((item) => isOf(item, state)).length]);
  byId("states").replaceChildren(...chips.filter(([state, , n]) => n || !state).map(([state, words, n]) =>
    make("button.chip", { type: "button", "data-state": state, "aria-pressed": "false", onclick: () => changed({ state }) },
      `${words} `, make("span.n", {}, n.toLocaleString("en")))));
  byId("labels").replaceChildren(...labelLists(data.items).map(([name, values]) => {
    const sorted = [...values].sort(([a], [b]) => a.localeCompare(b, undefined, { numeric: true }));
    const options = sorted.map(([value, n]) => make("option", { value }, `${value} (${n.toLocaleString("en")})`));
    return make("select", { "aria-label": name, "data-label": name, onchange: (event) => changed({ label: [name, event.target.value] }) },
      make("option", { value: "" }, `${name}: all`), ...options);
  }));
}

function showFilter(filter) {
  if (byId("text").value !== filter.text) byId("text").value = filter.text;
  for (const chip of byId("states").children) chip.setAttribute("aria-pressed", String(chip.dataset.state === filter.state));
  for (const list of byId("labels").children) {
    list.value = filter.labels.get(list.dataset.label) || "";
    list.classList.toggle("set", Boolean(list.value));
  }
  byId("clear").hidden = !filter.any;
}
