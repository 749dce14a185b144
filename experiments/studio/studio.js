// The studio: makes and opens motions, lets sensors be dragged over the skin, asks the server what they read, and saves.

const studio = (() => {
  const byId = (id) => document.getElementById(id);
  const told = JSON.parse(byId("studio-data").textContent);
  const MEMORY = "imuforge-studio", HIDDEN_DEPTH = 0.05, STEP_PX = 5, POLL_MS = 300, REST_MS = 350;
  const BOX = { mouse: 16, touch: 28 };
  const state = { sites: told.sites, rate_hz: clip.rate_hz, device: "none", asked: 0, busy: false, drag: null };

  function say(where, line, failed = false) {
    byId(where).textContent = line;
    byId(where).classList.toggle("failed", failed);
  }

  async function send(address, body, type = "application/json") {
    let answer;
    try {
      answer = await fetch(address, { method: body === undefined ? "GET" : "POST", body, headers: body === undefined ? {} : { "content-type": type, [told.header]: "1" } });
    } catch {
      throw new Error("the studio does not answer; was it ended?");
    }
    if (answer.ok) return answer;
    const said = await answer.json().catch(() => ({}));
    throw new Error(said.error ?? `the studio answered ${answer.status}`);
  }

  // ---- motions

  const wait = (ms) => new Promise((done) => setTimeout(done, ms));

  function setBusy(on) {
    state.busy = on;
    byId("go").disabled = byId("read").disabled = on;
    byId("progress").hidden = !on;
    if (on) byId("progress").removeAttribute("value");
  }

  async function follow(begin) {
    if (state.busy) return;
    setBusy(true);
    say("status", "asking");
    try {
      const { job } = await (await begin()).json();
      for (;;) {
        const now = await (await send(`/jobs/${job}`)).json();
        if (now.state === "failed") throw new Error(now.error);
        if (now.state === "done") {
          say("status", "showing it");
          location.assign(`/motions/${now.motion}`);
          return;
        }
        say("status", `${now.stage} (${now.seconds.toFixed(0)} s)`);
        if (now.share === null) byId("progress").removeAttribute("value");
        else byId("progress").value = now.share;
        await wait(POLL_MS);
      }
    } catch (error) {
      say("status", error.message, true);
    }
    setBusy(false);
  }

  // A field that is left blank, or holds what is no number, is the server's to name.
  const numberIn = (id) => (byId(id).value.trim() === "" ? null : Number(byId(id).value));

  function make(event) {
    event.preventDefault();
    const asked = { prompt: byId("prompt").value, seconds: numberIn("seconds"), seed: numberIn("seed") };
    return follow(() => send("/motions", JSON.stringify(asked)));
  }

  function open(event) {
    event.preventDefault();
    const [file] = byId("file").files, fps = numberIn("fps");
    if (!file) return say("status", "no file is chosen; choose a motion file first", true);
    const query = new URLSearchParams({ name: file.name, ...(fps === null ? {} : { fps }) });
    return follow(() => send(`/files?${query}`, file, "application/octet-stream"));
  }

  // ---- sensors

  const asSent = ({ bone, ...site }) => site;
  const wearing = (more = {}) => JSON.stringify({ motion: told.motion, sites: state.sites.map(asSent), rate_hz: state.rate_hz, device: state.device, ...more });
  const nameOf = (site) => site.name ?? site.preset;
  const chosen = () => state.sites[player.state.sensor];

  function remember() {
    const { sites, rate_hz, device } = state;
    try { sessionStorage.setItem(MEMORY, JSON.stringify({ sites, rate_hz, device })); } catch { /* a private window */ }
  }

  function recall() {
    try { return JSON.parse(sessionStorage.getItem(MEMORY)); } catch { return null; }
  }

  // Asks what other sensors read. What fails leaves the last good state.
  async function change(next, done = "") {
    const before = { sites: state.sites, rate_hz: state.rate_hz, device: state.device };
    Object.assign(state, next);
    const turn = ++state.asked;
    say("worn-status", "reading the sensors");
    try {
      const read = await (await send("/readings", wearing())).json();
      if (turn !== state.asked) return;
      for (const [name, packed] of Object.entries(read.arrays)) clip.arrays[name] = unpack(packed);
      Object.assign(clip, { names: read.names, numSensors: read.names.length, numSamples: clip.arrays.accel.shape[0], rate_hz: read.rate_hz, first_sample: read.first_sample });
      state.sites = read.sites;
      player.state.sensor = Math.min(player.state.sensor, clip.numSensors - 1);
      if (next.sensor !== undefined) player.state.sensor = next.sensor;
      remember();
      say("worn-status", done);
      await player.changeSensors();
      document.body.dataset.read = String(Number(document.body.dataset.read ?? 0) + 1);
    } catch (error) {
      if (turn !== state.asked) return;
      Object.assign(state, before);
      if (state.undo) { clip.arrays.sensor_poses = state.undo; scene.draw(player.state.frame); }
      say("worn-status", error.message, true);
    }
    state.undo = null;
    fillControls();
  }

  function fillControls() {
    const site = chosen();
    if (!site) return;
    byId("site-name").value = nameOf(site);
    byId("mounting").value = site.mounting ?? "";
    byId("rate").value = state.rate_hz;
    byId("device").value = state.device;
    byId("remove").disabled = state.sites.length < 2;
    byId("worn").dataset.bone = site.bone;
  }

  const changeChosen = (changes, done) =>
    change({ sites: state.sites.map((site, index) => (index === player.state.sensor ? { ...site, ...changes } : site)) }, done);

  function freeName(wanted, except) {
    const taken = state.sites.filter((_, index) => index !== except).map(nameOf);
    let name = wanted, number = 2;
    while (taken.includes(name)) name = `${wanted}_${number++}`;
    return name;
  }

  function rename() {
    const site = chosen(), name = byId("site-name").value.trim();
    if (name === nameOf(site)) return;
    // A preset of another name is a point of the skin like any other: it is touched where it is.
    if (site.preset === null) changeChosen({ name });
    else touchAgain(player.state.sensor, name);
  }

  // The place of a preset under another name: the vertex of the drawn skin next to its dot, in the present frame.
  function touchAgain(sensor, name) {
    const { x, y, z } = skin(player.state.frame), at = sensorPose(player.state.frame, sensor).position;
    let best = 0, least = Infinity;
    for (let v = 0; v < x.length; v++) {
      const far = Math.hypot(x[v] - at[0], y[v] - at[1], z[v] - at[2]);
      if (far < least) [best, least] = [v, far];
    }
    const vertex = clip.arrays.vertex_ids.values[best];
    changeChosen({ preset: null, name, triangle: [], barycentric: [], touch: { vertices: [vertex, vertex, vertex], weights: [1, 0, 0] } });
  }

  // ---- dragging

  const pointIn = (event) => {
    const { left, top } = scene.element.getBoundingClientRect();
    return [event.clientX - left, event.clientY - top];
  };

  // Which sensor's dot is under the pointer and not behind the body.
  function sensorAt(view, [atX, atY], reach) {
    let best = -1, least = reach;
    clip.names.forEach((_, sensor) => {
      const [x, y, depth] = view.project(...sensorPose(player.state.frame, sensor).position), far = Math.hypot(x - atX, y - atY);
      if (far < least && !isHidden(view, x, y, depth)) [best, least] = [sensor, far];
    });
    return best;
  }

  const isHidden = (view, x, y, depth) => (view.hit(x, y)?.depth ?? Infinity) < depth - HIDDEN_DEPTH;

  // The dot goes along at once; what it reads there comes from the server when it is let go.
  function showAt(sensor, hit) {
    if (!state.undo) {
      state.undo = clip.arrays.sensor_poses;
      clip.arrays.sensor_poses = { ...state.undo, values: Float32Array.from(state.undo.values) };
    }
    clip.arrays.sensor_poses.values.set(hit.position, 12 * (player.state.frame * clip.numSensors + sensor) + 9);
    return scene.draw(player.state.frame);
  }

  function put(sensor, hit) {
    const site = state.sites[sensor], name = site.name ?? freeName(`${site.preset}_moved`, sensor);
    const moved = { ...site, preset: null, name, triangle: [], barycentric: [], touch: { vertices: hit.vertices, weights: hit.weights } };
    return change({ sites: state.sites.map((one, index) => (index === sensor ? moved : one)) }, `${name} has been moved`);
  }

  function begin(event) {
    if (event.button !== 0 || state.drag) return;
    const view = picker.look(player.state.frame), sensor = sensorAt(view, pointIn(event), BOX[event.pointerType] ?? BOX.mouse);
    if (sensor < 0) return;
    event.preventDefault();
    event.stopPropagation();
    player.play(false);
    state.drag = { view, sensor, pointer: event.pointerId, hit: null, from: pointIn(event), moved: false };
    scene.element.setPointerCapture?.(event.pointerId);
    scene.element.classList.add("dragging");
    if (sensor !== player.state.sensor) player.choose(sensor);
  }

  function move(event) {
    if (!state.drag) {
      if (event.buttons === 0 && event.pointerType === "mouse" && !player.state.playing)
        scene.element.classList.toggle("near", sensorAt(picker.look(player.state.frame), pointIn(event), BOX.mouse) >= 0);
      return;
    }
    if (event.pointerId !== state.drag.pointer) return;
    event.stopPropagation();
    const [x, y] = pointIn(event), [fromX, fromY] = state.drag.from;
    state.drag.moved ||= Math.hypot(x - fromX, y - fromY) > 3;
    const hit = state.drag.moved ? state.drag.view.hit(x, y) : null;
    if (!hit) return; // beside the body the sensor waits at its edge
    state.drag.hit = hit;
    showAt(state.drag.sensor, hit);
  }

  function end(event) {
    if (!state.drag || event.pointerId !== state.drag.pointer) return;
    event.stopPropagation();
    const { sensor, hit } = state.drag;
    state.drag = null;
    scene.element.classList.remove("dragging");
    if (hit && event.type === "pointerup") put(sensor, hit);
    else if (state.undo) { clip.arrays.sensor_poses = state.undo; state.undo = null; scene.draw(player.state.frame); }
  }

  let resting = null;
  function nudge(event) {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!event.shiftKey || !step || event.target.matches("input, select, textarea")) return;
    event.preventDefault();
    player.play(false);
    const view = picker.look(player.state.frame), sensor = player.state.sensor;
    const [x, y, depth] = view.project(...sensorPose(player.state.frame, sensor).position);
    if (isHidden(view, x, y, depth)) return say("worn-status", "the sensor is behind the body; turn the view until it is seen", true);
    const hit = view.hit(x + STEP_PX * step[0], y + STEP_PX * step[1]);
    if (!hit) return say("worn-status", "there is no skin that way, seen from here; turn the view", true);
    showAt(sensor, hit);
    clearTimeout(resting);
    resting = setTimeout(() => put(sensor, hit), REST_MS);
  }

  // ---- saving

  async function save(kind) {
    say("worn-status", "writing the file");
    try {
      const answer = await send(`/save/${kind}`, wearing({ label: byId("label").value }));
      const link = document.createElement("a");
      link.href = URL.createObjectURL(await answer.blob());
      link.download = /filename="([^"]+)"/.exec(answer.headers.get("content-disposition"))[1];
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10000);
      say("worn-status", `saved ${link.download}`);
    } catch (error) {
      say("worn-status", error.message, true);
    }
  }

  // ---- wiring

  function addOptions(id, names, empty) {
    const options = (empty === undefined ? [] : [["", empty]]).concat(names.map((name) => [name, name.replaceAll("_", " ")]));
    byId(id).append(...options.map(([value, text]) => new Option(text, value)));
  }

  function wire() {
    for (const id of ["prompt", "seconds", "seed", "label"]) byId(id).value = told[id];
    addOptions("mounting", told.mountings, "along the bone");
    addOptions("add", told.presets);
    addOptions("device", told.devices.filter((name) => name !== "none"));
    byId("device").prepend(new Option("ideal", "none"));
    byId("make").addEventListener("submit", make);
    byId("open").addEventListener("submit", open);
    byId("site-name").addEventListener("change", rename);
    byId("mounting").addEventListener("change", ({ target }) => changeChosen({ mounting: target.value || null }));
    byId("device").addEventListener("change", ({ target }) => change({ device: target.value }));
    byId("rate").addEventListener("change", () => change({ rate_hz: numberIn("rate") ?? 0 }));
    byId("remove").addEventListener("click", () => change({ sites: state.sites.filter((_, index) => index !== player.state.sensor) }));
    byId("add").addEventListener("change", ({ target }) => {
      const preset = target.value;
      target.value = "";
      if (preset) change({ sites: [...state.sites, { preset, name: null, triangle: [], barycentric: [], mounting: null }], sensor: state.sites.length });
    });
    document.querySelectorAll("[data-save]").forEach((button) => button.addEventListener("click", () => save(button.dataset.save)));
    byId("sensors").addEventListener("change", fillControls);
    const on = (type, listener, passive = true) => scene.element.addEventListener(type, listener, { capture: true, passive });
    on("pointerdown", begin, false);
    on("pointermove", move);
    on("pointerup", end);
    on("pointercancel", end);
    for (const type of ["touchstart", "touchmove", "mousedown", "mousemove"])
      on(type, (event) => { if (state.drag) { event.preventDefault(); event.stopPropagation(); } }, false);
    window.addEventListener("keydown", nudge, true);
    // A line or a bar above takes room from the scene, of which plotly hears nothing.
    new ResizeObserver(() => document.body.dataset.ready === "yes" && Plotly.Plots.resize(scene.element)).observe(scene.element);
  }

  // The sensors of before come along to another motion, once the page stands.
  function comeAlong() {
    if (document.body.dataset.ready !== "yes") return setTimeout(comeAlong, POLL_MS / 6);
    const kept = recall();
    return kept?.sites?.length ? change(kept) : fillControls();
  }

  wire();
  fillControls();
  comeAlong();
  return { state, change, put, picker };
})();
window.show.studio = studio;
