// All alarms, one line each, worst first; select many, acknowledge them with one note.

import { RoleNeeded, actByKey, askFor } from './actions.js';
import { API, get, offered } from './api.js';
import { html, simulated, useEffect, useMemo, useState } from './html.js';
import { List } from './list.js';
import { alarms, mayAct, now, stepOf } from './store.js';
import { count, isShelved, lasting, moment, number, rank, sensor, sinceThen, standing } from './words.js';

const SHOWN = {
  open: (alarm) => alarm.standing,
  unacknowledged: (alarm) => alarm.standing && !alarm.acknowledged,
  shelved: (alarm) => isShelved(alarm, Date.now()),
  all: () => true,
};

export function AlarmsPage() {
  const [show, setShow] = useState('open');
  const [wanted, setWanted] = useState('');
  const [picked, setPicked] = useState(new Set());
  const text = wanted.trim().toLowerCase();
  const minute = Math.floor(now.value / 60_000); // when shelves end
  const rows = useMemo(
    () => [...alarms.value.values()]
      .filter(SHOWN[show])
      .filter((alarm) => !text || alarm.asset_id.toLowerCase().includes(text))
      .sort(byUrgency),
    [alarms.value, show, text, minute],
  );
  const chosen = rows.filter((alarm) => picked.has(alarm.alarm_id));
  const none = () => setPicked(new Set());
  const pick = ({ alarm_id: id }) => {
    const next = new Set(picked);
    if (!next.delete(id)) next.add(id);
    setPicked(next);
  };
  const acknowledge = () => askFor('acknowledge', chosen, none);
  const onKey = (event, marked) => {
    if (event.key === 'x' && marked) pick(marked);
    else if (event.key === 'a' && chosen.length) actByKey(event, chosen, none);
    else if (marked) actByKey(event, [marked]);
  };
  return html`
    <div class="bar">
      <h1>Alarms</h1>
      <span class="dim" aria-live="polite">${count(rows.length, 'alarm')} of ${alarms.value.size.toLocaleString('en')}</span>
      <span class="grow"></span>
      <label class="hidden" for="find">Find a machine</label>
      <input id="find" type="search" placeholder="Find a machine ( / )" value=${wanted} onInput=${(event) => setWanted(event.target.value)} />
      <label class="hidden" for="show">Show</label>
      <select id="show" value=${show} onChange=${(event) => setShow(event.target.value)}>
        ${Object.keys(SHOWN).map((each) => html`<option value=${each}>${each}</option>`)}
      </select>
    </div>
    <${RoleNeeded} what="Acknowledging and shelving" />
    ${mayAct.value && rows.length > 0 && html`
      <div class="bar">
        <label class="choice"><input type="checkbox" checked=${chosen.length === rows.length}
          onChange=${() => (chosen.length === rows.length ? none() : setPicked(new Set(rows.map((alarm) => alarm.alarm_id))))} />
          ${' '}select all shown</label>
        <button class="primary" disabled=${!chosen.length} onClick=${acknowledge}>Acknowledge ${chosen.length || ''}</button>
      </div>`}
    ${rows.length
      ? html`<${List} name=${`alarms ${mayAct.value ? 'acts' : ''}`} label="Alarms, worst first" rows=${rows} cells=${cells} onKey=${onKey}
          before=${mayAct.value ? (alarm) => html`<input type="checkbox" aria-label=${`Select ${alarm.asset_id}, ${alarm.run_id}`}
            checked=${picked.has(alarm.alarm_id)} onChange=${() => pick(alarm)} />` : null}
          after=${mayAct.value ? After : null}
          keyOf=${(alarm) => alarm.alarm_id}
          hrefOf=${(alarm) => `#/machine/${encodeURIComponent(alarm.asset_id)}`}
          heads=${['level', 'machine', 'since', 'state', 'why']} />`
      : html`<p class="empty">${alarms.value.size ? `No ${show === 'all' ? '' : `${show} `}alarm${text ? ` of “${wanted}”` : ''}.` : 'No machine has had an alarm yet.'}</p>`}
    <${Lately} />`;
}

/** For who judges the alarms: how many there were, how soon they were seen, which are a nuisance. */
function Lately() {
  const [figures, setFigures] = useState(null);
  useEffect(() => {
    offered(get(`${API}/alarms/kpis`)).then(setFigures, () => {}); // the list stands without them
  }, []);
  if (!figures?.alarms) return null;
  const { acknowledgement: seen, chattering, stale, top_assets: [worst] } = figures;
  return html`
    <p class="dim">Last 7 days: ${count(figures.alarms, 'alarm')}, ${number(figures.per_day)} a day (${figures.load.replace('_', ' ')}), most of ${worst.asset_id} (${worst.alarms}).
      ${seen.median_s !== null && ` Half of those seen were seen within ${lasting(seen.median_s)}.`}
      ${' '}${count(chattering.alarms, 'alarm')} chattered, ${stale.alarms} stood for more than a day.</p>`;
}

function After(alarm) {
  return html`
    <span class="after">
      ${!alarm.acknowledged && alarm.state !== 'closed' && html`
        <button onClick=${() => askFor('acknowledge', [alarm])}>Acknowledge<span class="hidden"> ${alarm.asset_id}</span></button>`}
      <button onClick=${() => askFor('more', [alarm])}>More<span class="hidden"> about ${alarm.asset_id}</span> …</button>
    </span>`;
}

function byUrgency(a, b) {
  return b.standing - a.standing || rank(b.level) - rank(a.level) || a.acknowledged - b.acknowledged
    || b.peak_severity - a.peak_severity || (a.raised_ts < b.raised_ts ? -1 : 1);
}

function cells(alarm) {
  const aside = isShelved(alarm, now.value) || alarm.out_of_service || !alarm.standing;
  const words = standing(alarm, now.value);
  return html`
    <span><span class=${`badge ${aside ? 'cleared' : alarm.level}`}>${alarm.level}</span></span>
    <b class=${aside ? 'dim' : ''} title=${`run ${alarm.run_id}`}>${alarm.asset_id} ${simulated(alarm.simulated)}</b>
    <span class="since" title=${moment(alarm.raised_ts)}>${stepOf(alarm.fleet)} ${alarm.onset_cycle}${sinceThen(alarm.raised_ts, now.value)}</span>
    <span class=${`stand ${aside ? 'dim' : ''}`} title=${words}>${words}</span>
    <span class="reason" title=${alarm.reason}>${[alarm.channels.slice(0, 3).map(sensor).join('  '), alarm.reason].filter(Boolean).join(' · ')}</span>`;
}
