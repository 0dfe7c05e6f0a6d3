// Draws the chart that the server has made, again when a value has come or day turns to night.
"use strict";
(() => {
  const place = document.getElementById("chart");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  let drawing = false, stale = false, view = null;

  async function draw() {
    if (drawing) { stale = true; return; }
    drawing = true;
    stale = false;
    try {
      const answer = await fetch(`${place.dataset.source}&theme=${dark.matches ? "dark" : "light"}`);
      if (!answer.ok) throw new Error(String(answer.status));
      const item = await answer.json();
      const height = place.offsetHeight;
      place.style.minHeight = `${height}px`;
      if (view && view.clear) view.clear();
      place.replaceChildren();
      view = await Bokeh.embed.embed_item(item, "chart");
      place.dataset.drawn = "true";
    } catch (error) {
      if (!place.dataset.drawn) place.textContent = "The chart could not be drawn; the values are in the table below.";
    }
    drawing = false;
    if (stale) setTimeout(draw, 3000);
  }

  let timer = null;
  document.addEventListener("reading", () => {
    if (timer === null) timer = setTimeout(() => { timer = null; draw(); }, 3000);
  });
  dark.addEventListener("change", draw);
  draw();
})();
