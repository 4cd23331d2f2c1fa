/** The canvas: the picture, its regions, and what pointers do to them. */

import {find, say} from "./dom.js";
import {state, chosen, commit, observe, announce} from "./history.js";
import {newRegion} from "./scene.js";
import {view, fit, toPicture, toCanvas, zoom, pan, snapped} from "./view.js";
import {brush, maskCanvas, strokeOf, beginStroke, continueStroke, endStroke} from "./brush.js";
import {drawShares, hover} from "./coverage.js";

const canvas = find("canvas");
const context = canvas.getContext("2d");
export const shows = {grid: false, shares: true, regions: true};
const handleSize = 10;
const snap = 8;

/** The rectangle of a box on the canvas. */
function rectangle(box) {
  const [x0, y0] = toCanvas(box[0] * state.scene.width, box[1] * state.scene.height);
  const [x1, y1] = toCanvas(box[2] * state.scene.width, box[3] * state.scene.height);
  return {x: x0, y: y0, width: x1 - x0, height: y1 - y0};
}

function handles(box) {
  const r = rectangle(box);
  const xs = [r.x, r.x + r.width / 2, r.x + r.width], ys = [r.y, r.y + r.height / 2, r.y + r.height];
  const result = [];
  for (let i = 0; i < 3; i++) for (let j = 0; j < 3; j++) if (i !== 1 || j !== 1) result.push({i, j, x: xs[i], y: ys[j]});
  return result;
}

// Drawing

let isDue = false;
export function redraw() {
  if (isDue) return;
  isDue = true;
  requestAnimationFrame(() => { isDue = false; draw(); });
}

function draw() {
  const ratio = devicePixelRatio || 1;
  const {clientWidth: width, clientHeight: height} = canvas;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    [canvas.width, canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];
  }
  fit(width, height, state.scene);
  const hasPicture = Boolean(state.picture?.complete && state.picture.naturalWidth);
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  const [x, y] = toCanvas(0, 0);
  const [w, h] = [state.scene.width * view.scale, state.scene.height * view.scale];
  const style = getComputedStyle(document.body);
  context.fillStyle = style.getPropertyValue("--back");
  context.fillRect(x, y, w, h);
  context.imageSmoothingEnabled = view.scale < 4;
  if (hasPicture) context.drawImage(state.picture, x, y, w, h);
  context.strokeStyle = style.getPropertyValue("--line");
  context.lineWidth = 1;
  context.strokeRect(x - .5, y - .5, w + 1, h + 1);
  if (shows.grid) drawGrid(x, y, w, h);
  if (!shows.regions) return;
  if (shows.shares) drawShares(context, x, y, w, h);
  for (const region of state.scene.regions) drawRegion(region, x, y, w, h, hasPicture ? .5 : 1);
  drawHandles();
}

function drawGrid(x, y, w, h) {
  context.globalAlpha = .5;
  context.beginPath();
  for (let i = 1; i * 64 < state.scene.width; i++) { context.moveTo(x + i * 64 * view.scale, y); context.lineTo(x + i * 64 * view.scale, y + h); }
  for (let j = 1; j * 64 < state.scene.height; j++) { context.moveTo(x, y + j * 64 * view.scale); context.lineTo(x + w, y + j * 64 * view.scale); }
  context.stroke();
  context.globalAlpha = 1;
}

/** Draws a region; colours are weaker over a picture that is to be seen. */
function drawRegion(region, x, y, w, h, strength) {
  if (region.hidden) return;
  const isChosen = region.id === state.chosen;
  const mask = strokeOf(region) ?? maskCanvas(region);
  if (mask) {
    const layer = Object.assign(document.createElement("canvas"), {width: mask.width, height: mask.height});
    const painter = layer.getContext("2d");
    painter.drawImage(mask, 0, 0);
    painter.globalCompositeOperation = "source-in";
    painter.fillStyle = region.colour;
    painter.fillRect(0, 0, mask.width, mask.height);
    context.globalAlpha = (isChosen ? .5 : .3) * strength;
    context.drawImage(layer, x, y, w, h);
    context.globalAlpha = 1;
  }
  if (!region.box) return;
  const r = rectangle(region.box);
  context.fillStyle = region.colour;
  context.globalAlpha = (isChosen ? .22 : .1) * strength;
  context.fillRect(r.x, r.y, r.width, r.height);
  context.globalAlpha = 1;
  context.strokeStyle = region.colour;
  context.lineWidth = isChosen ? 3 : 2;
  context.setLineDash(region.locked ? [6, 4] : []);
  context.strokeRect(r.x, r.y, r.width, r.height);
  context.setLineDash([]);
  const title = `${state.scene.regions.indexOf(region) + 1} ${region.name}`;
  context.font = "12px system-ui, sans-serif";
  const length = context.measureText(title).width + 8;
  context.fillStyle = "#000c";
  context.fillRect(r.x, r.y, Math.min(length, Math.max(20, r.width)), 17);
  context.fillStyle = "#fff";
  context.save();
  context.beginPath();
  context.rect(r.x, r.y, Math.max(20, r.width), 17);
  context.clip();
  context.fillText(title, r.x + 4, r.y + 13);
  context.restore();
}

