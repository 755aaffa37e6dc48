/** Width and height for a shape such as 4:3, with about as many pixels as before. */

const UNIT = 8;
const SMALLEST = 64;
const LARGEST = 2048;

export function shape(width, height, across, down) {
  const area = width * height;
  const side = Math.sqrt((area * across) / down);
  return [snap(side), snap((side * down) / across)];
}

const snap = (side) =>
  Math.min(LARGEST, Math.max(SMALLEST, Math.round(side / UNIT) * UNIT));
