// The pipeline as it is: what answers, what does not and what to do, what is running.

import { RoleNeeded } from './actions.js';
import { API, get } from './api.js';
import { Table, html, useEffect, useState } from './html.js';
import { assets, fleets, mayAct, readiness } from './store.js';
import { VERDICTS, count, moment } from './words.js';

const DOES = {
  broker: 'carries readings and alerts. While it is away, producers wait and nothing is lost.',
  score_store: 'keeps verdicts. While it is away, workers wait; this page shows nothing new.',
  alert_history: 'keeps alerts. While it is away, alerts stay on their topic.',
  detector: 'one worker, by its own word.',
  detector_group: 'all workers, as the broker sees them; it says where readings wait.',
};

export function HealthPage() {
  const [about, setAbout] = useState(null);
  useEffect(() => {
    get('/info').then(setAbout).catch(() => setAbout(null));
  }, []);
  const found = readiness.value;
  return html`
    <h1>Health</h1>
    ${found && html`<p class=${`notice ${found.status === 'ready' ? '' : 'bad'}`} role="status">
      ${{ ready: 'Everything answers.', degraded: 'What is stored can be read, but something is down.', not_ready: 'Something this page needs is down.' }[found.status]}</p>`}
    ${(found?.notes ?? []).map((note) => html`<p class="notice">${note}</p>`)}
    <${Table} heads=${['part', 'state', 'answered in', 'what it does']}>${Object.entries(found?.dependencies ?? {}).map(([name, part]) => html`
        <tr>
          <td><b>${name.replace('_', ' ')}</b></td>
          <td>${part.ok ? html`<span class="lamp">ok</span>` : html`<span class="lamp broken">${part.error}</span>`}</td>
          <td>${part.latency_ms.toFixed(1)} ms</td>
          <td class="dim">${DOES[name] ?? ''}</td>
        </tr>`)}<//>
    <${Readings} />
    <${Letters} />
    <h2>Fleets and their models</h2>
    <${Table} heads=${['fleet', 'machines', 'model', 'machine type']}>${fleets.value.map((each) => html`
        <tr>
          <td><b>${each.fleet}</b></td>
          <td>${[...assets.value.values()].filter((asset) => asset.fleet === each.fleet).length}</td>
          <td>${each.problem ? html`<span class="lamp broken">${each.problem}</span>` : `${each.model.name}@${each.model.version}`}</td>
          <td>${each.machine_type?.title ?? '–'}</td>
        </tr>`)}<//>
    ${about && html`<p class="dim">Surgeline ${about.version} · counts for machines: <a href="/metrics">/metrics</a> ·
      the API: <a href="/docs">/docs</a></p>`}`;
}

function Readings() {
  const sums = {};
  for (const asset of assets.value.values()) {
    for (const [kind, n] of Object.entries(asset.verdicts)) sums[kind] = (sums[kind] ?? 0) + n;
  }
  const all = Object.values(sums).reduce((sum, n) => sum + n, 0);
  if (!all) return null;
  const refused = [...assets.value.values()].filter((asset) => asset.verdicts.rejected).sort((a, b) => b.verdicts.rejected - a.verdicts.rejected);
  return html`
    <h2>Readings of the latest runs</h2>
    ${refused.length > 0 && html`<p class="notice bad">${count(sums.rejected, 'reading')} of ${count(refused.length, 'machine')} could not be used, most of
      ${' '}${refused.slice(0, 3).map(({ asset_id: id }) => html`<a href=${`#/machine/${encodeURIComponent(id)}`}>${id}</a> `)}.</p>`}
    ${!sums.scored && html`<p class="notice bad">Readings come, and none of them is scored.</p>`}
    <div class="wide"><table>
      <thead><tr><th>verdict</th><th class="number">readings</th><th class="number">part</th></tr></thead>
      <tbody>${Object.entries(sums).filter(([, n]) => n).sort((a, b) => b[1] - a[1]).map(([kind, n]) => html`
        <tr><td>${VERDICTS[kind] ?? kind}</td><td class="number">${n.toLocaleString('en')}</td><td class="number">${((100 * n) / all).toFixed(1)} %</td></tr>`)}</tbody>
    </table></div>`;
}

/** Messages that could not be used, one by one, the latest first. */
function Letters() {
  const [items, setItems] = useState([]);
  const [cursor, setCursor] = useState(null);
  const [problem, setProblem] = useState(null);
  const load = (after) => get(`${API}/dead-letters`, { cursor: after }).then((page) => {
    setItems((before) => (after ? [...before, ...page.items] : page.items));
    setCursor(page.next_cursor);
  }).catch((error) => setProblem(error.message));
  useEffect(() => { if (mayAct.value) load(null); }, [mayAct.value]);
  return html`
    <h2>Dead letters, latest first</h2>
    <${RoleNeeded} what="Reading them" />
    ${problem && html`<p class="notice">${problem}</p>`}
    ${items.length > 0 ? html`
      <${Table} heads=${['when', 'reason', 'machine', 'what came', 'where']}>${items.map((each) => html`
        <tr><td class="nowrap">${moment(each.received_at)}</td><td>${each.reason.replace(/_/g, ' ')}</td><td><b>${each.asset_id}</b></td>
          <td>${each.message}</td><td><code>${each.position}</code></td></tr>`)}<//>
      ${cursor && html`<button onClick=${() => load(cursor)}>Older ones</button>`}
      <p class="dim">What stood in one: <code>surgeline deadletter show</code> and its place.</p>`
      : mayAct.value && !problem && html`<p class="dim">None.</p>`}`;
}
