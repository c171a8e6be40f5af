// The page's data (orchestrator/reports/sheet_data.py) as items, and as groups: all takes and revisions of one key.

const SECTION_OF = {
  failed: "attention", expired: "attention", held: "attention",
  archived: "ready",
  waiting: "coming", admitted: "coming", creating: "coming", rendering: "coming", archiving: "coming",
  cancelled: "cancelled",
  superseded: "replaced",
};
// The order in which sections stand, and what a group is that has items of several: the first of them.
const SECTIONS = ["attention", "ready", "coming", "cancelled", "replaced"];

// `KEY~2` is another content of KEY.
function revisionOf(key) {
  const found = /^(.+)~(\d+)$/.exec(key);
  return found ? [found[1], Number(found[2])] : [key, 1];
}

function readItem(row, tables, place) {
  const [stem, revision] = revisionOf(row.k);
  const [model, size, seconds] = tables.orders[row.o];
  const state = tables.states[row.s];
  const labels = [];
  for (let n = 0; n < (row.l || []).length; n += 2) labels.push([tables.labels[row.l[n]], tables.labels[row.l[n + 1]]]);
  const [reason, meaning, mend] = row.r === undefined ? [] : tables.reasons[row.r];
  const [width, height] = size.split("x").map(Number);
  const ready = state === "archived";
  return {
    key: row.k, stem, revision, take: 1, place, prompt: row.p || "", state, section: SECTION_OF[state] || "coming",
    model, size, seconds, ratio: width / height || 16 / 9, labels, cost: row.c, duration: row.d, bytes: row.b,
    archivedAt: row.a, replacedBy: row.n, reason, meaning, mend, message: row.m || "", mismatch: row.x || "", shortened: Boolean(row.z),
    video: ready ? beside(row.f || `${row.k}.mp4`) : null,
    poster: ready && row.i ? beside(row.i) : null,
    receipt: ready ? beside((row.f && !row.f.startsWith("../") ? row.f : `${row.k}.mp4`).replace(/\.mp4$/, ".json")) : null,
  };
}

// A file beside the page, or in the folder of another batch beside its own; null for anything else.
function beside(name) {
  const parts = name.split("/");
  const up = parts[0] === ".." && parts.length === 3;
  const named = up ? parts.slice(1) : parts;
  if (named.length !== (up ? 2 : 1) || named.some((part) => ["", ".", ".."].includes(part))) return null;
  return (up ? "../" : "./") + named.map(encodeURIComponent).join("/");
}

// `KEY-2` is a take of KEY where that was ordered with the same words; else it is a key of its own.
function takeOf(item, byStem) {
  const found = /^(.+)-([2-9]|[1-9]\d+)$/.exec(item.stem);
  const first = found && byStem.get(found[1]);
  const same = first && first.some((each) => each.prompt === item.prompt && each.size === item.size);
  return same ? [found[1], Number(found[2])] : [item.stem, 1];
}

function readGroups(items) {
  const byStem = new Map();
  for (const item of items) {
    if (byStem.has(item.stem)) byStem.get(item.stem).push(item);
    else byStem.set(item.stem, [item]);
  }
  const groups = new Map();
  for (const stemmed of byStem.values()) {
    const taken = stemmed.map((item) => takeOf(item, byStem)).find(([, take]) => take > 1);
    for (const item of stemmed) {
      const [key, take] = taken || [item.stem, 1];
      item.take = take;
      if (!groups.has(key)) groups.set(key, { key, items: [], place: item.place });
      const group = groups.get(key);
      group.items.push(item);
      item.group = group;
    }
  }
  const all = [...groups.values()];
  for (const group of all) {
    group.items.sort((a, b) => a.take - b.take || a.revision - b.revision);
    group.section = SECTIONS.find((section) => group.items.some((item) => item.section === section));
  }
  const rank = (group) => SECTIONS.indexOf(group.section);
  return all.sort((a, b) => rank(a) - rank(b) || a.place - b.place);
}

function readData() {
  const data = JSON.parse(document.getElementById("data").textContent);
  const items = data.items.map((row, place) => readItem(row, data, place));
  return { ...data, items, groups: readGroups(items) };
}
