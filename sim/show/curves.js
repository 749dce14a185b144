// The readings of the chosen sensor: a table of the present moment, and curves with a cursor that can be dragged.

const norm = (v) => Math.hypot(...v);
const number = (value, digits) => (Math.abs(value) < 0.5 * 10 ** -digits ? 0 : value).toFixed(digits).replace("-", "−");

function fillTable(frame, sample, sensor) {
  const { axes } = sensorPose(frame, sensor);
  const accel = reading("accel", sample, sensor), gyro = reading("gyro", sample, sensor);
  // At rest in this attitude the accelerometer would read the reaction to gravity alone: up, seen from the sensor.
  const gravity = axes.map((axis) => clip.gravity * axis[1]);
  const row = (name, word, values, style) =>
    `<tr class="${style}"><td class="word ${name}">${name || "size"}</td><td class="word">${word}</td>` +
    values.map((value) => `<td>${value}</td>`).join("") + "</tr>";
  const rows = AXIS_NAMES.map((name, k) =>
    row(name, directionInWords(axes[k], frame), [number(accel[k], 2), number(gravity[k], 2), number(gyro[k], 3)], "axis"));
  rows.push(row("", "", [number(norm(accel), 2), number(clip.gravity, 2), number(norm(gyro), 3)], "total"));
  document.querySelector("#now tbody").innerHTML = rows.join("");
}

const curves = (() => {
  const element = document.getElementById("curves"), cursor = document.getElementById("cursor");
  const margin = { l: 54, r: 10, t: 8, b: 36 };
  const times = () => Float64Array.from({ length: clip.numSamples }, (_, sample) => timeOfSample(sample));
  const whole = [clip.firstTime, clip.lastTime > clip.firstTime ? clip.lastTime : clip.firstTime + 1];

  const component = (quantity, sensor, axis) =>
    Float32Array.from({ length: clip.numSamples }, (_, n) => clip.arrays[quantity].values[3 * (n * clip.numSensors + sensor) + axis]);

  const values = (sensor) => ["accel", "gyro"].flatMap((quantity) => [0, 1, 2].map((axis) => component(quantity, sensor, axis)));

  // A quiet sensor is shown as quiet: no range is narrower than `least`, or rounding would fill the picture.
  function rangeOf(traces, least) {
    let low = Infinity, high = -Infinity;
    for (const trace of traces) for (const value of trace) { low = Math.min(low, value); high = Math.max(high, value); }
    const middle = (low + high) / 2, half = Math.max(least, 1.08 * (high - low)) / 2;
    return [middle - half, middle + half];
  }
  const ranges = (y) => ({ "yaxis.range": rangeOf(y.slice(0, 3), 2), "yaxis2.range": rangeOf(y.slice(3), 0.2) });

  function layout() {
    const common = { gridcolor: css("line"), zerolinecolor: css("floor"), linecolor: css("line"), tickfont: { size: 11 }, fixedrange: true, automargin: false };
    const title = (text) => ({ text, font: { size: 12 }, standoff: 6 });
    return {
      margin, showlegend: false, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", dragmode: false, hovermode: false,
      font: { color: css("soft"), family: "system-ui, sans-serif" },
      xaxis: { ...common, fixedrange: false, range: whole, anchor: "y2", title: { ...title("time [s]"), standoff: 4 } },
      yaxis: { ...common, domain: [0.53, 1], title: title("accelerometer [m/s²]") },
      yaxis2: { ...common, domain: [0, 0.47], title: title("gyroscope [rad/s]") },
    };
  }

  // Every margin is fixed, so a time's place follows from the range alone.
  const inner = () => element.clientWidth - margin.l - margin.r;
  const range = () => element.layout.xaxis.range.map(Number);
  const timeAt = (clientX) => {
    const [from, to] = range(), x = clientX - element.getBoundingClientRect().left - margin.l;
    return from + (to - from) * Math.min(1, Math.max(0, x / inner()));
  };

  function placeCursor(time) {
    const [from, to] = range(), share = (time - from) / (to - from);
    cursor.style.display = share < -1e-6 || share > 1 + 1e-6 ? "none" : "block";
    cursor.style.left = `${margin.l + share * inner()}px`;
    cursor.style.top = `${margin.t}px`;
    cursor.style.height = `${element.clientHeight - margin.t - margin.b}px`;
  }

  function dragToSeek(onSeek) {
    let dragging = false;
    element.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      dragging = true;
      onSeek(timeAt(event.clientX));
    });
    window.addEventListener("pointermove", (event) => dragging && onSeek(timeAt(event.clientX)));
    window.addEventListener("pointerup", () => { dragging = false; });
    window.addEventListener("pointercancel", () => { dragging = false; });
  }

  // The wheel magnifies time about the pointer, a double click shows the whole clip again.
  function wheelToZoom(onZoom) {
    element.addEventListener("wheel", (event) => {
      event.preventDefault();
      const [from, to] = range(), at = timeAt(event.clientX), factor = Math.exp(0.0015 * event.deltaY);
      const next = [at + (from - at) * factor, at + (to - at) * factor];
      if (next[1] - next[0] < 4 / clip.rate_hz) return;
      Plotly.relayout(element, { "xaxis.range": [Math.max(whole[0], next[0]), Math.min(whole[1], next[1])] }).then(onZoom);
    }, { passive: false });
    element.addEventListener("dblclick", () => Plotly.relayout(element, { "xaxis.range": [...whole] }).then(onZoom));
  }

  return {
    async start(sensor, onSeek, onZoom) {
      const traces = values(sensor).map((y, n) => ({
        type: "scatter", mode: clip.numSamples > 1 ? "lines" : "markers", x: times(), y, yaxis: n < 3 ? "y" : "y2", hoverinfo: "skip",
        line: { color: css(AXIS_NAMES[n % 3]), width: 1.4 },
      }));
      await Plotly.newPlot(element, traces, layout(), { displayModeBar: false, responsive: true, doubleClick: false });
      dragToSeek(onSeek);
      wheelToZoom(onZoom);
      new ResizeObserver(() => Plotly.Plots.resize(element).then(onZoom)).observe(element);
    },
    choose(sensor) {
      const y = values(sensor);
      return Plotly.update(element, { x: y.map(times), y }, ranges(y));
    },
    placeCursor,
  };
})();
