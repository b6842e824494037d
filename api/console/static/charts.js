// Charts over steps of a run: gaps stay gaps, thresholds are lines with names, one cursor for all.

import { html, useEffect, useRef } from './html.js';
import uPlot from './vendor/uplot.js';

const HEIGHT = 190;
const NARROW_HEIGHT = 160;
const SYNC = 'machine';

/** A colour of the theme, as canvas needs it. */
export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/**
 * @param {object} props
 * @param {string} props.title what is drawn
 * @param {string} props.step what the x axis counts
 * @param {(number|null)[][]} props.data x, then one array a series
 * @param {{label: string, colour: string, width?: number, dash?: number[], hollow?: boolean, value?: Function}[]} props.series
 * @param {{at: number, label: string, colour: string}[]} [props.lines] horizontal lines
 * @param {{x: number, label: string, colour: string}[]} [props.marks] vertical marks
 * @param {{from: number, to: number, colour: string}[]} [props.regions] stretches of x that are shaded
 * @param {string} [props.shaded] what the shaded ones are, for the legend
 * @param {{series: [number, number], fill: string}[]} [props.bands]
 * @param {number} [props.least] the y axis reaches at least this high
 * @param {boolean} [props.tight] the y axis is about the values, wherever they are; else it begins at 0
 */
export function Chart({ title, step, data, series, lines = [], marks = [], regions = [], shaded = '', bands = [], least = 0, tight = false }) {
  const box = useRef(null);
  const plot = useRef(null);
  const now = useRef({});
  now.current = { lines, marks, regions, least };

  useEffect(() => {
    const options = {
      width: box.current.clientWidth,
      height: innerWidth < 760 ? NARROW_HEIGHT : HEIGHT,
      cursor: { sync: { key: SYNC, setSeries: false }, drag: { x: true, y: false } },
      scales: {
        x: { time: false },
        y: { range: (_, low, high) => (tight ? around(low, high) : [Math.min(0, low ?? 0), Math.max(now.current.least, (high ?? 1) * 1.06)]) },
      },
      axes: [axis(), axis(tight ? 74 : 50)],
      series: [
        { label: step },
        ...series.map((each) => ({
          label: each.label,
          stroke: colour(each.colour),
          width: each.width ?? 1.6,
          dash: each.dash,
          // hollow: rings without a line, for what was not measured
          ...(each.hollow && { paths: () => null }),
          points: { show: Boolean(each.hollow), size: 8, fill: colour('page') },
          spanGaps: false,
          value: (_, value) => (value === null || value === undefined ? '–' : (each.value ?? short)(value)),
        })),
      ],
      bands: bands.map((band) => ({ series: band.series, fill: `${colour(band.fill)}33` })),
      hooks: { draw: [(self) => drawLines(self, now.current)] },
    };
    plot.current = new uPlot(options, data, box.current);
    const watch = new ResizeObserver(() => {
      plot.current.setSize({ width: box.current.clientWidth, height: innerWidth < 760 ? NARROW_HEIGHT : HEIGHT });
    });
    watch.observe(box.current);
    return () => {
      watch.disconnect();
      plot.current.destroy();
    };
  }, [title, series.map((each) => each.label).join()]);

  useEffect(() => {
    plot.current.setData(data);
  }, [data]);

  const last = data[0].length - 1;
  const summary = last < 0 ? 'no data' : `${step} ${data[0][0]} to ${data[0][last]}; last ${series
    .map((each, index) => `${each.label} ${data[index + 1][last] === null ? 'none' : short(data[index + 1][last] ?? 0)}`)
    .join(', ')}${regions.map((region) => `; ${shaded || 'shaded'} from ${region.from} to ${region.to}`).join('')}`;
  return html`
    <figure class="chart">
      <figcaption>${title}${shaded && regions.length > 0 && html`<div class="shaded"><i></i>${shaded}</div>`}</figcaption>
      <div ref=${box} role="img" aria-label=${`${title}: ${summary}`}></div>
    </figure>`;
}

function around(low, high) {
  const room = (high - low) * 0.08 || Math.abs(high) * 0.01 || 1;
  return low === null ? [0, 1] : [low - room, high + room];
}

function short(value) {
  return Number(value.toPrecision(3)).toLocaleString('en');
}

function axis(size) {
  return {
    stroke: colour('dim'),
    grid: { stroke: `${colour('line')}`, width: 0.5 },
    ticks: { stroke: colour('line'), width: 0.5 },
    font: '12px system-ui',
    ...(size ? { size } : {}),
  };
}

function drawLines(self, { lines, marks, regions }) {
  const { ctx, bbox } = self;
  const scale = devicePixelRatio;
  ctx.save();
  for (const region of regions) {
    const [from, to] = [self.valToPos(region.from, 'x', true), self.valToPos(region.to, 'x', true)];
    ctx.fillStyle = `${colour(region.colour)}2e`;
    ctx.fillRect(from, bbox.top, Math.max(2 * scale, to - from), bbox.height);
    ctx.fillStyle = colour(region.colour); // a bar at the foot: shape beside colour
    ctx.fillRect(from, bbox.top + bbox.height - 4 * scale, Math.max(2 * scale, to - from), 4 * scale);
  }
  ctx.font = `${11 * scale}px system-ui`;
  for (const line of lines) {
    const y = self.valToPos(line.at, 'y', true);
    if (y < bbox.top || y > bbox.top + bbox.height) continue;
    stroke(ctx, colour(line.colour), scale, [bbox.left, y, bbox.left + bbox.width, y]);
    ctx.textAlign = 'right';
    ctx.fillText(line.label, bbox.left + bbox.width - 4 * scale, y - 5 * scale);
  }
  for (const mark of marks) {
    const x = self.valToPos(mark.x, 'x', true);
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    stroke(ctx, colour(mark.colour), scale, [x, bbox.top, x, bbox.top + bbox.height]);
    // a sign stands on its line, a word beside it
    const side = mark.label.length < 2 ? 0 : x > bbox.left + bbox.width * 0.8 ? -1 : 1;
    ctx.textAlign = ['right', 'center', 'left'][side + 1];
    ctx.fillText(mark.label, x + side * 5 * scale, bbox.top + 12 * scale);
  }
  ctx.restore();
}

function stroke(ctx, tone, scale, [x0, y0, x1, y1]) {
  ctx.strokeStyle = tone;
  ctx.fillStyle = tone;
  ctx.lineWidth = 1.2 * scale;
  ctx.setLineDash([5 * scale, 4 * scale]);
  ctx.beginPath();
  ctx.moveTo(x0, y0);
  ctx.lineTo(x1, y1);
  ctx.stroke();
  ctx.setLineDash([]);
}
