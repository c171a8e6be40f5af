// Light or dark: as the system says, until somebody chooses. A page from a disk may not be able to remember.
const THEMES = { "": "Light or dark: as the system", light: "Light", dark: "Dark" };

function drawTheme(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
  byId("theme").textContent = theme ? THEMES[theme] : "Auto";
  byId("theme").setAttribute("aria-label", THEMES[theme]);
}

function remembered(theme) {
  try {
    if (theme === undefined) return localStorage.getItem("dailies-theme") || "";
    localStorage.setItem("dailies-theme", theme);
  } catch { /* not here */ }
  return theme || "";
}

function nextTheme() {
  const names = Object.keys(THEMES);
  const next = names[(names.indexOf(document.documentElement.dataset.theme || "") + 1) % names.length];
  remembered(next);
  drawTheme(next);
}
