// The line at the top: how many are ready, what needs attention, what it cost; and whether more is to come.

function drawSlate(data) {
  const { counts, items } = data;
  const total = items.length - (counts.superseded || 0); // a row that was mended counts once
  const failed = ["failed", "expired", "held"].reduce((sum, state) => sum + (counts[state] || 0), 0);
  const facts = [
    [counted(counts.archived || 0, "video"), `of ${total.toLocaleString("en")} ready`],
    [failed ? failed.toLocaleString("en") : "none", failed === 1 ? "needs attention" : "need attention", failed && "attention"],
    [lasting(data.film_s), "of film"],
    [money(data.confirmed_usd), data.unknown_usd ? `spent, and ${money(data.unknown_usd)} unclear` : "spent"],
    [data.elapsed_s === null ? "–" : lasting(data.elapsed_s), data.running ? "so far" : "from first to last"],
  ];
  byId("totals").replaceChildren(...facts.map(([number, words, kind]) => make(kind ? `div.${kind}` : "div", {}, make("dt", {}, words), make("dd", {}, number))));
  byId("written").textContent = instant(data.written);
  if (!data.running) return;
  const left = Object.entries(counts).reduce((sum, [state, n]) => sum + (SECTION_OF[state] === "coming" ? n : 0), 0);
  byId("running").hidden = false;
  byId("running").append(make("span.dot", { "aria-hidden": "true" }),
    `${data.paused ? "Paused" : "Still running"}: ${counted(left, "video")} to come. This page was written ${instant(data.written)}, and is renewed about once a minute. `,
    make("button.link", { type: "button", onclick: () => location.reload() }, "Look again"));
}