function drawHandles() {
  const region = chosen();
  if (!region?.box || region.locked || region.hidden || brush.tool !== "box") return;
  for (const {x, y} of handles(region.box)) {
    context.fillStyle = "#fff";
    context.fillRect(x - handleSize / 2, y - handleSize / 2, handleSize, handleSize);
    context.strokeStyle = "#000";
    context.lineWidth = 1;
    context.strokeRect(x - handleSize / 2 + .5, y - handleSize / 2 + .5, handleSize - 1, handleSize - 1);
  }
}

// Hit tests

function handleAt(x, y) {
  const region = chosen();
  if (!region?.box || region.locked || region.hidden) return null;
  return handles(region.box).find(h => Math.abs(h.x - x) <= handleSize && Math.abs(h.y - y) <= handleSize) ?? null;
}

function regionAt(x, y) {
  const [px, py] = toPicture(x, y);
  const [u, v] = [px / state.scene.width, py / state.scene.height];
  // The chosen one first, then the uppermost.
  const order = [chosen(), ...[...state.scene.regions].reverse()].filter(region => region && !region.hidden);
  return order.find(region => {
    if (region.box) return u >= region.box[0] && u < region.box[2] && v >= region.box[1] && v < region.box[3];
    const mask = maskCanvas(region);
    if (!mask || px < 0 || py < 0 || px >= mask.width || py >= mask.height) return false;
    return mask.getContext("2d").getImageData(Math.floor(px), Math.floor(py), 1, 1).data[3] > 127;
  }) ?? null;
}

// Pointers

const pointers = new Map();
let drag = null, pinch = null;

function place(event) {
  const bounds = canvas.getBoundingClientRect();
  // The page may have moved since it was drawn.
  fit(canvas.clientWidth, canvas.clientHeight, state.scene);
  return [event.clientX - bounds.left, event.clientY - bounds.top];
}

function clampBox(box) { return box.map(number => Math.min(1, Math.max(0, number))); }

canvas.addEventListener("pointerdown", event => {
  canvas.focus({preventScroll: true});
  canvas.setPointerCapture(event.pointerId);
  const [x, y] = place(event);
  pointers.set(event.pointerId, [x, y]);
  if (pointers.size === 2) {
    drag = null;
    pinch = [...pointers.values()];
    return;
  }
  if (event.button === 1 || spaceIsDown) { drag = {kind: "pan", x, y}; return; }
  const [px, py] = toPicture(x, y);
  if (brush.tool === "brush") {
    const isErasing = brush.isErasing || event.button === 2 || (event.buttons & 32) !== 0;
    if (beginStroke(px, py, isErasing)) drag = {kind: "stroke"};
    else say("choose a region that is not locked to paint in", true);
    return redraw();
  }
  const handle = handleAt(x, y);
  if (handle) { drag = {kind: "resize", handle, box: [...chosen().box], x: px, y: py}; return; }
  const region = regionAt(x, y);
  if (region) {
    state.chosen = region.id;
    if (region.box && !region.locked) drag = {kind: "move", box: [...region.box], x: px, y: py};
    return announce("choice");
  }
  drag = {kind: "new", x: px, y: py};
});

