/** The one model of the page: what is drawn, with what, and where. */

export const colours = ["#e4572e", "#17a398", "#6a4c93", "#c9a227", "#2274a5", "#b5446e", "#4f7942", "#8d6a4f"];

/** @returns a scene with nothing in it */
export function emptyScene() {
  return {
    model: null, prompt: "", negative: "", width: 64, height: 64, steps: 20, guidance: null, seed: "-1",
    sampler: "DPM++ 2M", scheduler: "", clipSkip: 1, count: 1, previewEvery: 2, leaks: false, hires: null, seamless: "", initial: null, next: 1, regions: [],
  };
}

/** A region with what it has when nobody says otherwise. */
export function newRegion(scene, box) {
  const number = scene.next++;
  return {
    id: number, name: `region ${number}`, prompt: "", negative: "", weight: 1, feather: 0, from: 0, to: 1, t2i: "", lora: "",
    colour: colours[(number - 1) % colours.length], locked: false, hidden: false, solo: false, box, mask: null,
  };
}

/** The regions that take part. */
export function activeRegions(scene) {
  const solo = scene.regions.filter(region => region.solo);
  return (solo.length ? solo : scene.regions).filter(region => !region.hidden && (region.box || region.mask));
}

const round = number => Math.round(number * 1e6) / 1e6;

/** A region under the names of `--regions`. */
export function exported(region) {
  const result = {name: region.name, prompt: region.prompt};
  if (region.box) result.box = region.box.map(round);
  if (region.mask) result.mask = region.mask;
  if (region.negative) result.negative = region.negative;
  if (region.weight !== 1) result.weight = region.weight;
  if (region.feather && region.box) result.feather = region.feather;
  if (region.from > 0 || region.to < 1) result.steps = `${region.from}-${region.to}`;
  if (region.t2i) result.t2i = region.t2i;
  const lora = (region.lora ?? "").split(",").map(name => name.trim()).filter(Boolean);
  if (lora.length) result.lora = lora;
  return result;
}

const known = ["name", "prompt", "box", "mask", "negative", "weight", "feather", "steps", "t2i", "lora"];

/**
 * A region of a scene file.
 * @returns {{region: object, unknown: string[]}}
 */
export function imported(scene, item) {
  const numbers = value => (Array.isArray(value) ? value : String(value).split(",")).map(Number);
  let box = item.box ? numbers(item.box) : null;
  if (box && box.some(number => number > 1)) {
    box = [box[0] / scene.width, box[1] / scene.height, box[2] / scene.width, box[3] / scene.height];
  }
  const region = newRegion(scene, box);
  region.name = item.name ?? region.name;
  region.prompt = item.prompt ?? "";
  region.negative = item.negative ?? "";
  region.mask = item.mask ?? null;
  region.weight = Number(item.weight ?? 1);
  region.feather = Number(item.feather ?? 0);
  region.t2i = Array.isArray(item.t2i) ? item.t2i.join(",") : String(item.t2i ?? "");
  region.lora = Array.isArray(item.lora) ? item.lora.join(", ") : String(item.lora ?? "");
  if (item.steps) [region.from, region.to] = String(item.steps).split("-").map(Number);
  return {region, unknown: Object.keys(item).filter(key => !known.includes(key))};
}

/** The order that draws a scene. */
export function order(scene, {withRegions = true, seed = scene.seed} = {}) {
  const result = {
    kind: "draw", prompt: scene.prompt, negative_prompt: scene.negative, width: scene.width, height: scene.height,
    steps: scene.steps, seed, sampler: scene.sampler, clip_skip: scene.clipSkip, batch_count: scene.count,
    preview_every: scene.previewEvery,
  };
  if (scene.model) result.model = scene.model;
  if (scene.guidance !== null) result.cfg_scale = scene.guidance;
  if (scene.scheduler) result.scheduler = scene.scheduler;
  if (scene.hires) result.hires = scene.hires;
  if (scene.seamless) result.seamless = scene.seamless;
  const regions = withRegions ? activeRegions(scene).filter(region => region.prompt.trim()) : [];
  if (regions.length) result.regions = regions.map(exported);
  if (regions.length && scene.leaks) result.region_report = true;
  return result;
}

/** A scene of the fields that a picture told. */
export function restored(fields) {
  const scene = emptyScene();
  Object.assign(scene, {
    model: fields.model ?? null, prompt: fields.prompt ?? "", negative: fields.negative_prompt ?? "",
    width: fields.width ?? scene.width, height: fields.height ?? scene.height, steps: fields.steps ?? scene.steps,
    guidance: fields.cfg_scale ?? null, seed: String(fields.seed ?? "-1"), sampler: fields.sampler ?? scene.sampler,
    scheduler: fields.scheduler ?? "", clipSkip: fields.clip_skip ?? 1,
    hires: fields.hires ?? null, seamless: fields.seamless ?? "",
  });
  const unknown = [];
  for (const item of fields.regions ?? []) {
    const found = imported(scene, item);
    scene.regions.push(found.region);
    unknown.push(...found.unknown);
  }
  return {scene, unknown};
}
