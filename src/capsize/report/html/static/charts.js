"use strict";
// The charts of one run. All share one time axis, one zoom and one cursor; each is drawn on a canvas by uPlot.
(() => {
  const source = document.getElementById("data");
  if (!source || typeof uPlot === "undefined") return;
  const { charts: data, findings } = JSON.parse(source.textContent);
  if (!(data.end > 0)) return;

  const LANE = 22, PHASES = 20, HEAD = 36;
  const tasks = data.lifelines;
  const runsOf = tasks.ids.map(() => []);
  for (let i = 0, n = 0; i < tasks.runs.length; i += 5, n++) {
    const [row, begin, end, how, attempt] = tasks.runs.slice(i, i + 5);
    runsOf[row].push({ begin, end, how: tasks.hows[how], attempt, worker: tasks.names[tasks.workers[n]] });
  }
  const seconds = t => `${t.toFixed(2)} s`;
  const isOver = runs => runs.some(run => run.how === "finished" || run.how === "failed");
  const stateAt = (lane, t) => (lane.spans.find(([, a, b]) => a <= t && t <= b) || ["not there"])[0];

  // Only the tasks that live in the part of the run that is zoomed to have a row.
  const bornAt = tasks.ids.map((_, n) => tasks.accepted[n] ?? Math.min(...runsOf[n].map(run => run.begin)));
  const overAt = tasks.ids.map((_, n) => isOver(runsOf[n]) ? Math.max(...runsOf[n].map(run => run.end)) : data.end);
  let shown = tasks.ids.map((_, n) => n);
  const show = () => {
    shown = tasks.ids.map((_, n) => n).filter(n => bornAt[n] <= zoom[1] && overAt[n] >= zoom[0]);
  };

  let plots = [], zoom = [0, data.end], colors = {}, printing = false;

  const readColors = () => {
    const style = getComputedStyle(document.documentElement);
    const names = ["text", "dim", "grid", "band", "band-edge", "page", "up", "starting", "down", "frozen", "busy",
      "wait", "finished", "exited", "failed", "abandoned", "open", "anomaly", "phase", "strike-text",
      ...Array.from({ length: 8 }, (_, n) => `c${n + 1}`)];
    colors = Object.fromEntries(names.map(name => [name, style.getPropertyValue(`--${name}`).trim()]));
  };

  const dpr = () => uPlot.pxRatio;
  const x = (u, t) => u.valToPos(t, "x", true);

  // A canvas pattern of stripes: what is down or frozen must be told apart without colour too.
  const stripes = (context, color, rising) => {
    const size = 6 * dpr(), tile = document.createElement("canvas");
    tile.width = tile.height = size;
    const pen = tile.getContext("2d");
    pen.strokeStyle = color;
    pen.lineWidth = 1.6 * dpr();
    pen.beginPath();
    for (const shift of [-size, 0, size]) {
      pen.moveTo(shift, rising ? size : 0);
      pen.lineTo(shift + size, rising ? 0 : size);
    }
    pen.stroke();
    return context.createPattern(tile, "repeat");
  };

  const inside = (u, draw) => {
    const { ctx, bbox } = u;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    draw(ctx, bbox);
    ctx.restore();
  };

  const drawStrikes = u => inside(u, (ctx, bbox) => {
    for (const strike of data.strikes) {
      if (strike.begin === null) continue;
      const left = x(u, strike.begin), width = Math.max(2 * dpr(), x(u, strike.end) - left);
      ctx.fillStyle = colors.band;
      ctx.fillRect(left, bbox.top, width, bbox.height);
      ctx.fillStyle = colors["band-edge"];
      ctx.fillRect(left, bbox.top, Math.max(1, dpr()), bbox.height);
    }
  });

  const fitted = (ctx, text, width) => {
    if (ctx.measureText(text).width <= width) return text;
    let cut = text;
    while (cut.length > 1 && ctx.measureText(cut + "…").width > width) cut = cut.slice(0, -1);
    return cut + "…";
  };

  const drawLanes = u => {
    const { ctx, bbox } = u, px = dpr();
    const bar = (ctx, t0, t1, y, height, fill) => {
      ctx.fillStyle = fill;
      const left = x(u, t0);
      ctx.fillRect(left, y, Math.max(1.5 * px, x(u, t1) - left), height);
    };
    ctx.save();
    ctx.font = `${11 * px}px system-ui, sans-serif`;
    ctx.textBaseline = "middle";
    ctx.textAlign = "right";
    ctx.fillStyle = colors.text;
    data.lanes.forEach((lane, n) => {
      const y = bbox.top + (HEAD + LANE * (n + 0.5)) * px;
      ctx.fillText(fitted(ctx, lane.name, bbox.left - 8 * px), bbox.left - 6 * px, y);
    });
    ctx.restore();
    inside(u, (ctx, bbox) => {
      const down = stripes(ctx, colors.down, true), frozen = stripes(ctx, colors.frozen, false);
      ctx.font = `${10.5 * px}px system-ui, sans-serif`;
      ctx.textBaseline = "middle";
      ctx.textAlign = "left";
      for (const [name, begin, end] of data.phases) {
        const left = x(u, begin), right = x(u, end);
        ctx.fillStyle = colors.phase;
        ctx.fillRect(left + px, bbox.top + 2 * px, Math.max(1, right - left - 2 * px), (PHASES - 6) * px);
        ctx.fillStyle = colors.text;
        const from = Math.max(left, bbox.left) + 4 * px;
        if (right - from > 26 * px) ctx.fillText(fitted(ctx, name, right - from - 4 * px), from, bbox.top + (PHASES / 2 - 1) * px);
      }
      let free = -Infinity;
      for (const strike of data.strikes) {
        if (strike.begin === null) continue;
        const left = x(u, strike.begin), text = `${strike.id} ${strike.fault}`;
        if (left < free || left < bbox.left) continue;
        ctx.fillStyle = colors["strike-text"];
        ctx.fillText(text, left + 3 * px, bbox.top + (PHASES + 7) * px);
        free = left + ctx.measureText(text).width + 8 * px;
      }
      data.lanes.forEach((lane, n) => {
        const top = bbox.top + (HEAD + LANE * n + 3) * px, height = (LANE - 6) * px;
        for (const [state, begin, end] of lane.spans) {
          if (state === "up") bar(ctx, begin, end, top, height, colors.up);
          if (state === "starting") bar(ctx, begin, end, top + height * 0.3, height * 0.4, colors.starting);
          if (state === "down") {
            bar(ctx, begin, end, top, height, colors.page);
            bar(ctx, begin, end, top, height, down);
            bar(ctx, begin, end, top, 2 * px, colors.down);
            bar(ctx, begin, end, top + height - 2 * px, 2 * px, colors.down);
          }
          if (state === "frozen") {
            bar(ctx, begin, end, top, height, colors.page);
            bar(ctx, begin, end, top, height, frozen);
          }
        }
        for (const [begin, end] of lane.busy) bar(ctx, begin, end, top + height * 0.62, height * 0.38, colors.busy);
      });
    });
  };

  const drawTasks = u => inside(u, (ctx, bbox) => {
    const px = dpr(), row = bbox.height / shown.length, marked = [];
    const thick = Math.max(px, Math.min(row * 0.72, 26 * px));
    shown.forEach((n, at) => {
      const runs = runsOf[n], y = bbox.top + row * at + (row - thick) / 2, accepted = tasks.accepted[n];
      const first = runs.length ? Math.min(...runs.map(run => run.begin)) : data.end;
      // It waits until its last run begins, or to the end if no run ended it.
      const over = isOver(runs) || runs.some(run => run.how === "open");
      const last = runs.length && over ? Math.max(...runs.map(run => run.begin)) : data.end;
      if (accepted !== null && last > accepted) {
        ctx.fillStyle = colors.wait;
        ctx.fillRect(x(u, accepted), y + thick * 0.42, x(u, last) - x(u, accepted), Math.max(px * 0.6, thick * 0.16));
      }
      // Two runs of one task side by side, so that runs at the same time are seen as what they are.
      const half = runs.length > 1 && row >= 6 * px;
      runs.forEach((run, k) => {
        ctx.fillStyle = colors[run.how];
        const top = half ? y + (k % 2) * thick / 2 : y;
        ctx.fillRect(x(u, run.begin), top, Math.max(px, x(u, run.end) - x(u, run.begin)), half ? thick / 2 - px * 0.5 : thick);
        if (run.how === "exited") ctx.fillRect(x(u, run.end) - px, y - px, 2 * px, thick + 2 * px);
      });
      if (tasks.marks[n]?.includes("overlap")) {
        runs.forEach((one, k) => runs.slice(k + 1).forEach(other => {
          const from = Math.max(one.begin, other.begin), to = Math.min(one.end, other.end);
          if (to <= from) return;
          ctx.strokeStyle = colors.anomaly;
          ctx.lineWidth = 1.5 * px;
          ctx.strokeRect(x(u, from), y - px, Math.max(2 * px, x(u, to) - x(u, from)), thick + 2 * px);
        }));
      }
      if (tasks.marks[n]) marked.push([n, accepted ?? first, y + thick / 2]);
    });
    const size = Math.min(6, Math.max(3.5, row / px / 2)) * px;
    for (const [, t, y] of marked) {
      const at = Math.max(x(u, t), bbox.left + size);
      ctx.beginPath();
      ctx.moveTo(at, y - size); ctx.lineTo(at + size, y); ctx.lineTo(at, y + size); ctx.lineTo(at - size, y);
      ctx.closePath();
      ctx.fillStyle = colors.anomaly;
      ctx.fill();
      ctx.strokeStyle = colors.page;
      ctx.lineWidth = px;
      ctx.stroke();
    }
  });

  const setZoom = (low, high) => {
    zoom = high - low < 0.02 ? [0, data.end] : [Math.max(0, low), Math.min(data.end, high)];
    show();
    for (const plot of plots) plot.setScale("x", { min: zoom[0], max: zoom[1] });
    const button = document.getElementById("zoom-out");
    if (button) button.disabled = zoom[0] === 0 && zoom[1] === data.end;
  };

  const gutter = () => (innerWidth < 620 ? 58 : 92);

  const make = (id, height, { series = [], rows = [], scale = {}, axis = {}, hooks = {}, grid = true }) => {
    const host = document.getElementById(id);
    if (!host) return null;
    host.replaceChildren();
    const ink = { stroke: colors.dim, font: "11px system-ui, sans-serif", ticks: { show: false } };
    const plot = new uPlot({
      width: printing ? 690 : Math.max(240, host.clientWidth),
      height,
      padding: [6, 20, 0, 0],
      legend: { show: false },
      cursor: {
        sync: { key: "run", scales: ["x", null] },
        drag: { x: true, y: false, setScale: false },
        bind: { dblclick: () => () => setZoom(0, 0) },
        points: { show: series.length > 0 },
        y: false,
      },
      scales: { x: { time: false, range: (_, min, max) => [min, max] }, y: scale },
      axes: [
        { ...ink, size: 26, gap: 6, values: (_, ticks) => ticks.map(t => `${+t.toFixed(3)} s`), grid: { stroke: colors.grid, width: 1 } },
        { ...ink, size: gutter(), gap: 6, grid: { show: grid, stroke: colors.grid, width: 1 }, ...axis },
      ],
      series: [{}, ...series.map(one => ({ spanGaps: false, points: { show: false }, width: 1.6, ...one }))],
      hooks: {
        drawClear: [drawStrikes],
        draw: hooks.draw ? [hooks.draw] : [],
        setCursor: hooks.setCursor ? [hooks.setCursor] : [],
        setSelect: [u => {
          if (u.select.width < 4) return;
          const low = u.posToVal(u.select.left, "x"), high = u.posToVal(u.select.left + u.select.width, "x");
          u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          setZoom(low, high);
        }],
      },
    }, rows, host);
    plot.setScale("x", { min: zoom[0], max: zoom[1] });
    // The canvas is named by the element around it.
    plot.ctx.canvas.setAttribute("aria-hidden", "true");
    plots.push(plot);
    return plot;
  };

  const say = (id, text) => {
    const element = document.getElementById(id);
    if (element) element.textContent = text;
  };

  const readLanes = u => {
    if (u.cursor.left === undefined || u.cursor.left < 0) return say("read-lanes", "");
    const t = u.posToVal(u.cursor.left, "x");
    const struck = data.strikes.filter(s => s.begin !== null && s.begin <= t && t <= s.end)
      .map(s => `${s.id} ${s.fault} ${s.victims.join(", ")}`);
    const away = data.lanes.map(lane => [lane.name, stateAt(lane, t)]).filter(([, state]) => state !== "up");
    say("read-lanes", [seconds(t), ...struck, ...away.map(([name, state]) => `${name} ${state}`)].join(" · "));
  };

  const rowAt = u => {
    if (u.cursor.top === undefined || u.cursor.top < 0 || u.cursor.left < 0) return null;
    const height = u.bbox.height / dpr();
    return shown[Math.floor(u.cursor.top / height * shown.length)] ?? null;
  };
  const life = row => {
    const runs = runsOf[row].map((run, n) =>
      `run ${n + 1} on ${run.worker} ${run.begin.toFixed(2)}–${seconds(run.end)} ${run.how === "exited" ? "its worker died" : run.how}`);
    const accepted = tasks.accepted[row] === null ? "never acknowledged" : `accepted ${seconds(tasks.accepted[row])}`;
    return [accepted, ...runs];
  };
  const readTasks = u => {
    const row = rowAt(u);
    if (row === null) return say("read-tasks", "");
    const marks = tasks.marks[row] || [];
    say("read-tasks", [tasks.ids[row], ...marks.map(mark => mark.toUpperCase()), ...life(row)].join(" · "));
  };

  const fillTable = () => {
    const table = document.getElementById("task-table");
    if (!table) return;
    const rows = tasks.ids.map((_, n) => n).filter(n => tasks.marks[n] || runsOf[n].length > 1).slice(0, 200);
    for (const n of rows) {
      const line = table.tBodies[0].insertRow();
      const [accepted, ...runs] = life(n);
      for (const text of [tasks.ids[n], accepted, runs.join("; "), (tasks.marks[n] || []).join(", ")]) {
        line.insertCell().textContent = text;
      }
    }
    if (!rows.length) table.tBodies[0].insertRow().insertCell().textContent = "None.";
  };

  const whole = { range: (_, low, high) => [0, Math.max(1, high || 0) * 1.05] };
  const build = () => {
    for (const plot of plots) plot.destroy();
    plots = [];
    readColors();
    const ends = [0, data.end], none = [null, null];
    make("chart-lanes", HEAD + LANE * data.lanes.length + 36, {
      rows: [ends, none], series: [{}], scale: { range: [0, 1] },
      axis: { values: () => [], splits: () => [] }, grid: false,
      hooks: { draw: drawLanes, setCursor: readLanes },
    });
    const answers = data.answers;
    make("chart-success", 130, {
      rows: [answers.t, answers.ready, answers.success],
      series: [{ stroke: colors.c2, dash: [5, 4] }, { stroke: colors.c1, width: 2 }],
      scale: { range: [0, 103] },
      axis: { splits: () => [0, 25, 50, 75, 100], values: (_, ticks) => ticks.map(value => `${value}%`) },
    });
    make("chart-latency", 150, {
      rows: [answers.t, answers.p50, answers.p95, answers.worst],
      series: [{ stroke: colors.c3, width: 2 }, { stroke: colors.c4 }, { stroke: colors.c5, width: 1, dash: [2, 3] }],
      scale: { distr: 3, log: 10 },
      axis: { values: (_, ticks) => ticks.map(value => (value === null || Math.log10(value) % 1 ? "" : value >= 1000 ? `${value / 1000} s` : `${value} ms`)) },
    });
    make("chart-queue", 130, {
      rows: [data.depth.t, data.depth.pending, data.depth.running],
      series: [{ stroke: colors.c6, fill: `${colors.c6}33` }, { stroke: colors.c7 }],
      scale: whole,
    });
    make("chart-work", 130, {
      rows: [data.work.t, data.work.accepted, data.work.finished],
      series: [{ stroke: colors.c8, dash: [5, 4] }, { stroke: colors.c1, width: 2 }],
      scale: whole,
    });
    if (tasks.ids.length) {
      const plot = make("chart-tasks", Math.min(560, Math.max(90, tasks.ids.length * (tasks.ids.length > 25 ? 13 : 20))) + 32, {
        rows: [ends, none], series: [{}], scale: { range: [0, 1] },
        axis: {
          splits: () => [0, 1],
          values: () => (shown.length > 1 ? [`task ${shown.at(-1) + 1}`, `task ${shown[0] + 1}`] : ["", ""]),
        }, grid: false,
        hooks: { draw: drawTasks, setCursor: readTasks },
      });
      plot.over.addEventListener("click", () => {
        const row = rowAt(plot), target = row !== null && document.getElementById(findings[tasks.ids[row]] || "");
        if (!target) return;
        target.open = true;
        target.scrollIntoView({ behavior: "smooth", block: "start" });
      });
    }
    if (data.memory.names.length) {
      const shade = n => colors[`c${(n % 8) + 1}`], dash = n => (n < 8 ? [] : [4, 3]);
      make("chart-memory", 150, {
        rows: [data.memory.t, ...data.memory.mib],
        series: data.memory.names.map((_, n) => ({ stroke: shade(n), dash: dash(n), spanGaps: true })),
        scale: whole,
      });
      const legend = document.getElementById("legend-memory");
      legend.replaceChildren(...data.memory.names.map((name, n) => {
        const item = document.createElement("li"), key = document.createElement("i");
        key.className = `k c${(n % 8) + 1}`;
        item.append(key, name);
        return item;
      }));
    }
  };

  build();
  fillTable();
  document.documentElement.dataset.drawn = Math.round(performance.now());

  document.getElementById("zoom-out")?.addEventListener("click", () => setZoom(0, 0));
  for (const button of document.querySelectorAll("button.zoom")) {
    button.hidden = false;
    button.addEventListener("click", () => {
      const low = +button.dataset.from, high = +button.dataset.to, room = Math.max(0.5, (high - low) * 0.15);
      setZoom(low - room, high + room);
      document.getElementById("timeline").scrollIntoView({ behavior: "smooth" });
    });
  }
  let width = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth === width) return;
    width = innerWidth;
    build();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", build);
  matchMedia("print").addEventListener("change", event => { printing = event.matches; build(); });
})();
