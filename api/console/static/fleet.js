// The fleet, worst first: which machine, since when, which sensor, how long is left.

import { html, simulated, useMemo, useState } from './html.js';
import { Lanes } from './lanes.js';
import { List } from './list.js';
import { Spark } from './spark.js';
import { assets, fetchedAt, now, stepOf, tally, urgent, whole } from './store.js';
import { ago, count, isShelved, life, sensor, sinceThen, standing, times } from './words.js';

const TOP = 3;

export function FleetPage({ parameters }) {
  const [wanted, setWanted] = useState(parameters.get('find') || '');
  const [fleet, setFleet] = useState('');
  const names = useMemo(() => [...new Set([...assets.value.values()].map((each) => each.fleet))].sort(), [assets.value]);
  const text = wanted.trim().toLowerCase();
  const rows = useMemo(() => urgent.value.filter(({ asset }) =>
    (!fleet || asset.fleet === fleet) && (!text || asset.asset_id.toLowerCase().includes(text))), [urgent.value, fleet, text]);
  if (!assets.value.size) return html`<${NoReadings} />`;
  return html`
    <div class="bar">
      <h1 class="hidden">Fleet</h1>
      <${Sums} />
      <span class="grow"></span>
      <label class="hidden" for="find">Find a machine</label>
      <input id="find" type="search" placeholder="Find a machine ( / )" value=${wanted}
             onInput=${(event) => setWanted(event.target.value)} />
      ${names.length > 1 && html`
        <label class="hidden" for="which">Fleet</label>
        <select id="which" value=${fleet} onChange=${(event) => setFleet(event.target.value)}>
          <option value="">all fleets</option>
          ${names.map((name) => html`<option value=${name}>${name}</option>`)}
        </select>`}
    </div>
    ${rows.length
      ? html`<${List} name="fleet" label="Machines, worst first" rows=${rows} cells=${cells}
          keyOf=${(row) => row.asset.asset_id}
          hrefOf=${(row) => `#/machine/${encodeURIComponent(row.asset.asset_id)}`}
          heads=${['level', 'machine', 'severity', 'since', 'sensors', 'seen', 'left', 'lately']} />`
      : html`<p class="empty">No machine ${text ? `has “${wanted}” in its name` : 'in this fleet'}.
          <button onClick=${() => { setWanted(''); setFleet(''); }}>Show all ${assets.value.size}</button></p>`}
    <${Lanes} rows=${rows} />
    <${Foot} />`;
}

/** By itself, since it says something new each second. */
function Foot() {
  return html`
    <p class="dim">Severity is a score over its own warning threshold: 1× is a warning for every model.
      Fetched ${ago(fetchedAt.value, now.value)}.</p>`;
}

function Sums() {
  const { critical, warning, quiet, unscored } = tally.value;
  return html`
    <p class="sums" aria-live="polite">
      <b>${!whole.value && 'the worst '}${count(assets.value.size, 'machine')}</b>
      <span>${critical ? html`<span class="badge critical">critical</span>` : 'critical'} ${critical}</span>
      <span>${warning ? html`<span class="badge warning">warning</span>` : 'warning'} ${warning}</span>
      <span>quiet ${quiet}</span>
      ${unscored > 0 && html`<span><span class="badge unscored">not scored</span> ${unscored}</span>`}
    </p>`;
}

function cells({ asset, alarm, why }) {
  const level = asset.alarm?.level ?? (why ? 'unscored' : 'quiet');
  const step = stepOf(asset.fleet);
  const said = { unscored: 'not scored' }[level] ?? level;
  return html`
    <span><span class=${`badge ${level}`}>${said}</span></span>
    <b>${asset.asset_id} ${simulated(asset.simulated)}</b>
    <span>${times(asset.last_severity)}</span>
    <span class="since">${since(asset, alarm, step)}</span>
    <span class="sensors" title=${alarm?.reason ?? why ?? ''}>${sensors(alarm, why)}</span>
    <span class="seen" title=${alarm ? standing(alarm, now.value) : ''}>${alarm && seen(alarm)}</span>
    <span class="life">${alarm?.life ? life(asset.last_life, step, alarm.life) : ''}</span>
    <span class="sparkcell">${asset.alarm && html`<${Spark} asset=${asset.asset_id} run=${asset.run_id} upTo=${asset.last_cycle} />`}</span>`;
}

function since(asset, alarm, step) {
  if (asset.alarm) {
    return `${step} ${asset.alarm.onset_cycle}${sinceThen(alarm?.raised_ts, now.value)}`;
  }
  return asset.last_cycle === null ? '' : html`<span class="dim">at ${step} ${asset.last_cycle}</span>`;
}

/** Who has seen it, in a word or two. */
function seen(alarm) {
  if (isShelved(alarm, now.value)) return html`<span class="dim">shelved: ${alarm.shelved.who}</span>`;
  if (alarm.out_of_service) return html`<span class="dim">out of service</span>`;
  return alarm.acknowledged ? `seen: ${alarm.acknowledgement.who}` : html`<strong>not seen yet</strong>`;
}

function sensors(alarm, why) {
  if (alarm) return alarm.channels.slice(0, TOP).map(sensor).join('  ');
  return why ?? '';
}

function NoReadings() {
  return html`
    <div class="empty">
      <h1>No readings yet</h1>
      <p>Start a <a href="#/replay">replay</a> of recorded or simulated engines,
        or send readings to the topic <code>surgeline.readings</code>.</p>
      <p class="dim">What is running, and what is not, is on the page <a href="#/health">Health</a>.</p>
    </div>`;
}
