// A file of readings, judged at once: flagged regions on its course, and a list of what is wrong with it.

import { API, sendFile } from './api.js';
import { Chart } from './charts.js';
import { Table, html, useState } from './html.js';
import { able } from './store.js';
import { count, reached, sensor, times } from './words.js';

const COURSES = 6;

export function Upload() {
  const [fleet, setFleet] = useState(able.value[0]?.fleet);
  const [sending, setSending] = useState(false);
  const [problem, setProblem] = useState(null);
  const [found, setFound] = useState(null);
  const machine = able.value.find((each) => each.fleet === fleet)?.machine_type;
  const submit = async (event) => {
    event.preventDefault();
    const file = new FormData(event.target).get('file');
    setSending(true);
    setProblem(null);
    setFound(null);
    await sendFile(`${API}/detect/csv`, { fleet, sensor_id: named(file.name) }, file)
      .then((answer) => setFound({ ...answer, name: file.name }), (error) => setProblem(error.status === 404 ? 'This api does not judge files.' : error.message));
    setSending(false);
  };
  if (!able.value.length) return null;
  return html`
    <h2>A file of yours</h2>
    <form class="form" onSubmit=${submit}>
      <label>CSV file <input type="file" name="file" accept=".csv,text/csv" required aria-describedby="columns" /></label>
      <label>Judged as fleet <select value=${fleet} onChange=${(event) => setFleet(event.target.value)}>${able.value.map((each) => html`<option>${each.fleet}</option>`)}</select></label>
      <div><button class="primary" disabled=${sending}>${sending ? 'Judging …' : 'Judge the file'}</button></div>
    </form>
    <p class="dim" id="columns">Nothing is stored, and no alarm is raised. Columns: ${machine
      ? [...machine.conditions, ...machine.channels.filter((channel) => channel.used)].map((each) => each.name).join(', ') : 'those of the machine type'};
      ${' '}asset_id, ${machine?.step.word ?? 'cycle'} and ts, if there are any.</p>
    ${problem && html`<p class="notice bad" role="alert">${problem}</p>`}
    ${found && html`<${Judged} found=${found} />`}`;
}

function Judged({ found }) {
  const flagged = (asset) => found.regions.filter((region) => region.sensor_id === asset.sensor_id);
  const assets = [...found.assets].sort((a, b) => flagged(b).length - flagged(a).length);
  return html`
    <p role="status"><b>${found.name}: ${found.regions.length ? count(found.regions.length, 'flagged region') : 'nothing is flagged'}.</b>${' '}
      ${count(found.rows, 'row')}, ${found.scored.toLocaleString('en')} of them scored, ${found.anomalous.toLocaleString('en')} anomalous.
      ${found.rows > 0 && !found.scored ? ` A score needs ${found.window_length} rows in a row.` : ''}</p>
    ${found.problems_total > 0 && html`<p class="notice bad">${count(found.problems_total, 'cell or row', 'cells and rows')} had something wrong; the list is below.</p>`}
    ${found.regions.length > 0 && html`
      <${Table} heads=${['machine', 'rows', 'level', 'worst', 'sensors']}>${found.regions.map((region) => html`
          <tr><td><b>${region.sensor_id}</b></td>
            <td>rows ${region.start_row} to ${region.end_row}${region.open ? ', the end' : ''}</td>
            <td><span class=${`badge ${region.level}`}>${region.level}</span></td>
            <td>${times(region.peak.severity)} in row ${region.peak.row}${surely(region.peak, found)}</td>
            <td>${region.channels.slice(0, 3).map((channel) => html`<span title=${channel.meaning}>${sensor(channel)}${channel.unit ? ` (${channel.unit})` : ''}</span> `)}</td></tr>`)}<//>`}
    ${assets.slice(0, COURSES).map((asset) => html`
      <${Chart} key=${asset.sensor_id} title=${`${asset.sensor_id}: severity, as a multiple of its warning threshold; flagged regions are shaded`} step="row" least=${1.4}
        data=${[asset.rows, asset.severities]} series=${[{ label: 'severity', colour: 's1', value: times }]}
        lines=${[{ at: 1, label: 'warning', colour: 'warning' }]}
        regions=${flagged(asset).map((region) => ({ from: region.start_row, to: region.end_row, colour: region.level }))} />`)}
    ${assets.length > COURSES && html`<p class="dim">and ${assets.length - COURSES} more machines</p>`}
    ${found.problems_total > 0 && html`
      <h2>What is wrong with the file</h2>
      <${Table} heads=${['line', 'column', 'there is', 'expected', 'so']}>${found.problems.map((each) => html`
          <tr><td>line ${each.line}</td><td>${each.column}</td><td><code>${each.received}</code></td><td>${each.expected}</td>
            <td>${each.effect === 'held' ? 'the value before stands in' : 'the row does not count'}</td></tr>`)}<//>
      ${found.problems_total > found.problems.length && html`<p class="dim">and ${found.problems_total - found.problems.length} more</p>`}`}
    ${found.ignored_columns.length > 0 && html`<p class="dim">Not read: ${found.ignored_columns.join(', ')}.</p>`}`;
}

/** What to call the machine of a file: its name, as far as a machine may be called so. */
const named = (name) => name.replace(/\.\w+$/, '').replace(/[^\w.-]+/g, '_').replace(/^[^A-Za-z0-9]+/, '').slice(0, 60) || 'file';

const surely = ({ confidence }, { confidence_windows: windows }) =>
  (confidence === null ? '' : `; ${reached(confidence)} healthy windows reach it (of ${windows})`);
