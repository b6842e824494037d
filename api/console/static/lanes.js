// Swim lanes: how bad the most urgent machines were, over time. Height and pattern first, colour second.

import { API, get, offered } from './api.js';
import { html, simulated, useEffect, useState } from './html.js';
import { count, moment } from './words.js';

const LANES = 12;
const POINTS = 200;
const EVERY_MS = 20_000;
const SPANS = [['', 'all there is'], [86_400_000, 'its last 24 h'], [3_600_000, 'its last hour']];
const LEVELS = ['none', 'warning', 'critical', 'gap'];
const SAID = { none: 'quiet', gap: 'not scored' };

/** Stretches of one level, from a plot's points: [{from, until, level}], ms. */
export function stretches(points) {
  const found = [];
  points.forEach((point, index) => {
    const next = points[index + 1];
    if (!next) return;
    const [from, until] = [+new Date(point.ts), +new Date(next.ts)];
    const level = next.gap_before ? 'gap' : point.level;
    const last = found.at(-1);
    if (last?.level === level) last.until = until;
    else found.push({ from, until, level });
  });
  return found;
}

/** @param {{rows: object[]}} props rows of the fleet, the most urgent first */
export function Lanes({ rows }) {
  const [span, setSpan] = useState('');
  const [courses, setCourses] = useState({});
  const shown = rows.filter(({ asset }) => asset.last_ts).slice(0, LANES);
  const key = shown.map(({ asset }) => `${asset.asset_id} ${asset.run_id}`).join();
  useEffect(() => {
    const stop = new AbortController();
    const load = () => Promise.all(shown.map(async ({ asset }) => {
      const since = span && new Date(+new Date(asset.last_ts) - span).toISOString();
      const query = { asset_id: asset.asset_id, run_id: asset.run_id, points: POINTS, since };
      return [asset.asset_id, stretches((await offered(get(`${API}/scores/plot`, query, stop.signal)))?.points ?? [])];
    })).then((all) => setCourses(Object.fromEntries(all))).catch(() => {}); // the list above stands without it
    load();
    const again = setInterval(load, EVERY_MS);
    return () => {
      stop.abort();
      clearInterval(again);
    };
  }, [key, span]);
  const all = Object.values(courses).flat();
  if (!all.length) return null;
  const [first, last] = [Math.min(...all.map((each) => each.from)), Math.max(...all.map((each) => each.until))];
  return html`
    <section class="lanes">
      <div class="bar"><h2>The most urgent over time</h2>
        <label class="hidden" for="span">Time shown</label>
        <select id="span" value=${span} onChange=${(event) => setSpan(Number(event.target.value) || '')}>
          ${SPANS.map(([ms, words]) => html`<option value=${ms}>${words}</option>`)}
        </select>
        ${LEVELS.map((level) => html`<span class="key"><${Bars} from=${0} until=${1} runs=${[{ from: 0, until: 1, level }]} /> ${word(level)}</span>`)}
      </div>
      ${shown.map(({ asset }) => html`
        <a class="lane" key=${asset.asset_id} href=${`#/machine/${encodeURIComponent(asset.asset_id)}`}
           aria-label=${`${asset.asset_id}${asset.simulated ? ', simulated' : ''}: ${told(courses[asset.asset_id] ?? [])}`}>
          <b>${asset.asset_id} ${simulated(asset.simulated)}</b><${Bars} from=${first} until=${last} runs=${courses[asset.asset_id] ?? []} /></a>`)}
      <p class="bar dim ends"><span>${moment(first)}</span><span class="grow"></span><span>${moment(last)}</span></p>
    </section>`;
}

function Bars({ runs, from, until }) {
  const part = (time) => `${(100 * time) / (until - from || 1)}%`;
  return html`<span class="bars">${runs.map((run) => html`
    <i class=${`run ${run.level}`} title=${`${word(run.level)}, ${moment(run.from)} to ${moment(run.until)}`}
       style=${{ left: part(run.from - from), width: part(run.until - run.from) }}></i>`)}</span>`;
}

const word = (level) => SAID[level] ?? level;

/** A lane in words: the latest stretches that are not quiet. */
function told(runs) {
  const loud = runs.filter((run) => run.level !== 'none');
  if (!loud.length) return runs.length ? 'quiet' : 'no scores';
  return `${count(loud.length, 'stretch', 'stretches')} not quiet, the last ${word(loud.at(-1).level)} from ${moment(loud.at(-1).from)} to ${moment(loud.at(-1).until)}`;
}
