// What if: another threshold or delay on what is stored. Which alarms would there be, which not, which later?

import { API, send } from './api.js';
import { Table, html, simulated, useEffect, useState } from './html.js';
import { able, stepOf } from './store.js';
import { count, moment, number, zone } from './words.js';

const PAUSE_MS = 400;
const MOST_DELAY = 60;
const FACTOR = 3;
const LISTED = 50;

/** What can be moved: where it stands in the request, its word. */
const MOVED = {
  warning: ['thresholds', 'Warning from a score of'],
  critical: ['thresholds', 'Critical from a score of'],
  life: ['thresholds', 'Critical life'],
  on_delay_cycles: ['alarm', 'Raised after'],
  off_delay_cycles: ['alarm', 'Cleared after'],
};

export function WhatIfPage() {
  const [fleet, setFleet] = useState(able.value[0]?.fleet);
  const [moved, setMoved] = useState({});
  const [within, setWithin] = useState({});
  const [found, setFound] = useState(null);
  const [problem, setProblem] = useState(null);
  const warning = able.value.find((each) => each.fleet === fleet)?.thresholds?.warning;
  useEffect(() => {
    if (!fleet) return undefined;
    let late = false;
    const soon = setTimeout(() => {
      const body = { fleet, ...within, thresholds: { warning }, alarm: {} };
      for (const [name, value] of Object.entries(moved)) body[MOVED[name][0]][name] = value;
      send('POST', `${API}/whatif`, body)
        .then((answer) => [answer, null], (error) => [null, error.status === 404 ? 'This api does not offer what-if.' : error.message])
        .then(([answer, error]) => {
          if (late) return;
          setFound(answer);
          setProblem(error);
        });
    }, PAUSE_MS);
    return () => {
      late = true;
      clearTimeout(soon);
    };
  }, [fleet, moved, within]);
  if (!fleet) return html`<h1>What if</h1><p class="empty">No fleet has a model that can be read. <a href="#/health">Health</a> says why.</p>`;
  const before = found && { ...found.before.thresholds, ...found.before.alarm };
  const at = (name) => moved[name] ?? before?.[name];
  const set = (name) => (event) => event.target.value && setMoved({ ...moved, [name]: Number(event.target.value) });
  const time = (name) => (event) => setWithin({ ...within, [name]: event.target.value ? new Date(event.target.value).toISOString() : undefined });
  const step = stepOf(fleet);
  return html`
    <h1>What if</h1>
    <p>Move a threshold or a delay: the stored scores are judged anew, as the rule is now and as you say. Nothing is changed by it.</p>
    <div class="form">
      <label>Fleet <select value=${fleet} onChange=${(event) => { setFleet(event.target.value); setMoved({}); setFound(null); }}>
        ${able.value.map((each) => html`<option>${each.fleet}</option>`)}</select></label>
      <label>Readings from (${zone()}) <input type="datetime-local" onChange=${time('since')} /></label>
      <label>until <input type="datetime-local" onChange=${time('until')} /></label>
    </div>
    ${before && html`<div class="form">${Object.entries(MOVED).filter(([name]) => before[name] !== null).map(([name, [, words]]) => {
      const score = MOVED[name][0] === 'thresholds';
      const [least, most, by] = score ? [before[name] / FACTOR, before[name] * FACTOR, 'any'] : [1, MOST_DELAY, 1];
      const unit = score && name !== 'life' ? '' : `, ${step}s`;
      return html`
        <fieldset><legend>${words}${unit}</legend>
          <input type="range" min=${least} max=${most} step=${by} value=${at(name)} aria-label=${`${words}${unit}`} aria-valuetext=${`${number(at(name), 4)}; now ${number(before[name], 4)}`} onChange=${set(name)} />
          <input type="number" min=${score ? 0 : 1} step=${by} value=${Number(at(name).toPrecision(4))} aria-label=${`${words}, as a number`} onChange=${set(name)} />
          <small class="dim">now ${number(before[name], 4)}</small>
        </fieldset>`;
    })}
      <div><button disabled=${!Object.keys(moved).length} onClick=${() => setMoved({})}>As it is now</button></div></div>`}
    ${problem && html`<p class="notice bad" role="alert">${problem}</p>`}
    ${found ? html`<${Outcome} found=${found} step=${step} />` : !problem && html`<p class="dim">Judging …</p>`}`;
}

function Outcome({ found, step }) {
  const { counts } = found;
  const message = (one) => `${one.state} ${one.level}, ${step} ${one.cycle}`;
  const row = (one, words) => html`
    <tr><td><b><a href=${`#/machine/${encodeURIComponent(one.asset_id)}?run=${encodeURIComponent(one.run_id)}`}>${one.asset_id}</a></b> ${simulated(one.run_id.startsWith('simulated'))}</td>
      <td>${one.run_id}</td><td>${words}</td></tr>`;
  const lists = [
    ['Gained', counts.gained, found.gained, (one) => message(one)],
    ['Lost', counts.lost, found.lost, (one) => message(one)],
    ['Moved', counts.moved, found.moved, (one) => `${message(one.before)} → ${one.before.state === one.after.state && one.before.level === one.after.level ? one.after.cycle : message(one.after)}${one.by_cycles ? ` (${count(Math.abs(one.by_cycles), step)} ${one.by_cycles > 0 ? 'later' : 'earlier'})` : ''}`],
  ];
  if (!found.rows) return html`<p class="empty">No scores of this fleet are stored${found.since || found.until ? ' for that time' : ''}. A <a href="#/replay">replay</a> makes some.</p>`;
  return html`
    <p class="sums" role="status"><b>${count(found.alarms_before, 'alarm')} as it is, ${found.alarms_after.toLocaleString('en')} as you say</b>
      ${lists.map(([word, n]) => html`<span>${word.toLowerCase()} ${n}</span>`)}<span>the same ${counts.same}</span></p>
    <p class="dim">Judged: ${count(found.rows, 'reading')} of ${count(found.runs, 'run')}. Gained, lost and moved count messages: raised, escalated, cleared.</p>
    ${!found.complete && html`<p class="notice">More is stored than is judged at once: nothing after ${moment(found.cut_off)} is in this. Give a time from which on to begin.</p>`}
    ${found.uncertain_rows > 0 && html`<p class="notice">${count(found.uncertain_rows, 'reading')} might still have warned by weaker evidence, which is not stored.</p>`}
    ${lists.filter(([, n]) => n).map(([word, n, items, words]) => html`
      <h2>${word}</h2>
      <${Table} heads=${['machine', 'run', 'message']}>${items.slice(0, LISTED).map((one) => row(one, words(one)))}<//>
      ${n > LISTED && html`<p class="dim">and ${(n - LISTED).toLocaleString('en')} more</p>`}`)}`;
}
