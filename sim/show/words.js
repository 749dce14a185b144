// Which way an axis points, in words: up and down are the world's, the other four the person's.

// The heading is the turn about the vertical that comes nearest to how the pelvis is turned: it stays defined for a
// person who lies on the back, the front or a side, where "where the chest points" does not.
function personAxes(frame) {
  const m = jointMatrix(frame, 0);
  const heading = Math.atan2(m[2] - m[6], m[0] + m[8]);
  const [s, c] = [Math.sin(heading), Math.cos(heading)];
  return [
    { direction: [0, 1, 0], names: ["up", "down"] },
    { direction: [s, 0, c], names: ["forwards", "backwards"] },
    { direction: [c, 0, -s], names: ["left", "right"] },
  ];
}

const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];

const EQUAL_SHARES = 0.75; // of the second component in the first: 37 degrees and more from it
const A_SHARE = 0.36; // 20 degrees

function directionInWords(vector, frame) {
  const parts = personAxes(frame)
    .map(({ direction, names }) => ({ size: dot(vector, direction), names }))
    .map(({ size, names }) => ({ size: Math.abs(size), name: names[size < 0 ? 1 : 0] }))
    .sort((one, other) => other.size - one.size);
  const [first, second] = parts;
  if (second.size > EQUAL_SHARES * first.size) return `between ${first.name} and ${second.name}`;
  if (second.size > A_SHARE * first.size) return `${first.name}, tilted ${second.name}`;
  return first.name;
}
