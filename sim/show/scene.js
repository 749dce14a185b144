// The moving body in plotly's 3-D scene. World (x left, y up, z forwards) is drawn as scene (x = z, y = x, z = y), a
// cyclic change that keeps hands right and gives plotly's turntable its vertical.

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const AXIS_NAMES = ["x", "y", "z"];
const AXIS_M = 0.1, CHOSEN_AXIS_M = 0.19; // drawn length of an axis, and of those of the chosen sensor
const NAME_M = 0.075; // from the tip of its z axis to a sensor's name
const REACH_M = 1.0; // how far from the pelvis the followed view shows
const GRID_M = 0.5;
const HOME = { eye: { x: 1.42, y: 0.72, z: 0.34 }, center: { x: 0, y: 0, z: -0.05 }, up: { x: 0, y: 0, z: 1 } };

const TRACE = { skin: 0, floor: 1, world: 2, axes: 3, sensors: 6, names: 7, tips: 8 };

// Where the camera looks while it follows: the pelvis over ground, smoothed over half a second, so that the floor
// glides under the person and does not shake with each step.
const groundTrack = (() => {
  const raw = [];
  for (let frame = 0; frame < clip.numFrames; frame++) {
    const m = jointMatrix(frame, 0), [a, b, c] = clip.pelvis_rest;
    raw.push([m[0] * a + m[1] * b + m[2] * c + m[9], m[6] * a + m[7] * b + m[8] * c + m[11]]);
  }
  const half = Math.round(clip.drawn_fps / 4);
  return raw.map((_, frame) => {
    const near = raw.slice(Math.max(0, frame - half), frame + half + 1);
    return [0, 1].map((axis) => near.reduce((sum, point) => sum + point[axis], 0) / near.length);
  });
})();

