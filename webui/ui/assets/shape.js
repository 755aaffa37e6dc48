/** Shapes of pictures: width and height for a ratio, and the room a picture takes on the page. */

const UNIT = 8;
const SMALLEST = 64;
const LARGEST = 2048;
const LARGEST_ENLARGEMENT = 3; // beyond this, pixels of a small picture get in the way

/** Width and height for a ratio such as 4:3, with about as many pixels as before. */
export function shape(width, height, across, down) {
  const area = width * height;
  const side = Math.sqrt((area * across) / down);
  return [snap(side), snap((side * down) / across)];
}

const snap = (side) => Math.min(LARGEST, Math.max(SMALLEST, Math.round(side / UNIT) * UNIT));

/** Tell the style sheet the shape of what `element` shows. */
export function setShape(element, { width, height }) {
  element.style.setProperty("--ratio", `${width} / ${height}`);
  element.style.setProperty("--shape", String(width / height));
  element.style.setProperty("--widest", `${Math.round(width * LARGEST_ENLARGEMENT)}px`);
}
