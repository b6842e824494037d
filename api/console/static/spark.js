// A line of the last severities, with the warning threshold: drawn when its row comes in sight, and stays.

import { API, get } from './api.js';
import { html, useEffect, useRef } from './html.js';

const WIDTH = 120;
const HEIGHT = 28;
const POINTS = 60;
const PAUSE_MS = 150;
const kept = new Map();

export function Spark({ asset, run, upTo }) {
  const canvas = useRef(null);
  const key = `${asset} ${run}`;
  useEffect(() => {
    const stop = new AbortController();
    let soon;
    const known = kept.get(key);
    if (known) draw(canvas.current, known.points);
    if (known?.upTo !== upTo) {
      soon = setTimeout(() => get(`${API}/scores`, { asset_id: asset, run_id: run, status: 'scored', limit: POINTS }, stop.signal)
        .then((page) => {
          const points = page.items.map((item) => item.severity).reverse();
          kept.set(key, { upTo, points });
          draw(canvas.current, points);
        })
        .catch(() => {}), PAUSE_MS); // the row's numbers stand without it, and the next change asks again
    }
    return () => {
      clearTimeout(soon);
      stop.abort();
    };
  }, [key, upTo]);
  return html`<canvas class="spark" ref=${canvas} width=${WIDTH * 2} height=${HEIGHT * 2} aria-hidden="true"></canvas>`;
}

function draw(canvas, points) {
  if (!canvas || !points.length) return;
  const style = getComputedStyle(canvas);
  const context = canvas.getContext('2d');
  const top = Math.max(1.3, ...points.map((point) => point ?? 0));
  const y = (value) => HEIGHT * 2 - 3 - (value / top) * (HEIGHT * 2 - 6);
  context.clearRect(0, 0, WIDTH * 2, HEIGHT * 2);
  context.strokeStyle = style.getPropertyValue('--warning');
  context.setLineDash([4, 4]);
  context.beginPath();
  context.moveTo(0, y(1));
  context.lineTo(WIDTH * 2, y(1));
  context.stroke();
  context.setLineDash([]);
  context.strokeStyle = style.getPropertyValue('--text');
  context.lineWidth = 2.5;
  context.beginPath();
  points.forEach((point, index) => {
    const x = (index / Math.max(1, points.length - 1)) * WIDTH * 2;
    if (point === null) return;
    if (index === 0 || points[index - 1] === null) context.moveTo(x, y(point));
    else context.lineTo(x, y(point));
  });
  context.stroke();
}
