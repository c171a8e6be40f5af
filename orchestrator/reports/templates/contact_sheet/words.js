// Numbers, instants and states in words.

const STATE_WORDS = {
  waiting: "Waiting", admitted: "Being ordered", creating: "Being ordered", rendering: "Rendering",
  archiving: "Coming home", archived: "Ready", failed: "Failed", cancelled: "Cancelled", expired: "Lost",
  held: "Unclear", superseded: "Made anew",
};
const SECTION_WORDS = {
  attention: "Needs attention", ready: "Ready to watch", coming: "Still to come", cancelled: "Cancelled",
  replaced: "Made anew",
};

const counted = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
const money = (usd) => `$${usd.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;

// "8 s", "4 min 12 s", "2 h 05 min".
function lasting(seconds) {
  const s = Math.round(seconds);
  if (s < 60) return `${Number.isInteger(seconds) ? s : Math.round(seconds * 10) / 10} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${String(s % 60).padStart(2, "0")} s`;
  return `${Math.floor(s / 3600).toLocaleString("en")} h ${String(Math.floor((s % 3600) / 60)).padStart(2, "0")} min`;
}

function sized(bytes) {
  const units = ["bytes", "KB", "MB", "GB"];
  let n = bytes;
  let unit = 0;
  for (; n >= 1000 && unit < units.length - 1; unit += 1) n /= 1000;
  return `${unit ? n.toFixed(n < 10 ? 1 : 0) : n} ${units[unit]}`;
}

function instant(text) {
  const when = new Date(text);
  if (!text || Number.isNaN(when.getTime())) return "";
  return when.toLocaleString("en-GB", { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" });
}

function variantOf(item) {
  const words = [];
  if (item.take > 1 || item.group.items.some((each) => each.take > 1)) words.push(`take ${item.take}`);
  if (item.revision > 1 || item.group.items.some((each) => each.revision > 1)) words.push(`revision ${item.revision}`);
  return words.join(", ");
}

function lengthOf(item) { return lasting(item.duration || item.seconds); }

// What a screen reader says of an item: key, variant, state, length, the beginning of its prompt.
function spoken(item) {
  const state = item.video ? "" : STATE_WORDS[item.state] || item.state;
  const flagged = item.mismatch ? `not as ordered: ${item.mismatch}` : "";
  return [item.key, variantOf(item), state, item.meaning, flagged, lengthOf(item), item.prompt.slice(0, 120)]
    .filter(Boolean).join(", ");
}
