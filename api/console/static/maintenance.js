// Maintenance: what is out of service, from when to when; plan it, make it longer, end it.

import { NameField, RoleNeeded, keep, me, say } from './actions.js';
import { API, get, send } from './api.js';
import { Table, html, simulated, useEffect, useState } from './html.js';
import { alarms, assets, fleets, mayAct, now, session } from './store.js';
import { ago, moment, zone } from './words.js';

const PATH = `${API}/maintenance`;
const OFFERED = 50;
const HOUR_MS = 3_600_000;
const FIRST_HOURS = 8;

export function MaintenancePage() {
  const [current, setCurrent] = useState(true);
  const [known, setKnown] = useState(null);
  const [problem, setProblem] = useState(null);
  const load = () => get(PATH, { current: current || null, limit: 500 }).then(setKnown).catch((error) => setProblem(error.message));
  // what operators do about maintenance comes with the alarms
  useEffect(() => { load(); }, [current, alarms.value]);
  const change = async (work, done) => {
    setProblem(null);
    try {
      await work();
      say(done);
    } catch (error) {
      setProblem(error.message);
      return false;
    }
    await load();
    return true;
  };
  return html`
    <h1>Maintenance</h1>
    <p>Alarms of what is out of service stay in the list, greyed, and ask for nobody. A window ends by itself.</p>
    ${problem && html`<p class="notice bad" role="alert">${problem}</p>`}
    <${RoleNeeded} what="Planning maintenance" />
    ${mayAct.value && html`<${Plan} onPlan=${(body) => change(() => send('POST', PATH, body), 'Planned.')} />`}
    <div class="bar"><h2>Windows</h2>
      <label class="choice"><input type="checkbox" checked=${!current} onChange=${() => setCurrent(!current)} /> also those that are over</label></div>
    ${known === null ? html`<p class="dim">Loading …</p>` : known.items.length
      ? html`<${Table} heads=${['state', 'out of service', 'when', 'why', 'planned']} ears="what you can do">${known.items.map((window) => html`<${Row} key=${window.maintenance_id} window=${window} change=${change} />`)}<//>`
      : html`<p class="empty">${current ? 'Nothing is out of service, and nothing is planned.' : 'There has been no maintenance yet.'}</p>`}`;
}

function Row({ window, change }) {
  const about = window.asset_id ?? `fleet ${window.fleet}`;
  const path = `${PATH}/${encodeURIComponent(window.maintenance_id)}`;
  const holds = window.state === 'running' || window.state === 'planned';
  const mine = mayAct.value && (window.asset_id || mayPlanFleets());
  const longer = () => send('PATCH', path, { ...me(), ends_at: new Date(+new Date(window.ends_at) + HOUR_MS).toISOString() });
  return html`
    <tr>
      <td><span class=${`badge ${holds ? 'unscored' : 'cleared'}`}>${window.state}</span></td>
      <td><b>${window.asset_id ? html`<a href=${`#/machine/${encodeURIComponent(window.asset_id)}`}>${about}</a>` : about}</b> ${simulated(assets.value.get(window.asset_id)?.simulated)}</td>
      <td>${moment(window.starts_at)} to ${moment(window.ends_at)} <span class="dim">(${ago(window.ends_at, now.value)})</span></td>
      <td>${window.reason}</td>
      <td>by ${window.planned_by}</td>
      <td>${holds && mine && html`
        <button onClick=${() => change(longer, `${about}: one hour longer.`)}>1 h longer<span class="hidden">: ${about}</span></button>${' '}
        <button onClick=${() => change(() => send('POST', `${path}/end`, me()), `${about}: ended.`)}>${window.state === 'planned' ? 'Cancel' : 'End now'}<span class="hidden">: ${about}</span></button>`}</td>
    </tr>`;
}

const mayPlanFleets = () => session.value?.role === 'admin';

function Plan({ onPlan }) {
  const [fleet, setFleet] = useState(false);
  const [wanted, setWanted] = useState('');
  const [sending, setSending] = useState(false);
  const ids = [...assets.value.keys()].filter((id) => id.toLowerCase().includes(wanted.toLowerCase())).slice(0, OFFERED);
  const submit = async (event) => {
    event.preventDefault();
    const { what, starts, ends, reason, operator } = Object.fromEntries(new FormData(event.target));
    const body = { [fleet ? 'fleet' : 'asset_id']: what, ends_at: new Date(ends).toISOString(), reason };
    if (starts) body.starts_at = new Date(starts).toISOString();
    if (operator) body.operator = keep(operator);
    setSending(true);
    if (await onPlan(body)) setWanted('');
    setSending(false);
  };
  return html`
    <form class="form" onSubmit=${submit}>
      <fieldset><legend>Out of service</legend>
        <label class="choice"><input type="radio" name="scope" checked=${!fleet} onChange=${() => setFleet(false)} /> one machine</label>
        <label class="choice"><input type="radio" name="scope" checked=${fleet} disabled=${!mayPlanFleets()} onChange=${() => setFleet(true)} />
          ${' '}a whole fleet${mayPlanFleets() ? '' : ' (role admin)'}</label>
      </fieldset>
      ${fleet
        ? html`<label>Fleet <select name="what">${fleets.value.map((each) => html`<option>${each.fleet}</option>`)}</select></label>`
        : html`<label>Machine <input name="what" required list="machines" autocomplete="off" value=${wanted} onInput=${(event) => setWanted(event.target.value)} />
            <datalist id="machines">${ids.map((id) => html`<option value=${id} />`)}</datalist></label>`}
      <label>From (${zone()}) <input type="datetime-local" name="starts" aria-describedby="starts" /><small class="dim" id="starts">empty: from now on</small></label>
      <label>Until (${zone()}) <input type="datetime-local" name="ends" required defaultValue=${local(Date.now() + FIRST_HOURS * HOUR_MS)} /></label>
      <label>Why <input name="reason" required maxlength="2000" /></label>
      <${NameField} />
      <div><button class="primary" disabled=${sending}>Plan it</button></div>
    </form>`;
}

/** A moment as such a field takes it: on this screen's clock, without zone. */
function local(at) {
  return new Date(at - new Date(at).getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}
