// Keeps the tables up to date: what was stored comes as server-sent events, ages and states are counted here.
// Without this script the pages show the same, as it was when they were loaded.
"use strict";
(() => {
  const LATE = 2, SILENT = 6, SLACK = 5;
  const note = document.getElementById("live");
  const rows = new Map();
  for (const row of document.querySelectorAll("[data-meter]")) {
    // The same name may exist in several organizations; only staff see more than one.
    const list = rows.get(row.dataset.meter) || [];
    list.push(row);
    rows.set(row.dataset.meter, list);
  }
  const ago = (seconds) => {
    for (const [size, word] of [[86400, "d"], [3600, "h"], [60, "min"]]) {
      if (seconds >= size) return `${Math.floor(seconds / size)} ${word} ago`;
    }
    return `${Math.max(0, Math.floor(seconds))} s ago`;
  };

  function count() {
    const counts = {};
    for (const badge of document.querySelectorAll("#fleet [data-state]")) {
      counts[badge.textContent] = (counts[badge.textContent] || 0) + 1;
    }
    const summary = document.getElementById("summary");
    if (!summary) return;
    for (const word of ["fresh", "late", "silent", "nothing yet"]) {
      let shown = summary.querySelector(`[data-count="${word}"]`);
      if (!shown && counts[word]) {
        const badge = document.createElement("span");
        badge.className = `state ${word === "nothing yet" ? "new" : word}`;
        shown = document.createElement("b");
        shown.dataset.count = word;
        badge.append(shown, ` ${word}`);
        summary.append(badge);
      }
      if (shown) {
        shown.textContent = counts[word] || 0;
        shown.parentElement.hidden = !counts[word];
        shown.parentElement.style.display = counts[word] ? "" : "none";
      }
    }
  }

  function tick() {
    const now = Date.now();
    for (const time of document.querySelectorAll("time[datetime]")) {
      const shown = time.querySelector("[data-ago]");
      if (shown) shown.textContent = ago((now - Date.parse(time.dateTime)) / 1000);
    }
    for (const list of rows.values()) {
      for (const row of list) {
        const time = row.querySelector("time[datetime]");
        const badge = row.querySelector("[data-state]");
        if (!time || !badge) continue;
        const period = Number(row.dataset.period || 86400);
        const age = (now - Date.parse(time.dateTime)) / 1000 - SLACK;
        const state = age <= LATE * period ? "fresh" : age <= SILENT * period ? "late" : "silent";
        if (badge.textContent !== state) {
          badge.textContent = state;
          badge.className = `state ${state}`;
        }
        const open = row.querySelector("[data-open]");
        if (open) {
          const missing = state === "fresh" || !row.dataset.period ? 0 : Math.floor(age / period);
          const since = new Date(time.dateTime).toLocaleTimeString("en-GB", { timeZone: row.dataset.zone });
          open.hidden = missing < 1;
          open.textContent = missing < 1 ? "" : `${missing} missing since ${since}`;
        }
      }
    }
    count();
  }

  function found(place, name) {
    for (const item of place.querySelectorAll("[data-series]")) {
      if (item.dataset.series === name) return item;
    }
    return null;
  }

  function show(reading) {
    for (const row of rows.get(reading.meter) || []) {
      if (row.dataset.organization && reading.organization && row.dataset.organization !== reading.organization) continue;
      const place = row.tagName === "TR" ? row : document;
      let item = found(place, reading.series);
      const value = reading.value ?? reading.text;
      const cell = row.querySelector(".values");
      if (!item && cell && cell.querySelectorAll("[data-series]").length < 4) {
        item = document.createElement("span");
        item.dataset.series = reading.series;
        const sub = document.createElement("span");
        sub.className = "sub";
        sub.textContent = reading.series;
        item.append(document.createElement("b"), ` ${reading.unit || ""} `, sub);
        cell.querySelector("[data-empty]")?.remove();
        cell.append(item);
      }
      const own = item && item.querySelector("time[datetime]");
      const time = row.querySelector("time");
      const newer = (one) => !one || !one.dateTime || Date.parse(reading.timestamp) >= Date.parse(one.dateTime);
      if (item && newer(own || time)) item.querySelector("b").textContent = value;
      if (own && newer(own)) own.dateTime = reading.timestamp;
      if (time && newer(time)) {
        time.dateTime = reading.timestamp;
        const sub = time.querySelector(".sub");
        if (sub) sub.textContent = reading.timestamp.slice(0, 19).replace("T", " ") + " UTC";
      }
      row.classList.add("heard");
      setTimeout(() => row.classList.remove("heard"), 1200);
    }
  }

  function say(text, on) {
    if (!note || note.textContent === text) return;
    note.textContent = text;
    note.classList.toggle("on", on);
  }

  const one = document.querySelector("div[data-meter]");
  const source = new EventSource("/v1/stream" + (one ? `?meter=${encodeURIComponent(one.dataset.meter)}` : ""));
  source.addEventListener("open", () => say("Live", true));
  source.addEventListener("error", () => say("Not live: trying to connect again", false));
  source.addEventListener("bye", () => say("Not live: trying to connect again", false));
  source.addEventListener("dropped", () => location.reload());
  source.addEventListener("new_meter_reading", (event) => {
    show(JSON.parse(event.data));
    document.dispatchEvent(new CustomEvent("reading"));
  });
  addEventListener("pagehide", () => source.close());
  tick();
  setInterval(tick, 2000);
})();
