// Replays: start recorded or simulated engines, see how far they are, stop them.

import { RoleNeeded } from './actions.js';
import { API, get, send } from './api.js';
import { Table, html, simulated, useEffect, useState } from './html.js';
import { assets, fleets, mayAct } from './store.js';
import { Upload } from './upload.js';
import { moment } from './words.js';

const EVERY_MS = 2000;
const FIELDS = { dataset: 'SIM', split: 'test', engines: '1-5', speed: '60x', seed: '7' };

export function ReplayPage() {
  const [known, setKnown] = useState(null);
  const [problem, setProblem] = useState(null);
  const load = () => get(`${API}/replays`).then(setKnown).catch((error) => setProblem(error.message));
  useEffect(() => {
    load();
    const again = setInterval(load, EVERY_MS);
    return () => clearInterval(again);
  }, []);
  const change = (work) => {
    setProblem(null);
    return work().then(load).catch((error) => setProblem(error.message));
  };
  return html`
    <h1>Replay</h1>
    <p>Streams engines through the whole system, as if they ran now. C-MAPSS data must be on the API's machine;
      the simulator (SIM) needs none, and its machines are marked ${simulated(true)}.</p>
    ${problem && html`<p class="notice bad" role="alert">${problem}</p>`}
    <${RoleNeeded} what="Starting and stopping replays" />
    ${mayAct.value && html`<${Start} onStart=${(body) => change(() => send('POST', `${API}/replays`, body))} />`}
    <h2>Replays</h2>
    ${known === null ? html`<p class="dim">Loading …</p>` : known.items.length
      ? html`<${Table} heads=${['run', 'what', 'state', 'progress', 'started']} ears="what you can do">${known.items.map((item) => html`
            <${Row} key=${item.id} item=${item}
              onStop=${() => change(() => send('DELETE', `${API}/replays/${encodeURIComponent(item.id)}`))} />`)}<//>`
      : html`<p class="empty">None yet.</p>`}
    ${known?.unreadable.map((item) => html`<p class="notice bad">${item.id}: ${item.why}</p>`)}
    <${Upload} />`;
}

function Start({ onStart }) {
  const [fields, setFields] = useState(FIELDS);
  const [sending, setSending] = useState(false);
  const set = (name) => (event) => setFields({ ...fields, [name]: event.target.value });
  const simulator = fields.dataset === 'SIM';
  const fleet = fleets.value.find((each) => each.fleet === fields.dataset)?.fleet ?? 'default';
  const submit = async (event) => {
    event.preventDefault();
    setSending(true);
    const { seed, split, ...rest } = fields;
    await onStart(simulator ? { ...rest, seed: Number(seed) } : { ...rest, split });
    setSending(false);
  };
  return html`
    <form class="form" onSubmit=${submit}>
      <label>Data set
        <select value=${fields.dataset} onChange=${set('dataset')}>
          <option value="SIM">SIM, the simulator</option>
          ${['FD001', 'FD002', 'FD003', 'FD004'].map((name) => html`<option value=${name}>${name}</option>`)}
        </select></label>
      ${simulator
        ? html`<label>Seed <input type="number" min="0" max="4294967295" value=${fields.seed} onInput=${set('seed')} /></label>`
        : html`<label>Part <select value=${fields.split} onChange=${set('split')}><option>test</option><option>train</option></select></label>`}
      <label>Engines <input required pattern="all|[0-9,\\-]+" value=${fields.engines} onInput=${set('engines')} aria-describedby="engines" />
        <small class="dim" id="engines">all, or numbers and ranges: 1-20,42</small></label>
      <label>Speed <input required pattern="max|[0-9.]+x" value=${fields.speed} onInput=${set('speed')} aria-describedby="speed" />
        <small class="dim" id="speed">max, or a factor: 60x is 60 cycles a second</small></label>
      <div>
        <p class="dim">Judged as fleet <b>${fleet}</b>.</p>
        <button class="primary" disabled=${sending}>${sending ? 'Starting …' : 'Start the replay'}</button>
      </div>
    </form>`;
}

function Row({ item, onStop }) {
  const machines = [...assets.value.values()].filter((asset) => asset.run_id === item.run_id).length;
  const done = item.sent + item.skipped;
  return html`
    <tr>
      <td><b>${item.run_id}</b> ${simulated(item.simulated)}</td>
      <td>${item.dataset === 'SIM' ? 'simulator' : `${item.dataset} ${item.split}`}, engines ${item.engines}, ${item.speed}</td>
      <td>${item.state}${item.error ? html`<br /><span class="dim">${item.error}</span>` : ''}</td>
      <td>
        ${item.progress !== null && html`<progress max="1" value=${item.progress} aria-label=${`progress of ${item.run_id}`}></progress> `}
        ${done.toLocaleString('en')}${item.total ? ` of ${item.total.toLocaleString('en')}` : ''} readings
        ${machines > 0 && html`<br /><a href="#/fleet">${machines} machines</a>`}
      </td>
      <td class="nowrap">${moment(item.started_at)}</td>
      <td>${item.state === 'running' && mayAct.value && html`<button onClick=${onStop}>Stop<span class="hidden"> ${item.run_id}</span></button>`}</td>
    </tr>`;
}
