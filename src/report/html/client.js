// What moves in the report: filter, deep links, charts. Everything it shows is already in the page as text; values
// of the trace reach the page through textContent and the canvas only.

(() => {
  /**
   * @typedef {[at: number, last: number, low?: number, high?: number]} Point
   * @typedef {[state: string, from: number, to: number]} Phase
   * @typedef {[at: number, id: string, severity: string, title: string]} Mark
   * @typedef {{ points: Point[], phases: Phase[], marks: Mark[] }} Module
   * @typedef {{ clock: string, from: number, to: number, modules: Module[] }} Data
   */

  /** @type {Data} */
  const data = JSON.parse(/** @type {HTMLElement} */ (document.getElementById('data')).textContent ?? '{}');

  filter();
  deepLinks();
  charts();
  printing();

  /** @param {string} id */
  function byId(id) {
    return document.getElementById(id);
  }

  /** What a selector finds, as elements of HTML.
   * @param {string} selector
   * @param {ParentNode} [within] */
  function all(selector, within = document) {
    return /** @type {HTMLElement[]} */ ([...within.querySelectorAll(selector)]);
  }

  function filter() {
    const form = /** @type {HTMLFormElement | null} */ (byId('filter'));
    if (form === null) return;
    form.hidden = false;
    const search = /** @type {HTMLInputElement} */ (byId('search'));
    const module = /** @type {HTMLSelectElement} */ (byId('of-module'));
    const shown = /** @type {HTMLElement} */ (byId('shown'));
    const findings = all('.finding');
    const modules = all('#modules [data-module]');
    /** @type {Map<HTMLElement, string>} */
    const texts = new Map();
    /** @param {HTMLElement} element */
    const textOf = (element) => {
      let text = texts.get(element);
      if (text === undefined) {
        text = (element.textContent ?? '').toLowerCase();
        texts.set(element, text);
      }
      return text;
    };

    function apply() {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      const severities = new Set(
        all('input[name=severity]:checked', form ?? document).map(
          (box) => /** @type {HTMLInputElement} */ (box).value,
        ),
      );
      /** @param {HTMLElement} element */
      const fits = (element) =>
        (module.value === '' || element.dataset.module === module.value) &&
        words.every((word) => textOf(element).includes(word));
      let count = 0;
      for (const finding of findings) {
        finding.hidden = !(fits(finding) && severities.has(finding.dataset.severity ?? ''));
        if (!finding.hidden) count++;
      }
      for (const element of modules) element.hidden = !fits(element);
      shown.textContent =
        count === findings.length
          ? ''
          : `${count} of ${findings.length} findings shown; modules filtered, too`;
    }

    form.addEventListener('input', apply);
    // The fields are reset only after the event.
    form.addEventListener('reset', () => setTimeout(apply));
    form.addEventListener('submit', (event) => event.preventDefault());
    document.addEventListener('keydown', (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const typing = event.target instanceof Element && event.target.closest('input, select, textarea');
      if (event.key === '/' && !typing) {
        event.preventDefault();
        search.focus();
        search.select();
      } else if (event.key === 'Escape' && typing) {
        form.reset();
      }
    });
  }

  /** A link to what is filtered away or folded shows it. */
  function deepLinks() {
    function reveal() {
      const target = byId(location.hash.slice(1));
      if (target === null) return;
      if (target.closest('[hidden]') !== null) {
        /** @type {HTMLFormElement | null} */ (byId('filter'))?.reset();
        // The form's own answer comes later than this.
        for (const element of all('.finding, #modules [data-module]')) element.hidden = false;
      }
      for (let at = /** @type {Element | null} */ (target); at !== null; at = at.parentElement) {
        if (at instanceof HTMLDetailsElement) at.open = true;
      }
      target.scrollIntoView();
      if (target.tabIndex === -1) target.focus({ preventScroll: true });
    }
    addEventListener('hashchange', reveal);
    // The same link followed twice is no change of the hash.
    document.addEventListener('click', (event) => {
      const link = event.target instanceof Element ? event.target.closest('a') : null;
      if (link !== null && link.hash !== '' && link.hash === location.hash) reveal();
    });
    if (location.hash !== '') reveal();
  }

  /** On paper nothing can be unfolded. */
  function printing() {
    /** @type {HTMLDetailsElement[]} */
    let opened = [];
    addEventListener('beforeprint', () => {
      opened = /** @type {HTMLDetailsElement[]} */ (
        all('.finding details:not([open]), details.module[open] details:not([open])')
      );
      for (const element of opened) element.open = true;
    });
    addEventListener('afterprint', () => {
      for (const element of opened) element.open = false;
    });
  }

  /** Drawn when first seen: a report may speak of hundreds of modules. */
  function charts() {
    const figures = all('figure.chart');
    if (figures.length === 0) return;
    /** @type {(() => void)[]} */
    const repaint = [];
    const watcher = new IntersectionObserver(
      (entries) => {
        for (const { isIntersecting, target } of entries) {
          if (isIntersecting) see(/** @type {HTMLElement} */ (target));
        }
      },
      { rootMargin: '300px' },
    );
    /** @param {HTMLElement} figure */
    function see(figure) {
      watcher.unobserve(figure);
      const module = data.modules[Number(figure.dataset.chart)];
      if (module !== undefined) repaint.push(draw(figure, module));
    }
    for (const figure of figures) watcher.observe(figure);
    // Paper shows all at once what is unfolded.
    addEventListener('beforeprint', () => {
      for (const figure of figures) {
        if (figure.dataset.drawn === undefined && figure.checkVisibility()) see(figure);
      }
    });
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
      for (const paint of repaint) paint();
    });
  }

  /** @param {string} name */
  function color(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  }

  /** Of the clock of the capture; `step` is what must be told apart.
   * @param {number} at
   * @param {number} step */
  function clockTime(at, step) {
    const ns = data.from + at;
    if (data.clock === 'ticks' || data.clock === 'none') return String(Math.round(ns));
    const digits = Math.min(9, Math.max(0, Math.ceil(-Math.log10(Math.max(1, step) / 1e9))));
    return `${(ns / 1e9).toFixed(digits)}${digits === 0 ? ' s' : ''}`;
  }

  /** The count at a moment: of the last step before it.
   * @param {Point[]} points
   * @param {number} at */
  function countAt(points, at) {
    let low = 0;
    let high = points.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (/** @type {Point} */ (points[middle])[0] <= at) low = middle + 1;
      else high = middle;
    }
    return points[low - 1]?.[1] ?? 0;
  }

  /** @param {HTMLElement} figure
   * @param {Module} module
   * @returns {() => void} paints it again, in other colours */
  function draw(figure, { points, phases, marks }) {
    const canvas = /** @type {HTMLCanvasElement} */ (figure.querySelector('canvas'));
    const end = Math.max(1, data.to - data.from);
    const reduced = points.some((point) => point.length > 2);
    const line = points.map(([x, y]) => ({ x, y }));
    const counts = points.flatMap(([, last, low = last, high = last]) => [low, high]);
    const [lowest, highest] = [Math.min(0, ...counts), Math.max(1, ...counts)];
    // A module that is there for a moment of a long capture is first shown in that moment.
    const first = points[0]?.[0] ?? 0;
    const start = Math.max(0, first - (end - first) / 12);
    // The last count lasts until the capture ends.
    line.push({ x: end, y: line.at(-1)?.y ?? 0 });
    /** @param {(point: Point) => number} of */
    const edge = (of) => [
      ...points.map((point) => ({ x: point[0], y: of(point) })),
      { x: end, y: line.at(-1)?.y ?? 0 },
    ];

    /** States behind the line: where the module is not loaded, or on its way. */
    const shade = {
      id: 'states',
      /** @param {any} chart */
      beforeDatasetsDraw(chart) {
        const { ctx, chartArea, scales } = chart;
        for (const [state, from, to] of phases) {
          if (state === 'live') continue;
          const left = Math.max(chartArea.left, scales.x.getPixelForValue(from));
          const right = Math.min(chartArea.right, Math.max(left + 1, scales.x.getPixelForValue(to)));
          if (right <= left) continue;
          ctx.fillStyle = color(`shade-${state}`);
          ctx.fillRect(left, chartArea.top, right - left, chartArea.bottom - chartArea.top);
        }
      },
    };

    // @ts-expect-error Chart.js is the script before this one
    const chart = new Chart(canvas, {
      type: 'line',
      data: {
        datasets: [
          {
            label: 'findings',
            type: 'scatter',
            data: marks.map(([x]) => ({ x, y: countAt(points, x) })),
            pointStyle: 'rectRot',
            pointRadius: 7,
            pointHoverRadius: 9,
            // Whole at the edge, too.
            clip: false,
            order: 0,
          },
          // Where a step stands for many changes, the last of them says no more than any other.
          ...(reduced
            ? [
                { label: 'lowest', data: edge(([, last, low = last]) => low), ...drawn, order: 1 },
                {
                  label: 'highest',
                  data: edge(([, last, , high = last]) => high),
                  ...drawn,
                  fill: 1,
                  order: 2,
                },
              ]
            : [{ label: 'references out', data: line, ...drawn, order: 1 }]),
        ],
      },
      options: {
        animation: false,
        maintainAspectRatio: false,
        parsing: false,
        normalized: true,
        interaction: { mode: 'nearest', axis: 'x', intersect: false },
        /** @param {unknown} _event
         * @param {{ datasetIndex: number, index: number }[]} hits */
        onClick(_event, hits) {
          const hit = hits.find(({ datasetIndex }) => datasetIndex === 0);
          const mark = hit === undefined ? undefined : marks[hit.index];
          if (mark !== undefined) location.hash = mark[1];
        },
        scales: {
          x: {
            type: 'linear',
            min: 0,
            max: end,
            ticks: {
              maxRotation: 0,
              includeBounds: false,
              autoSkipPadding: 24,
              /** @param {number} value
               * @param {number} _index
               * @param {{ value: number }[]} ticks */
              callback: (value, _index, ticks) =>
                clockTime(value, ticks.length < 2 ? end : (ticks[1]?.value ?? 0) - (ticks[0]?.value ?? 0)),
            },
          },
          y: {
            ticks: { precision: 0, callback: whole },
            min: lowest,
            max: highest + Math.max(0.3, highest / 12),
          },
        },
        plugins: {
          legend: { display: false },
          tooltip: {
            callbacks: {
              /** @param {{ parsed: { x: number } }[]} items */
              title: (items) => (items[0] === undefined ? '' : clockTime(items[0].parsed.x, 1000)),
              /** @param {{ datasetIndex: number, dataIndex: number, dataset: { label: string }, parsed: { y: number } }} item */
              label: ({ datasetIndex, dataIndex, dataset, parsed }) =>
                datasetIndex === 0 ? short(marks[dataIndex]?.[3] ?? '') : `${dataset.label}: ${parsed.y}`,
            },
          },
        },
      },
      plugins: [shade],
    });

    function paint() {
      const [findings, ...counts] = chart.data.datasets;
      findings.backgroundColor = marks.map(([, , severity]) => color(severity));
      findings.borderColor = color('surface');
      for (const dataset of counts) {
        dataset.borderColor = color('line');
        dataset.backgroundColor = color('band');
      }
      for (const axis of [chart.options.scales.x, chart.options.scales.y]) {
        axis.ticks.color = color('muted');
        axis.grid.color = color('grid');
        axis.border.color = color('grid');
      }
      chart.update('none');
    }
    paint();
    zoom(figure, canvas, chart, start, end);
    figure.dataset.drawn = 'true';
    return paint;
  }

  /** A count changes at once and then stays. */
  const drawn = { stepped: true, pointRadius: 0, borderWidth: 1.5 };

  /** References are counted: the upper end of the axis is no tick.
   * @param {number} count */
  function whole(count) {
    return Number.isInteger(count) ? String(count) : '';
  }

  /** @param {string} text */
  function short(text) {
    return text.length <= 90 ? text : `${text.slice(0, 89)}…`;
  }

  /** By two sliders, or by dragging over the chart.
   * @param {HTMLElement} figure
   * @param {HTMLCanvasElement} canvas
   * @param {any} chart
   * @param {number} first shown, to the end
   * @param {number} end */
  function zoom(figure, canvas, chart, first, end) {
    const controls = /** @type {HTMLElement} */ (figure.querySelector('.zoom'));
    const from = /** @type {HTMLInputElement} */ (controls.querySelector('.from'));
    const to = /** @type {HTMLInputElement} */ (controls.querySelector('.to'));
    const whole = /** @type {HTMLButtonElement} */ (controls.querySelector('.whole'));
    const output = /** @type {HTMLOutputElement} */ (controls.querySelector('output'));
    const brush = /** @type {HTMLElement} */ (figure.querySelector('.brush'));
    controls.hidden = false;

    /** @param {number} left
     * @param {number} right */
    function show(left, right) {
      const x = chart.options.scales.x;
      x.min = Math.max(0, left);
      x.max = Math.min(end, Math.max(right, x.min + end / 1e6, x.min + 1));
      from.value = String(Math.round((x.min / end) * 1000));
      to.value = String(Math.round((x.max / end) * 1000));
      tell(x.min, x.max);
      chart.update('none');
    }

    /** @param {number} left
     * @param {number} right */
    function tell(left, right) {
      const step = (right - left) / 1000;
      const text = `${clockTime(left, step)} to ${clockTime(right, step)}`;
      output.textContent = text;
      whole.disabled = left === 0 && right === end;
      from.setAttribute('aria-valuetext', clockTime(left, step));
      to.setAttribute('aria-valuetext', clockTime(right, step));
    }

    function slide() {
      const [left, right] = [Number(from.value), Number(to.value)];
      show((Math.min(left, right - 1) / 1000) * end, (Math.max(right, left + 1) / 1000) * end);
    }

    from.addEventListener('input', slide);
    to.addEventListener('input', slide);
    whole.addEventListener('click', () => show(0, end));
    show(first, end);

    /** @type {number | undefined} */
    let start;
    /** @param {PointerEvent} event */
    const xOf = ({ clientX }) => clientX - canvas.getBoundingClientRect().left;
    canvas.addEventListener('pointerdown', (event) => {
      if (event.button !== 0) return;
      start = xOf(event);
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener('pointermove', (event) => {
      if (start === undefined) return;
      const x = xOf(event);
      brush.hidden = Math.abs(x - start) < 4;
      brush.style.left = `${Math.min(x, start)}px`;
      brush.style.width = `${Math.abs(x - start)}px`;
    });
    canvas.addEventListener('pointerup', (event) => {
      if (start === undefined) return;
      const [left, right] = [Math.min(start, xOf(event)), Math.max(start, xOf(event))];
      start = undefined;
      brush.hidden = true;
      const { x } = chart.scales;
      if (right - left >= 4) show(x.getValueForPixel(left), x.getValueForPixel(right));
    });
    canvas.addEventListener('pointercancel', () => {
      start = undefined;
      brush.hidden = true;
    });
    canvas.addEventListener('dblclick', () => show(0, end));
  }
})();
