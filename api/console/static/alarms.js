// All alarms, one line each: open ones first, worst first.

import { html, useState } from './html.js';
import { List } from './list.js';
import { alarms, now, stepOf } from './store.js';
import { count, moment, rank, sensor, sinceThen } from './words.js';

const SHOWN = ['open', 'all', 'cleared'];

export function AlarmsPage() {
  const [show, setShow] = useState('open');
  const [wanted, setWanted] = useState('');
  const text = wanted.trim().toLowerCase();
  const everything = [...alarms.value.values()];
  const rows = everything
    .filter((alarm) => show === 'all' || (alarm.state === 'cleared') === (show === 'cleared'))
    .filter((alarm) => !text || alarm.asset_id.toLowerCase().includes(text))
    .sort(byUrgency);
  return html`
    <div class="bar">
      <h1>Alarms</h1>
      <span class="dim" aria-live="polite">${count(rows.length, 'alarm')} of ${everything.length.toLocaleString('en')}</span>
      <span class="grow"></span>
      <label class="hidden" for="find">Find a machine</label>
      <input id="find" type="search" placeholder="Find a machine ( / )" value=${wanted} onInput=${(event) => setWanted(event.target.value)} />
      <label class="hidden" for="show">Show</label>
      <select id="show" value=${show} onChange=${(event) => setShow(event.target.value)}>
        ${SHOWN.map((each) => html`<option value=${each}>${each}</option>`)}
      </select>
    </div>
    ${rows.length
      ? html`<${List} name="alarms" label="Alarms, worst first" rows=${rows} cells=${cells}
          keyOf=${(alarm) => alarm.alarm_id}
          hrefOf=${(alarm) => `#/machine/${encodeURIComponent(alarm.asset_id)}`}
          heads=${['level', 'machine', 'state', 'raised', 'why', 'run']} />`
      : html`<p class="empty">${everything.length ? `No ${show === 'all' ? '' : show} alarm${text ? ` of “${wanted}”` : ''}.` : 'No machine has had an alarm yet.'}</p>`}`;
}

function byUrgency(a, b) {
  const open = (alarm) => Number(alarm.state !== 'cleared');
  return open(b) - open(a) || rank(b.level) - rank(a.level) || (b.severity ?? 0) - (a.severity ?? 0) || b.sequence - a.sequence;
}

function cells(alarm) {
  const raised = alarm.raised ?? alarm;
  return html`
    <span><span class=${`badge ${alarm.state === 'cleared' ? 'cleared' : alarm.level}`}>${alarm.level}</span></span>
    <b>${alarm.asset_id} ${alarm.run_id.startsWith('simulated') && html`<span class="simulated">SIMULATED</span>`}</b>
    <span>${alarm.state}</span>
    <span class="since" title=${moment(raised.ts)}>${stepOf(alarm.fleet)} ${raised.cycle}${sinceThen(raised.ts, now.value)}</span>
    <span class="reason" title=${alarm.reason}>${alarm.channels.slice(0, 3).map(sensor).join('  ')} · ${alarm.reason}</span>
    <span class="run dim">${alarm.run_id}</span>`;
}