const scene = (() => {
  const element = document.getElementById("scene");
  let chosen = 0, follows = true;

  const heights = () => {
    let top = clip.floor_m + 1.75;
    const every = Math.max(1, Math.floor(clip.numFrames / 60));
    for (let frame = 0; frame < clip.numFrames; frame += every) top = Math.max(top, skin(frame).y.reduce((a, b) => Math.max(a, b)));
    return [clip.floor_m - 0.03, top + 0.1];
  };
  const [bottom, top] = heights();

  // The box that is drawn, in world x and z: around the person, or around the whole path.
  function box(frame) {
    if (follows) return groundTrack[frame].map((middle) => [middle - REACH_M, middle + REACH_M]);
    return [0, 1].map((axis) => {
      const values = groundTrack.map((point) => point[axis]);
      return [values.reduce((a, b) => Math.min(a, b)) - REACH_M, values.reduce((a, b) => Math.max(a, b)) + REACH_M];
    });
  }

  // While following, everything is drawn relative to the person, so that the ranges of the axes need never change.
  const origin = (frame) => (follows ? groundTrack[frame] : [0, 0]);

  function layoutOfBox() {
    const [[left, right], [back, front]] = box(0);
    const [ox, oz] = origin(0);
    const lengths = { x: front - back, y: right - left, z: top - bottom };
    const unit = Math.max(1.5, lengths.z / 1.25, Math.max(lengths.x, lengths.y) / 2.6);
    const hidden = { visible: false, showspikes: false, autorange: false };
    return {
      "scene.xaxis": { ...hidden, range: [back - oz, front - oz] },
      "scene.yaxis": { ...hidden, range: [left - ox, right - ox] },
      "scene.zaxis": { ...hidden, range: [bottom, top] },
      "scene.aspectratio": { x: lengths.x / unit, y: lengths.y / unit, z: lengths.z / unit },
    };
  }

  // Joined to one polyline with gaps: [[from, to], ...] in world coordinates.
  function segments(pairs, frame) {
    const [ox, oz] = origin(frame), line = { x: [], y: [], z: [] };
    for (const pair of pairs) {
      for (const [x, y, z] of pair) line.x.push(z - oz), line.y.push(x - ox), line.z.push(y);
      for (const axis of AXIS_NAMES) line[axis].push(null);
    }
    return line;
  }

  function floorLines(frame) {
    const [[left, right], [back, front]] = box(frame), y = clip.floor_m, pairs = [];
    for (let x = Math.ceil(left / GRID_M) * GRID_M; x <= right; x += GRID_M) pairs.push([[x, y, back], [x, y, front]]);
    for (let z = Math.ceil(back / GRID_M) * GRID_M; z <= front; z += GRID_M) pairs.push([[left, y, z], [right, y, z]]);
    return segments(pairs, frame);
  }

  // The world's own axes in a corner of the floor: up is where an accelerometer at rest reads +9.81.
  function worldAxes(frame) {
    const [[left], [back]] = box(frame), at = [left + 0.12, clip.floor_m + 0.01, back + 0.12], size = 0.34;
    const tips = [0, 1, 2].map((axis) => at.map((value, k) => value + (k === axis ? size : 0)));
    return { ...segments(tips.map((tip) => [at, tip]), frame), text: ["", "world X", "", "", "up, world Y", "", "", "world Z", ""] };
  }

  const nameColours = () => clip.names.flatMap((_, sensor) => [css(sensor === chosen ? "ink" : "soft"), css("soft")]);

  const along = (origin, axis, length) => origin.map((value, k) => value + length * axis[k]);
  const lengthOf = (sensor) => (sensor === chosen ? CHOSEN_AXIS_M : AXIS_M);

  // What changes with the frame: a trace's index and its new arrays.
  function moved(frame) {
    const body = skin(frame), [ox, oz] = origin(frame);
    const shifted = { x: body.z.map((value) => value - oz), y: body.x.map((value) => value - ox), z: body.y };
    const poses = clip.names.map((_, sensor) => sensorPose(frame, sensor));
    const changes = [[TRACE.skin, shifted]];
    for (let axis = 0; axis < 3; axis++) {
      const pairs = poses.map(({ position, axes }, s) => [position, along(position, axes[axis], lengthOf(s))]);
      changes.push([TRACE.axes + axis, segments(pairs, frame)]);
    }
    changes.push([TRACE.sensors, segments(poses.map(({ position }) => [position]), frame)]);
    // A name stands off the skin along z, where it hides neither the body nor its neighbour's name.
    const away = poses.map(({ position, axes }, s) => [along(position, axes[2], lengthOf(s) + (s === chosen ? 1.7 : 1) * NAME_M)]);
    changes.push([TRACE.names, segments(away, frame)]);
    const { position, axes } = poses[chosen];
    changes.push([TRACE.tips, segments([axes.map((axis) => along(position, axis, CHOSEN_AXIS_M * 1.13))], frame)]);
    if (follows) changes.push([TRACE.floor, floorLines(frame)]);
    return changes;
  }

  function traces() {
    const faces = clip.arrays.faces.values, corner = (k) => faces.filter((_, n) => n % 3 === k);
    const quiet = { type: "scatter3d", hoverinfo: "skip", showlegend: false, connectgaps: false };
    const list = [];
    list[TRACE.skin] = {
      type: "mesh3d", i: corner(0), j: corner(1), k: corner(2), color: css("skin"), hoverinfo: "skip", flatshading: false,
      // The default cut-offs take triangles of a square centimetre, in metres, for degenerate ones.
      lighting: { ambient: 0.55, diffuse: 0.65, specular: 0.08, roughness: 0.7, fresnel: 0.05, facenormalsepsilon: 0, vertexnormalsepsilon: 0 },
      lightposition: { x: 2000, y: 1500, z: 4000 },
    };
    list[TRACE.floor] = { ...quiet, mode: "lines", line: { color: css("floor"), width: 1.5 }, ...floorLines(0) };
    list[TRACE.world] = {
      ...quiet, mode: "lines+text", line: { color: css("soft"), width: 3 }, textfont: { color: css("soft"), size: 11 },
      textposition: "top center", ...worldAxes(0),
    };
    AXIS_NAMES.forEach((name, axis) => {
      list[TRACE.axes + axis] = { ...quiet, mode: "lines", line: { color: css(name), width: 9 } };
    });
    list[TRACE.sensors] = {
      ...quiet, mode: "markers", hoverinfo: "text", text: clip.names.flatMap((name) => [name, ""]),
      marker: { size: 4.5, color: css("ink") },
    };
    list[TRACE.names] = {
      ...quiet, mode: "text", text: clip.names.flatMap((name) => [name.replaceAll("_", " "), ""]),
      textposition: "middle center", textfont: { color: nameColours(), size: 13 },
    };
    list[TRACE.tips] = {
      ...quiet, mode: "text", text: [...AXIS_NAMES, ""],
      textfont: { color: [...AXIS_NAMES.map(css), css("ink")], size: 17, weight: "bold" },
    };
    for (const [index, arrays] of moved(0)) Object.assign(list[index], arrays);
    return list;
  }

  const layout = () => ({
    margin: { l: 0, r: 0, t: 0, b: 0 }, paper_bgcolor: "rgba(0,0,0,0)", showlegend: false,
    scene: { aspectmode: "manual", dragmode: "turntable", camera: structuredClone(HOME), bgcolor: "rgba(0,0,0,0)", uirevision: "view", hovermode: "closest" },
  });

  function restyle(changes) {
    const update = { x: [], y: [], z: [] };
    for (const [, arrays] of changes) for (const axis of AXIS_NAMES) update[axis].push(arrays[axis]);
    return Plotly.restyle(element, update, changes.map(([index]) => index));
  }

  return {
    element,
    async start(onSensor) {
      const flat = layout();
      for (const [path, value] of Object.entries(layoutOfBox())) flat.scene[path.slice(6)] = value;
      await Plotly.newPlot(element, traces(), flat, { displayModeBar: false, responsive: true });
      element.on("plotly_click", ({ points }) => {
        if (points[0].curveNumber === TRACE.sensors) onSensor(Math.floor(points[0].pointNumber / 2));
      });
    },
    draw: (frame) => restyle(moved(frame)),
    origin,
    changeSensors() {
      chosen = Math.min(chosen, clip.numSensors - 1);
      const text = [clip.names.flatMap((name) => [name, ""]), clip.names.flatMap((name) => [name.replaceAll("_", " "), ""])];
      return Plotly.restyle(element, { text }, [TRACE.sensors, TRACE.names]);
    },
    choose(sensor) {
      chosen = sensor;
      return Plotly.restyle(element, { "textfont.color": [nameColours()] }, [TRACE.names]);
    },
    async follow(on, frame) {
      follows = on;
      await Plotly.relayout(element, layoutOfBox());
      return restyle([...moved(frame).filter(([index]) => index !== TRACE.floor), [TRACE.floor, floorLines(frame)], [TRACE.world, worldAxes(frame)]]);
    },
    home: () => Plotly.relayout(element, { "scene.camera": structuredClone(HOME) }),
    glass: (on) => Plotly.restyle(element, { opacity: on ? 0.35 : 1 }, [TRACE.skin]),
  };
})();
