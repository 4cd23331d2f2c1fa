/** Fusing concepts into one file, with what is left of each. */

import {find, make, field, say, attempt} from "./dom.js";
import {run} from "./jobs.js";
import {offers, whenOffered} from "./settings.js";

const panel = find("panel-fuse");

function drawConcepts() {
  const rows = offers.loras.map(lora => make("tr", {},
    make("td", {}, make("input", {type: "checkbox", id: `fuse-${lora.stem}`, value: lora.stem, "aria-label": `fuse ${lora.stem}`})),
    make("td", {}, lora.stem), make("td", {}, lora.words.join(" ")),
    make("td", {}, make("input", {type: "number", step: .1, value: 1, id: `fuse-strength-${lora.stem}`, "aria-label": `strength of ${lora.stem}`}))));
  find("fuse-concepts").replaceChildren(...(rows.length ? [make("table", {}, make("thead", {}, make("tr", {}, ...["", "concept", "words", "strength"].map(text => make("th", {}, text)))), make("tbody", {}, ...rows))] : ["There are no concepts yet: teach some."]));
}

const fuse = () => attempt(async () => {
  const concepts = offers.loras.filter(lora => find(`fuse-${lora.stem}`)?.checked)
    .map(lora => ({name: lora.stem, strength: Number(find(`fuse-strength-${lora.stem}`).value)}));
  if (!concepts.length) throw new Error("choose concepts");
  const name = find("fuse-name").value.trim();
  const steps = find("fuse-refine").value;
  await run({kind: "fuse", name, concepts, sheet: find("fuse-sheet").checked, ...(steps === "" ? {} : {refine: Number(steps)})}, {
    line: data => { if (data.message) find("fuse-log").textContent = data.message; },
    done: data => {
      if (data.status !== "completed") { find("fuse-log").textContent = `${data.status}${data.error ? `: ${data.error}` : ""}`; return; }
      find("fuse-log").textContent = `"${name}" is fused: choose it under "add a concept"`;
      const rows = data.result.residuals.map(row => make("tr", {}, make("td", {}, row.name), make("td", {}, row.median.toPrecision(2)), make("td", {}, row.worst.toPrecision(2)), make("td", {}, verdict(row.median))));
      find("fuse-result").replaceChildren(
        make("table", {}, make("caption", {}, "residual: 0 is a concept as by its own file, 1 the model without it"), make("thead", {}, make("tr", {}, ...["concept", "median", "worst", ""].map(text => make("th", {}, text)))), make("tbody", {}, ...rows)),
        ...(data.result.sheet ? [make("img", {src: data.result.sheet, alt: "each concept alone and fused"})] : []));
    },
  });
  say(`fusing ${concepts.length} concepts`);
});

const verdict = median => median < .1 ? "kept" : median < .35 ? "mostly kept" : median < .7 ? "weakened" : "mostly lost";

export function start() {
  panel.append(make("div", {className: "panel"},
    make("h2", {}, "Fuse concepts"), make("div", {id: "fuse-concepts"}),
    field("name of the result", make("input", {id: "fuse-name", value: "fused"})),
    field("steps of refining, for each", make("input", {id: "fuse-refine", type: "number", min: 0, step: 1, placeholder: "as suits the model"})),
    make("label", {className: "inline"}, make("input", {type: "checkbox", id: "fuse-sheet", checked: true}), make("span", {}, "draw each alone and fused")),
    make("div", {className: "row"}, make("button", {type: "button", className: "main", id: "fuse-start", onclick: fuse}, "Fuse")),
    make("p", {className: "log", id: "fuse-log", "aria-live": "polite"}), make("div", {id: "fuse-result"})));
  whenOffered(drawConcepts);
}
