// The data of the page: typed arrays out of base64, and what is worked out of them for one drawn frame.

const TYPES = { float32: Float32Array, uint8: Uint8Array, uint16: Uint16Array, uint32: Uint32Array };

function unpack({ dtype, shape, data }) {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  return { values: new TYPES[dtype](bytes.buffer), shape };
}

const clip = (() => {
  const read = JSON.parse(document.getElementById("data").textContent);
  const arrays = {};
  for (const [name, packed] of Object.entries(read.arrays)) arrays[name] = unpack(packed);
  const numFrames = arrays.joint_poses.shape[0];
  const numSamples = arrays.accel.shape[0];
  return {
    ...read,
    arrays,
    numFrames,
    numSamples,
    numSensors: read.names.length,
    numJoints: arrays.joint_poses.shape[1],
    firstTime: read.first_frame / read.drawn_fps,
    lastTime: (read.first_frame + numFrames - 1) / read.drawn_fps,
  };
})();

// The drawn frame and the sample nearest to a moment [s] of the clip.
const nearest = (time, rate, first, count) => Math.min(count - 1, Math.max(0, Math.round(time * rate) - first));
const frameAt = (time) => nearest(time, clip.drawn_fps, clip.first_frame, clip.numFrames);
const sampleAt = (time) => nearest(time, clip.rate_hz, clip.first_sample, clip.numSamples);
const timeOfFrame = (frame) => (clip.first_frame + frame) / clip.drawn_fps;
const timeOfSample = (sample) => (clip.first_sample + sample) / clip.rate_hz;

// Linear blend skinning: world coordinates [m] of all drawn vertices, one array for each axis.
const skin = (() => {
  const { rest_vertices, bones, weights, joint_poses } = clip.arrays;
  const [count, most] = bones.shape;
  const rest = rest_vertices.values;
  return (frame) => {
    const x = new Float32Array(count), y = new Float32Array(count), z = new Float32Array(count);
    const poses = joint_poses.values, start = frame * clip.numJoints * 12;
    for (let v = 0; v < count; v++) {
      const a = rest[3 * v], b = rest[3 * v + 1], c = rest[3 * v + 2];
      for (let k = v * most; k < (v + 1) * most; k++) {
        const w = weights.values[k];
        if (w === 0) break; // the shares of a vertex are sorted, the rest is padding
        const p = start + 12 * bones.values[k];
        x[v] += w * (poses[p] * a + poses[p + 1] * b + poses[p + 2] * c + poses[p + 9]);
        y[v] += w * (poses[p + 3] * a + poses[p + 4] * b + poses[p + 5] * c + poses[p + 10]);
        z[v] += w * (poses[p + 6] * a + poses[p + 7] * b + poses[p + 8] * c + poses[p + 11]);
      }
    }
    return { x, y, z };
  };
})();

// Where a sensor is [m] and its axes as unit vectors of the world (the columns of R_ws).
function sensorPose(frame, sensor) {
  const p = 12 * (frame * clip.numSensors + sensor), m = clip.arrays.sensor_poses.values;
  return {
    position: [m[p + 9], m[p + 10], m[p + 11]],
    axes: [0, 1, 2].map((axis) => [m[p + axis], m[p + 3 + axis], m[p + 6 + axis]]),
  };
}

// A joint's matrix carries rest vertices, so its rotation is the joint's, and the pelvis moves about its rest position.
const jointMatrix = (frame, joint) => {
  const p = 12 * (frame * clip.numJoints + joint);
  return clip.arrays.joint_poses.values.subarray(p, p + 12);
};

// Three components of a quantity ("accel", "gyro") of one sensor at one sample.
function reading(quantity, sample, sensor) {
  const p = 3 * (sample * clip.numSensors + sensor);
  return Array.from(clip.arrays[quantity].values.subarray(p, p + 3));
}
