// Plays: one clock moves the body, the cursor and the table. The address may say where to begin, such as
// page.html#t=1.2&sensor=chest&speed=0.25&paused.

const SPEEDS = [0.1, 0.25, 0.5, 1];

const player = (() => {
  const byId = (id) => document.getElementById(id);
  const state = { time: clip.firstTime, sensor: 0, speed: 1, playing: true, frame: -1, sample: -1, drawn: 0 };
  let last = null, busy = false;

  // Everything that shows a moment; what has not changed since the last call is left alone, unless `force` says otherwise.
  async function render(force = false) {
    const frame = frameAt(state.time);
    byId("clock").textContent = `${state.time.toFixed(2)} / ${clip.lastTime.toFixed(2)} s`;
    curves.placeCursor(state.time);
    // The table's directions are those of the drawn frame, its readings those of the sample nearest to the clock.
    const sample = sampleAt(state.time);
    if (frame !== state.frame || sample !== state.sample || force) fillTable(frame, sample, state.sensor);
    state.sample = sample;
    if (frame === state.frame && !force) return;
    state.frame = frame;
    byId("seek").value = frame;
    await scene.draw(frame);
    state.drawn += 1;
    Object.assign(document.body.dataset, { frame, drawn: state.drawn, time: state.time.toFixed(4) });
  }

  function tick(now) {
    // A tab that slept must not leap: a step lasts a quarter of a second at most.
    const step = last === null ? 0 : Math.min(0.25, (now - last) / 1000);
    last = now;
    if (state.playing && !busy) {
      state.time += step * state.speed;
      if (state.time > clip.lastTime) state.time = clip.firstTime;
      busy = true;
      render().finally(() => { busy = false; });
    }
    requestAnimationFrame(tick);
  }

  function play(on) {
    state.playing = on;
    document.body.classList.toggle("playing", on);
  }

  function seek(time) {
    state.time = Math.min(clip.lastTime, Math.max(clip.firstTime, time));
    return render();
  }

  function press(group, chosen) {
    [...group.children].forEach((button, index) => button.setAttribute("aria-pressed", String(index === chosen)));
  }

  async function choose(sensor) {
    state.sensor = sensor;
    press(byId("sensors"), sensor);
    byId("sensors").dispatchEvent(new Event("change"));
    await scene.choose(sensor);
    await curves.choose(sensor);
    return render(true);
  }

  function setSpeed(speed) {
    state.speed = speed;
    press(byId("speeds"), SPEEDS.indexOf(speed));
  }

  function addButtons(group, labels, onPress) {
    labels.forEach((label, index) => {
      const button = document.createElement("button");
      button.textContent = label;
      button.addEventListener("click", () => onPress(index));
      group.append(button);
    });
  }

  function listSensors() {
    byId("sensors").replaceChildren();
    addButtons(byId("sensors"), clip.names.map((name) => name.replaceAll("_", " ")), choose);
  }

  function wire() {
    listSensors();
    addButtons(byId("speeds"), SPEEDS.map((speed) => `${speed}×`), (index) => setSpeed(SPEEDS[index]));
    byId("seek").max = clip.numFrames - 1;
    byId("seek").addEventListener("input", (event) => seek(timeOfFrame(Number(event.target.value))));
    byId("play").addEventListener("click", () => play(!state.playing));
    byId("follow").addEventListener("change", (event) => scene.follow(event.target.checked, state.frame));
    byId("glass").addEventListener("change", (event) => scene.glass(event.target.checked));
    byId("home").addEventListener("click", () => scene.home());
    // A button that keeps the focus would answer the space bar as well; who presses keys (detail 0) keeps it.
    document.addEventListener("click", ({ target, detail }) => detail > 0 && target.matches("button, input[type=checkbox]") && target.blur());
    document.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
      if (event.target.matches("input:not([type=range]):not([type=checkbox]), select, textarea, summary")) return;
      if (event.key === " " && event.target.matches("button, input[type=checkbox]")) return;
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (event.key === " ") play(!state.playing);
      else if (step) { play(false); seek(timeOfFrame(state.frame + step)); }
      else return;
      event.preventDefault();
    });
    window.addEventListener("hashchange", goToAddress);
  }

  async function goToAddress() {
    const wanted = new URLSearchParams(location.hash.slice(1));
    if (wanted.has("paused")) play(false);
    if (SPEEDS.includes(Number(wanted.get("speed")))) setSpeed(Number(wanted.get("speed")));
    if (clip.names.includes(wanted.get("sensor"))) await choose(clip.names.indexOf(wanted.get("sensor")));
    const time = parseFloat(wanted.get("t"));
    if (Number.isFinite(time)) await seek(time);
  }

  async function start() {
    wire();
    setSpeed(1);
    await scene.start(choose);
    await curves.start(state.sensor, seek, () => curves.placeCursor(state.time));
    await choose(0);
    play(true);
    await goToAddress();
    document.body.dataset.ready = "yes";
    requestAnimationFrame(tick);
  }

  // After other sensors came into `clip`: their buttons, names and readings.
  async function changeSensors() {
    listSensors();
    await scene.changeSensors();
    return choose(Math.min(state.sensor, clip.numSensors - 1));
  }

  return { state, seek, choose, play, start, changeSensors };
})();

// For tests and the browser's console: the moving parts by name.
window.show = { clip, player, scene, skin, frameAt, sampleAt, sensorPose, reading, directionInWords };
