/// The frame of the explorer: markup, style and script, into which the data is put.
enum ExplorerTemplate {
  static let html = #"""
    <!doctype html>
    <html lang="en">
    <meta charset="utf-8">
    <title>mosc: /*NAME*/</title>
    <style>
      :root { color-scheme: light dark; --line: #8884; --mark: #36c3; --soft: #8889; }
      body { margin: 0; font: 14px/1.4 system-ui, sans-serif; display: grid; height: 100vh;
             grid: auto 1fr / minmax(22rem, 38%) 1fr; }
      header { grid-column: 1 / 3; padding: .5rem 1rem; border-bottom: 1px solid var(--line);
               display: flex; gap: 1rem; align-items: baseline; }
      header b { font-size: 1.1rem; }
      #search { flex: 1; max-width: 40rem; padding: .3rem .6rem; font: inherit; }
      #list, #view { overflow: auto; }
      #list { border-right: 1px solid var(--line); }
      table { border-collapse: collapse; width: 100%; }
      th { position: sticky; top: 0; background: Canvas; text-align: left; cursor: pointer; }
      td, th { padding: .15rem .6rem; white-space: nowrap; }
      /* The end of a layer's name tells it apart. */
      tr.row td:first-child { max-width: 17rem; overflow: hidden; text-overflow: ellipsis;
                              direction: rtl; text-align: left; }
      td.n { text-align: right; font-variant-numeric: tabular-nums; }
      tr.row { cursor: pointer; }
      tr.row:hover, tr.chosen { background: var(--mark); }
      nav { position: sticky; top: 0; background: Canvas; border-bottom: 1px solid var(--line);
            padding: .4rem .8rem; display: flex; gap: .4rem; }
      nav button { font: inherit; padding: .2rem .8rem; border: 1px solid var(--line);
                   background: none; border-radius: .4rem; cursor: pointer; color: inherit; }
      nav button.chosen { background: var(--mark); }
      pre { margin: 0; padding: .8rem; font: 12px/1.5 ui-monospace, monospace; white-space: pre; }
      .gone { background: #e443; } .come { background: #4a43; }
      h3 { margin: .8rem .8rem 0; font-size: 1rem; }
      #facts { padding: .4rem .8rem; color: var(--soft); }
    </style>
    <header>
      <b>mosc: /*NAME*/</b>
      <input id="search" placeholder="Search layers, kernels and ops" autofocus>
      <span id="count"></span>
    </header>
    <div id="list"></div>
    <div id="view"></div>
    <script type="application/json" id="data">/*DATA*/</script>
    <script>
      "use strict";
      const data = JSON.parse(document.getElementById("data").textContent);
      const tabs = [["graph", "Graph"], ["passes", "Passes"], ["mos", "Kernel"],
                    ["llvm", "LLVM IR"], ["asm", "Assembly"]];
      const launches = data.launches.map((launch, index) => ({
        ...launch, index, code: data.kernels[launch.kernel],
        text: (launch.layer + " " + launch.result + " " + data.kernels[launch.kernel].name + " " +
               data.kernels[launch.kernel].mos).toLowerCase(),
      }));
      const uses = {};
      for (const launch of launches) uses[launch.kernel] = (uses[launch.kernel] || 0) + 1;
      const lines = data.passes.map(pass => pass.text.split("\n"));
      let chosen = launches.findIndex(launch => launch.part.endsWith(".step"));
      let tab = "graph", order = "index", shown = launches;
      const number = value => value == null ? "" : value.toLocaleString("en", {maximumFractionDigits: 3});
      const make = (tag, text, attributes = {}) => {
        const element = document.createElement(tag);
        if (text != null) element.textContent = text;
        Object.assign(element, attributes);
        return element;
      };

      /* The list of launches that fit the search. */
      const columns = [["layer", l => l.layer], ["kernel", l => l.code.name],
        ["ms", l => l.code.ms], ["GFLOP", l => l.code.flops / 1e9], ["MB", l => l.code.bytes / 1e6],
        ["GFLOP/s", l => l.code.ms ? l.code.flops / l.code.ms / 1e6 : null]];
      function list() {
        const words = document.getElementById("search").value.toLowerCase().split(" ").filter(Boolean);
        shown = launches.filter(launch => words.every(word => launch.text.includes(word)));
        const key = columns.find(column => column[0] === order);
        if (key) shown.sort((a, b) => {
          const [x, y] = [key[1](a), key[1](b)];
          return typeof x === "string" ? x.localeCompare(y) : (y ?? 0) - (x ?? 0);
        });
        const table = make("table"), head = table.insertRow();
        for (const [name] of columns) {
          head.append(make("th", name, {onclick: () => { order = order === name ? "index" : name; list(); }}));
        }
        for (const launch of shown) {
          const row = table.insertRow();
          row.className = "row" + (launch.index === chosen ? " chosen" : "");
          row.dataset.layer = launch.layer;
          row.dataset.index = launch.index;
          row.title = launch.part + ": " + launch.line;
          row.onclick = () => choose(launch.index);
          for (const [, value] of columns) {
            const cell = value(launch);
            row.append(make("td", typeof cell === "string" ? cell : number(cell),
                            {className: typeof cell === "string" ? "" : "n"}));
          }
        }
        document.getElementById("list").replaceChildren(table);
        document.getElementById("count").textContent = shown.length + " of " + launches.length + " launches";
      }
      function choose(index) {
        chosen = index;
        for (const row of document.querySelectorAll("tr.row"))
          row.classList.toggle("chosen", +row.dataset.index === chosen);
        view();
      }

      /* What belongs to a layer: lines that name it, but not one of which it is only the beginning. */
      function belongs(line, launch) {
        const names = [launch.layer, launch.result].filter(Boolean);
        return names.some(name => {
          for (let at = line.indexOf("%" + name); at >= 0; at = line.indexOf("%" + name, at + 1)) {
            const next = line[at + name.length + 1];
            if (next === undefined || !/[\w]/.test(next)) return true;
          }
          return false;
        });
      }
      function graph(launch) {
        const pre = make("pre");
        pre.textContent = lines[0].filter(line => belongs(line, launch)).map(line => line.trim()).join("\n")
          || "Nothing in the graph has this name; see the passes.";
        return [pre];
      }
      function passes(launch) {
        const parts = [];
        for (let k = 1; k < data.passes.length; k++) {
          const [old, now] = [lines[k - 1], lines[k]].map(all => all.filter(line => belongs(line, launch)));
          const [had, has] = [new Set(old), new Set(now)];
          const gone = old.filter(line => !has.has(line)), come = now.filter(line => !had.has(line));
          if (gone.length + come.length === 0) continue;
          parts.push(make("h3", data.passes[k].name));
          const pre = make("pre");
          for (const line of gone) pre.append(make("div", "- " + line.trim(), {className: "gone"}));
          for (const line of come) pre.append(make("div", "+ " + line.trim(), {className: "come"}));
          parts.push(pre);
        }
        return parts.length ? parts : [make("pre", "No pass changed a line with this name.")];
      }
      function view() {
        const launch = launches[chosen], box = document.getElementById("view");
        if (!launch) { box.replaceChildren(make("pre", "Nothing is launched.")); return; }
        const nav = make("nav");
        for (const [key, title] of tabs) {
          const button = make("button", title, {onclick: () => { tab = key; view(); }});
          button.dataset.tab = key;
          if (key === tab) button.className = "chosen";
          nav.append(button);
        }
        const code = launch.code;
        const facts = make("div", [
          launch.layer || launch.result, code.name + " in " + launch.part,
          uses[launch.kernel] + (uses[launch.kernel] === 1 ? " launch" : " launches"),
          number(code.flops / 1e9) + " GFLOP", number(code.bytes / 1e6) + " MB",
          number(code.flops / Math.max(1, code.bytes)) + " FLOP per byte",
          code.ms == null ? null : number(code.ms) + " ms, " + number(code.flops / code.ms / 1e6) + " GFLOP/s, "
            + number(code.bytes / code.ms / 1e6) + " GB/s",
        ].filter(Boolean).join("  ·  "), {id: "facts"});
        const content = tab === "graph" ? graph(launch) : tab === "passes" ? passes(launch)
          : [make("pre", code[tab])];
        box.replaceChildren(nav, facts, ...content);
        box.scrollTop = 0;
      }
      document.getElementById("search").oninput = list;
      list();
      view();
    </script>

    """#
}
