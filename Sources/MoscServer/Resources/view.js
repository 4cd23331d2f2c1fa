/** The one transform between pixels of the picture and places on the canvas. */

export const view = {scale: 1, x: 0, y: 0, isFree: false, width: 1, height: 1};

/** Sets the size of the canvas in CSS pixels; shows the whole picture unless somebody zoomed. */
export function fit(width, height, scene) {
  [view.width, view.height] = [width, height];
  if (view.isFree) return;
  const margin = 16;
  view.scale = Math.max(.05, Math.min((width - margin) / scene.width, (height - margin) / scene.height));
  view.x = (width - scene.width * view.scale) / 2;
  view.y = (height - scene.height * view.scale) / 2;
}

/** A place on the canvas as a place in the picture, in pixels. */
export const toPicture = (x, y) => [(x - view.x) / view.scale, (y - view.y) / view.scale];

/** A place in the picture, in pixels, on the canvas. */
export const toCanvas = (x, y) => [x * view.scale + view.x, y * view.scale + view.y];

/** Zooms about a place on the canvas. */
export function zoom(factor, x, y) {
  const scale = Math.min(64, Math.max(.05, view.scale * factor));
  const [px, py] = toPicture(x, y);
  Object.assign(view, {scale, isFree: true, x: x - px * scale, y: y - py * scale});
}

export function pan(dx, dy) { Object.assign(view, {isFree: true, x: view.x + dx, y: view.y + dy}); }

/** Shows the whole picture again. */
export function reset(scene) {
  view.isFree = false;
  fit(view.width, view.height, scene);
}

/** A number of pixels on the grid. */
export const snapped = (value, step, isFree) => isFree ? value : Math.round(value / step) * step;