canvas.addEventListener("pointermove", event => {
  const [x, y] = place(event);
  const [px, py] = toPicture(x, y);
  hover(px, py);
  if (!pointers.has(event.pointerId)) {
    canvas.style.cursor = brush.tool === "brush" ? "cell" : handleAt(x, y) ? "nwse-resize" : regionAt(x, y) ? "move" : "crosshair";
    return;
  }
  const before = pointers.get(event.pointerId);
  pointers.set(event.pointerId, [x, y]);
  if (pinch && pointers.size === 2) {
    const now = [...pointers.values()];
    const distance = points => Math.hypot(points[0][0] - points[1][0], points[0][1] - points[1][1]) || 1;
    const middle = points => [(points[0][0] + points[1][0]) / 2, (points[0][1] + points[1][1]) / 2];
    const [m, n] = [middle(now), middle(pinch)];
    pan(m[0] - n[0], m[1] - n[1]);
    zoom(distance(now) / distance(pinch), m[0], m[1]);
    pinch = now;
    return redraw();
  }
  if (!drag) return;
  if (drag.kind === "pan") pan(x - before[0], y - before[1]);
  else if (drag.kind === "stroke") continueStroke(px, py);
  else dragBox(px, py, event.altKey);
  redraw();
});

/** Moves, resizes or makes a box, on the grid unless Alt is held. */
function dragBox(px, py, isFree) {
  const {width, height} = state.scene;
  const u = value => snapped(value, snap, isFree) / width, v = value => snapped(value, snap, isFree) / height;
  if (drag.kind === "new") {
    if (Math.abs(px - drag.x) < 4 / view.scale && Math.abs(py - drag.y) < 4 / view.scale) return;
    const region = newRegion(state.scene, null);
    const [x0, y0] = [u(drag.x), v(drag.y)];
    region.box = clampBox([x0, y0, x0, y0]);
    state.scene.regions.push(region);
    state.chosen = region.id;
    const [right, down] = [px >= drag.x, py >= drag.y];
    drag = {kind: "resize", handle: {i: right ? 2 : 0, j: down ? 2 : 0}, box: [...region.box], x: drag.x, y: drag.y, isNew: true};
  }
  const region = chosen();
  if (!region?.box) return;
  const box = [...drag.box];
  if (drag.kind === "move") {
    const [w, h] = [box[2] - box[0], box[3] - box[1]];
    const left = Math.min(1 - w, Math.max(0, u(box[0] * width + px - drag.x)));
    const top = Math.min(1 - h, Math.max(0, v(box[1] * height + py - drag.y)));
    region.box = [left, top, left + w, top + h];
    return;
  }
  const {i, j} = drag.handle;
  if (i === 0) box[0] = u(px);
  if (i === 2) box[2] = u(px);
  if (j === 0) box[1] = v(py);
  if (j === 2) box[3] = v(py);
  region.box = clampBox([Math.min(box[0], box[2]), Math.min(box[1], box[3]), Math.max(box[0], box[2]), Math.max(box[1], box[3])]);
}

function release(event) {
  pointers.delete(event.pointerId);
  if (pointers.size < 2) pinch = null;
  if (!drag) return;
  const kind = drag.kind;
  drag = null;
  if (kind === "stroke") return endStroke();
  const region = chosen();
  if (region?.box && (region.box[2] <= region.box[0] || region.box[3] <= region.box[1])) {
    state.scene.regions = state.scene.regions.filter(other => other !== region);
    state.chosen = null;
  }
  if (["move", "resize", "new"].includes(kind)) {
    commit();
    announce("choice");
  }
}
canvas.addEventListener("pointerup", release);
canvas.addEventListener("pointercancel", release);
canvas.addEventListener("contextmenu", event => { if (brush.tool === "brush") event.preventDefault(); });
canvas.addEventListener("wheel", event => {
  event.preventDefault();
  const [x, y] = place(event);
  zoom(Math.exp(-event.deltaY / 400), x, y);
  redraw();
}, {passive: false});

let spaceIsDown = false;
canvas.addEventListener("keydown", event => { if (event.key === " ") { spaceIsDown = true; event.preventDefault(); } });
canvas.addEventListener("keyup", event => { if (event.key === " ") spaceIsDown = false; });

let asked = 0, shown = 0;
/** Shows a picture behind the regions; one that arrives late is not put over a later one. */
export function show(source) {
  const image = new Image(), number = ++asked;
  image.onload = () => {
    if (number < shown) return;
    shown = number;
    state.picture = image;
    redraw();
  };
  image.src = source;
}

observe(kind => {
  // The stage has the shape of the picture, as far as there is room.
  if (kind === "scene") find("stage").style.aspectRatio = `${state.scene.width} / ${state.scene.height}`;
  redraw();
});
new ResizeObserver(redraw).observe(canvas);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
