// Where a pointer meets the drawn skin: every vertex is projected as plotly's camera does, and the front-most triangle
// under the pointer counts. A place is three vertices of the body and their weights, so it means the same in any pose.

const picker = (() => {
  const element = document.getElementById("scene");

  // World to pixels of the scene and depth; plotly draws model, view and projection, column by column.
  function projector(frame) {
    const plot = element._fullLayout?.scene?._scene;
    if (!plot?.glplot?.cameraParams || !plot.dataScale) throw new Error("this version of plotly hides its camera; sensors cannot be dragged");
    const { model, view, projection } = plot.glplot.cameraParams, scale = plot.dataScale;
    const times = (m, v) => [0, 1, 2, 3].map((row) => m[row] * v[0] + m[row + 4] * v[1] + m[row + 8] * v[2] + m[row + 12] * v[3]);
    const columns = [0, 1, 2, 3].map((k) => times(projection, times(view, times(model, [0, 1, 2, 3].map((row) => Number(row === k))))));
    const whole = columns.flat(), [ox, oz] = scene.origin(frame), { width, height } = element.getBoundingClientRect();
    return (x, y, z) => {
      const [a, b, , w] = times(whole, [(z - oz) * scale[0], (x - ox) * scale[1], y * scale[2], 1]);
      return [0.5 * width * (1 + a / w), 0.5 * height * (1 - b / w), w];
    };
  }

  // All that stays the same while a pointer moves over one drawn frame.
  function look(frame) {
    const project = projector(frame), { x, y, z } = skin(frame), count = x.length;
    const px = new Float32Array(count), py = new Float32Array(count), depth = new Float32Array(count);
    for (let v = 0; v < count; v++) [px[v], py[v], depth[v]] = project(x[v], y[v], z[v]);
    const faces = clip.arrays.faces.values;

    function hit(atX, atY) {
      let best = null;
      for (let f = 0; f < faces.length; f += 3) {
        const a = faces[f], b = faces[f + 1], c = faces[f + 2];
        const area = (px[b] - px[a]) * (py[c] - py[a]) - (px[c] - px[a]) * (py[b] - py[a]);
        if (Math.abs(area) < 1e-9) continue;
        const v = ((atX - px[a]) * (py[c] - py[a]) - (px[c] - px[a]) * (atY - py[a])) / area;
        const w = ((px[b] - px[a]) * (atY - py[a]) - (atX - px[a]) * (py[b] - py[a])) / area;
        if (v < 0 || w < 0 || v + w > 1) continue;
        // Weights on the screen are not those in space: near corners count for less of it.
        const shares = [(1 - v - w) / depth[a], v / depth[b], w / depth[c]];
        const sum = shares[0] + shares[1] + shares[2], far = 1 / sum;
        if (best && far >= best.depth) continue;
        best = { depth: far, corners: [a, b, c], weights: shares.map((share) => share / sum) };
      }
      if (!best) return null;
      const mean = (values) => best.corners.reduce((total, corner, k) => total + best.weights[k] * values[corner], 0);
      return { ...best, position: [mean(x), mean(y), mean(z)], vertices: best.corners.map((corner) => clip.arrays.vertex_ids.values[corner]) };
    }

    return { hit, project };
  }

  return { look };
})();
