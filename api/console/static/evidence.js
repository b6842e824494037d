// What an alarm rests on: readings in the machine's units on what a healthy machine would have shown, and how sure it is.

import { API, get, offered, send } from './api.js';
import { Chart } from './charts.js';
import { html, useEffect, useState } from './html.js';
import { number, reached, sensor } from './words.js';

const SHOWN = 5;
const READINGS = 100;
const OF_THE_API = ['silent', 'unscored'];
/** So many healthy deviations around what is expected are drawn as its band. */
const BAND_SD = 2;

/** The evidence of an alert, or of an asset without one its latest readings: {found, problem, sure}. */
export function useEvidence(asset, alarm) {
  const [known, setKnown] = useState({});
  // what the api itself says, of a silent machine, rests on no reading
  const alert = OF_THE_API.includes(alarm?.evidence) ? null : alarm?.alert_id;
  const key = asset && (alert ?? `${asset.asset_id} ${asset.run_id} ${asset.last_cycle}`);
  useEffect(() => {
    if (!key) return undefined;
    const stop = new AbortController();
    const keep = (more) => !stop.signal.aborted && setKnown((before) => ({ ...before, key: alert ?? asset.asset_id, ...more }));
    const wanted = alert
      ? get(`${API}/alerts/${encodeURIComponent(alert)}/evidence`, {}, stop.signal)
      : offered(get(`${API}/readings`, { asset_id: asset.asset_id, run_id: asset.run_id, limit: READINGS }, stop.signal));
    wanted.then((found) => {
      keep({ found: found && (alert ? found : asColumns(found)), problem: null, sure: null });
      return alert && howSure(found).then((sure) => keep({ sure }));
    }).catch((error) => keep({ found: null, problem: error.message }));
    return () => stop.abort();
  }, [key]);
  return known.key === (alert ?? asset?.asset_id) ? known : {};
}

/** Readings row by row as evidence has them: a list for each channel. */
function asColumns({ items, channels, step }) {
  const column = (channel) => ({
    ...channel,
    values: items.map((item) => item.sensors[channel.name] ?? null),
    held: items.flatMap((item, place) => (item.held.includes(channel.name) ? [place] : [])),
  });
  return {
    step,
    window: { cycles: items.map((item) => item.cycle), missing_before: items.map((item) => item.missing_before) },
    channels: channels.map(column),
  };
}

/** How many in 1,000 healthy windows reach this one: asked of the model that raised the alarm, if it is still there. */
async function howSure({ asset_id, fleet, ts, model, window, conditions, channels }) {
  if (window.omitted) return null;
  const rows = window.cycles.map((_, place) => Object.fromEntries([...conditions, ...channels].map((each) => [each.name, each.values[place]])));
  const said = await send('POST', `${API}/detect`, { sensor_id: asset_id, fleet, timestamp: ts, window: rows }).catch(() => null);
  if (!said || said.confidence === null || said.model.sha256 !== model.sha256) return null;
  return { reach: reached(said.confidence), windows: said.confidence_windows };
}

/** The readings of an alarm, or the latest ones: the sensors with the largest shares first. */
export function Readings({ found, problem, step, shares, machine }) {
  const [all, setAll] = useState(false);
  if (problem) return html`<h2>Readings</h2><p class="notice">${problem}</p>`;
  if (!found?.channels.length || !found.window.cycles.length) return null;
  const told = new Map((machine?.channels ?? []).map((channel) => [channel.name, channel]));
  const share = (channel) => channel.share ?? shares[channel.name] ?? 0;
  const sorted = [...found.channels].sort((a, b) => share(b) - share(a));
  const shown = all ? sorted : sorted.slice(0, SHOWN);
  const expected = sorted.some((channel) => channel.expected);
  return html`
    <h2>${expected ? `Readings that the alarm rests on, to ${step} ${found.cycle}` : 'Latest readings'}</h2>
    ${expected && html`<p class="dim">The band is what a healthy machine, run as this one is, would show (± ${BAND_SD} of its deviations).</p>`}
    <div class="readings">${shown.map((channel) => html`
      <${Course} key=${channel.name} channel=${{ ...told.get(channel.name), ...channel }} window=${found.window} step=${step} />`)}</div>
    ${sorted.length > SHOWN && html`<button aria-expanded=${all} onClick=${() => setAll(!all)}>${all ? `Only the ${SHOWN} with most` : `All ${sorted.length} sensors`}</button>`}`;
}

function Course({ channel, window, step }) {
  const { values, expected, held, healthy_sd: sd } = channel;
  const whole = !window.cycles.includes(null); // an earlier version kept no cycles
  const rows = values.flatMap((value, place) => {
    const x = whole ? window.cycles[place] : place;
    const middle = expected?.[place] ?? null;
    const around = middle === null ? [null, null] : [middle + BAND_SD * sd, middle - BAND_SD * sd];
    const isHeld = held.includes(place);
    const row = [x, ...(expected ? [...around, middle] : []), value, ...(held.length ? [isHeld ? value : null] : [])];
    // a line must not run over what is missing
    return window.missing_before[place] ? [[x - 0.5, ...row.slice(1).fill(null)], row] : [row];
  });
  const data = rows[0].map((_, column) => rows.map((row) => row[column]));
  const healthy = [
    { label: 'healthy, at most', colour: 'band', width: 0.5 },
    { label: 'at least', colour: 'band', width: 0.5 },
    { label: 'expected', colour: 'band', dash: [6, 4] },
  ];
  const name = channel.direction ? sensor(channel) : channel.name;
  const notes = [held.length && `${held.length} held ◯`, window.missing_before.some(Boolean) && 'gaps bridged'].filter(Boolean).join(', ');
  return html`
    <${Chart} title=${`${name} ${channel.meaning ?? ''}${channel.unit ? `, ${channel.unit}` : ''}${notes ? ` (${notes})` : ''}`} step=${step} tight data=${data}
      bands=${expected ? [{ series: [1, 2], fill: 'band' }] : []}
      series=${[...(expected ? healthy : []), { label: 'measured', colour: 's1', value: exact },
        ...(held.length ? [{ label: 'held', colour: 's1', hollow: true, value: exact }] : [])]} />`;
}

const exact = (value) => number(value, 6);
