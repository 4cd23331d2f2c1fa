/** The leak meter: how much of the attention to each word of a region's prompt lay outside of the region. */

import {find, make} from "./dom.js";

const percent = value => `${Math.round(value * 100)} %`;

/** What becomes of a word, by what lay outside beside what would if it were alike everywhere. */
function verdict(outside, everywhere) {
  const ratio = everywhere > 0 ? outside / everywhere : 0;
  return ratio < .4 ? "keeps to it" : ratio < .75 ? "spills over" : "leaks";
}

function row(word, share, isFirst) {
  if (word.outside === null) return null;
  const everywhere = 1 - share;
  const meter = make("meter", {min: 0, max: 1, value: word.outside, "aria-label": `${word.word} of ${word.region}: ${percent(word.outside)} outside`});
  return make("tr", {},
    make("td", {}, isFirst ? `${word.region}, ${percent(share)}` : ""), make("td", {}, word.word),
    make("td", {title: `${percent(everywhere)} would be alike everywhere`}, meter, ` ${percent(word.outside)}`),
    make("td", {}, verdict(word.outside, everywhere)));
}

/** Shows what a job measured of its regions. */
export function showLeaks(report) {
  const box = find("leaks");
  const finest = report.resolutions.reduce((best, level) => level.cells > best.cells ? level : best);
  const rows = finest.regions.flatMap(region => report.words.filter(word => word.region === region.name)
    .map((word, index) => row(word, region.share, index === 0)).filter(Boolean));
  const adapters = report.adapters.map(adapter => {
    const all = adapter.inside + adapter.outside;
    return make("p", {}, `${adapter.name}: ${percent(all > 0 ? adapter.outside / all : 0)} of what it adds lies outside of its regions`);
  });
  box.replaceChildren(
    make("h2", {id: "leaks-title"}, "Leaks"),
    rows.length ? make("table", {},
      make("caption", {}, "attention to words outside of their regions, last third of the steps"),
      make("thead", {}, make("tr", {}, ...["region, its share", "word", "outside", ""].map(text => make("th", {}, text)))),
      make("tbody", {}, ...rows)) : make("p", {}, report.words.length ? "Too few steps to measure: three are enough." : "The regions have no words of their own."),
    ...adapters);
  box.hidden = false;
}
