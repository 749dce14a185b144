// Figures are drawn when they come into view, in the colours of the theme; the player is put together when asked for.
const root = document.documentElement;
const css = (name) => getComputedStyle(root).getPropertyValue(`--${name}`).trim();
const LIGHT_INK = "#1b2733"; // what figures call the ink
const drawn = new Set();

function drawFigure(box) {
  const { data, layout } = JSON.parse(box.querySelector("script").textContent.replaceAll(LIGHT_INK, css("ink")));
  const axes = Object.keys(layout).filter((key) => /^[xy]axis/.test(key));
  for (const key of axes) Object.assign(layout[key], { gridcolor: css("line"), zerolinecolor: css("soft"), linecolor: css("line"), automargin: true });
  for (const note of layout.annotations || []) note.font = { ...note.font, color: css("ink"), size: 12 };
  Object.assign(layout, {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: "system-ui, sans-serif", size: 12, color: css("ink") },
    hoverlabel: { bgcolor: css("card"), bordercolor: css("line"), font: { color: css("ink"), size: 12 } },
  });
  if (!box.plot) box.append((box.plot = document.createElement("div")));
  box.plot.style.height = `${layout.height}px`;
  drawn.add(box);
  Plotly.react(box.plot, data, layout, { displayModeBar: false, responsive: true });
}

const watcher = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    watcher.unobserve(target);
    drawFigure(target);
  }
}, { rootMargin: "600px 0px" });
document.querySelectorAll(".figure").forEach((box) => watcher.observe(box));

document.querySelectorAll(".choice").forEach((choice) => {
  const buttons = [...choice.querySelectorAll(":scope > .group > button")], sheets = [...choice.querySelectorAll(":scope > div:not(.group)")];
  buttons.forEach((button, index) => button.addEventListener("click", () => {
    buttons.forEach((other, at) => other.setAttribute("aria-pressed", String(at === index)));
    sheets.forEach((sheet, at) => { sheet.hidden = at !== index; });
  }));
});

async function unzip(text) {
  const bytes = Uint8Array.from(atob(text.trim()), (letter) => letter.charCodeAt(0));
  return JSON.parse(await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text());
}

const player = document.getElementById("player");
async function play() {
  const [activity, arm] = ["body-activity", "body-arm"].map((id) => document.getElementById(id));
  const examples = [...document.querySelectorAll("script.example")];
  const example = examples.find(({ dataset }) => dataset.arm === arm.value && dataset.activity === activity.value);
  document.getElementById("body-note").value = example ? example.dataset.note : "this arm has no motion of this activity";
  player.hidden = !example;
  if (!example) return;
  const [skin, values] = await Promise.all([unzip(document.getElementById("shared").textContent), unzip(example.textContent)]);
  values.arrays = { ...values.arrays, ...skin };
  const shell = JSON.parse(document.getElementById("shell").textContent);
  const plain = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  const dark = root.dataset.theme === "dark";
  const fields = {
    title: plain(`${arm.selectedOptions[0].textContent}: ${values.title}`),
    style: shell.style.replaceAll("(prefers-color-scheme: dark)", dark ? "all" : "not all"),
    notes: values.notes.map((note) => `<li>${plain(note)}.</li>`).join(""),
    source_fps: values.source_fps, bandwidth: values.source_fps / 2, rate: values.rate_hz,
    data: JSON.stringify(values).replaceAll("<", "\\u003c"),
    plotly: document.getElementById("plotly").textContent, script: shell.script,
  };
  player.srcdoc = shell.page.replace(/\$([a-z_]+)/g, (_, name) => fields[name]);
}

if (player) {
  for (const id of ["body-activity", "body-arm"]) document.getElementById(id).addEventListener("change", play);
  new IntersectionObserver((entries, self) => {
    if (entries.some(({ isIntersecting }) => isIntersecting)) { self.disconnect(); play(); }
  }, { rootMargin: "300px 0px" }).observe(player);
}

const toggle = document.getElementById("theme");
function show(theme) {
  root.dataset.theme = theme;
  toggle.textContent = theme === "dark" ? "Light" : "Dark";
  drawn.forEach(drawFigure);
  if (player && player.srcdoc) play();
}
toggle.addEventListener("click", () => show(root.dataset.theme === "dark" ? "light" : "dark"));
const preference = matchMedia("(prefers-color-scheme: dark)");
preference.addEventListener("change", () => show(preference.matches ? "dark" : "light"));
show(root.dataset.theme);

// A link to a folded part unfolds it.
function unfold() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target && target.matches("details")) { target.open = true; target.scrollIntoView(); }
}
window.addEventListener("hashchange", unfold);
unfold();
root.dataset.ready = "yes";
