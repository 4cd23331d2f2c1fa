/** Masks that are painted: white where a region is, in the picture's size. */

import {state, chosen, commit, announce} from "./history.js";

export const brush = {tool: "box", size: 16, opacity: 1, isErasing: false};

/** Decoded masks by their text. */
const decoded = new Map();

/** The mask of a region as a canvas; nil while it is being decoded. */
export function maskCanvas(region) {
  if (!region.mask) return null;
  const known = decoded.get(region.mask);
  if (known) return known.isReady ? known : null;
  const {width, height} = state.scene;
  const canvas = Object.assign(document.createElement("canvas"), {width, height});
  const image = new Image();
  image.onload = () => {
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0, width, height);
    // What is black in a file is nothing.
    const data = context.getImageData(0, 0, width, height);
    for (let i = 0; i < data.data.length; i += 4) {
      data.data[i + 3] = Math.round(data.data[i + 3] * data.data[i] / 255);
      data.data[i] = data.data[i + 1] = data.data[i + 2] = 255;
    }
    context.putImageData(data, 0, 0);
    canvas.isReady = true;
    announce("view");
  };
  image.src = region.mask;
  decoded.set(region.mask, canvas);
  if (decoded.size > 300) decoded.delete(decoded.keys().next().value);
  return null;
}

let stroke = null;

/** Begins to paint in the chosen region, whose box becomes the beginning of its mask. */
export function beginStroke(x, y, isErasing) {
  const region = chosen();
  if (!region || region.locked) return false;
  const {width, height} = state.scene;
  const canvas = Object.assign(document.createElement("canvas"), {width, height});
  const context = canvas.getContext("2d", {willReadFrequently: true});
  const old = maskCanvas(region);
  if (old) {
    context.drawImage(old, 0, 0);
  } else if (region.box) {
    const [l, t, r, b] = region.box;
    context.fillStyle = "#fff";
    context.fillRect(l * width, t * height, (r - l) * width, (b - t) * height);
  }
  stroke = {region, canvas, context, x, y, isErasing};
  continueStroke(x, y);
  return true;
}

export function continueStroke(x, y) {
  if (!stroke) return;
  const {context} = stroke;
  context.globalCompositeOperation = stroke.isErasing ? "destination-out" : "source-over";
  context.strokeStyle = `rgba(255,255,255,${brush.opacity})`;
  context.lineCap = context.lineJoin = "round";
  context.lineWidth = brush.size;
  context.beginPath();
  context.moveTo(stroke.x, stroke.y);
  context.lineTo(x + .01, y);
  context.stroke();
  Object.assign(stroke, {x, y});
}

/** The mask as it is being painted. */
export const strokeOf = region => stroke?.region === region ? stroke.canvas : null;

export function endStroke() {
  if (!stroke) return;
  store(stroke.region, stroke.canvas);
  stroke = null;
  commit();
}

function store(region, canvas) {
  canvas.isReady = true;
  region.mask = canvas.toDataURL("image/png");
  region.box = null;
  decoded.set(region.mask, canvas);
}

/** Fills, clears or inverts the mask of the chosen region. */
export function wholeMask(kind) {
  const region = chosen();
  if (!region || region.locked) return;
  const {width, height} = state.scene;
  const canvas = Object.assign(document.createElement("canvas"), {width, height});
  const context = canvas.getContext("2d");
  if (kind !== "clear") {
    context.fillStyle = "#fff";
    context.fillRect(0, 0, width, height);
  }
  if (kind === "invert") {
    context.globalCompositeOperation = "destination-out";
    const old = maskCanvas(region);
    if (old) context.drawImage(old, 0, 0);
    else if (region.box) {
      const [l, t, r, b] = region.box;
      context.fillRect(l * width, t * height, (r - l) * width, (b - t) * height);
    }
  }
  store(region, canvas);
  commit();
}
