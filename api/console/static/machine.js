// One machine: the reason in a sentence, how bad over its run, which sensors, how long is left.

import { Buttons, RoleNeeded, actByKey } from './actions.js';
import { API, get, pages } from './api.js';
import { Chart } from './charts.js';
import { Readings, useEvidence } from './evidence.js';
import { Table, html, simulated, useEffect, useMemo, useState } from './html.js';
import { useSiblings } from './siblings.js';
import { alarms, assets, machineOf, now, stepOf } from './store.js';
import { EVIDENCE, VERDICTS, ago, count, direction, life, moment, number, quoted, sensor, standing, times, unscored } from './words.js';

const PAGE = 10_000;
const TOP = 5;
const EVERY_SENSOR = 40;

export function MachinePage({ about: [id], parameters }) {
  const asset = useRun(id, parameters.get('run'));
  const { rows, error } = useScores(id, asset?.run_id, asset?.last_cycle, machineOf(asset?.fleet)?.window_length ?? 1);
  const labels = useLabels(id, asset?.run_id);
  const mine = useMemo(
    () => [...alarms.value.values()].filter((alarm) => alarm.asset_id === id && alarm.run_id === asset?.run_id),
    [alarms.value, id, asset?.run_id],
  );
  const open = mine.find((alarm) => alarm.alarm_id === asset?.alarm?.alarm_id);
  const stories = useStories(mine);
  const last = rows.at(-1);
  const evidence = useEvidence(asset, open ?? (parameters.get('run') ? mine[0] : null));
  useEffect(() => {
    const press = (event) => { if (open) actByKey(event, [open]); };
    addEventListener('keydown', press);
    return () => removeEventListener('keydown', press);
  }, [open]);
  if (asset === null) return html`<h1>${id}</h1><p class="dim">Loading …</p>`;
  if (!asset) {
    return html`
      <h1>${id}</h1>
      <p class="empty">No machine of this name has been heard of. <a href="#/fleet">To the fleet</a></p>`;
  }
  const step = stepOf(asset.fleet);
  return html`
    <p class="dim"><a href="#/fleet">Fleet</a> › ${asset.fleet}</p>
    <${Title} asset=${asset} />
    ${open
      ? html`<p class="headline">${open.reason}</p>
          <p class="headline"><b>${standing(open, now.value)}</b></p>
          <div class="bar"><${Buttons} alarm=${open} /></div>
          <${RoleNeeded} what="Acknowledging and shelving" />`
      : html`<p class="headline dim">${unscored(asset) ? `Not being scored: ${unscored(asset)}.` : 'No alarm is open.'}</p>`}
    <${Figures} asset=${asset} alarm=${open} last=${last} step=${step} sure=${evidence.sure} />
    ${error && html`<p class="notice bad" role="alert">${error}</p>`}
    ${rows.length > 0 && html`<${Courses} rows=${rows} alarms=${mine} stories=${stories} asset=${asset} step=${step} labels=${labels} />`}
    <${Sensors} alarm=${open} last=${last} fleet=${asset.fleet} />
    <${Readings} ...${evidence} step=${step} shares=${last?.shares ?? {}} machine=${machineOf(asset.fleet)} />
    <${Verdicts} asset=${asset} />
    <${Timeline} stories=${stories} step=${step} />
    <${Runs} asset=${asset} />`;
}

/** The asset as its latest run has it, or as a run that is asked for has it; null while that is asked. */
function useRun(id, run) {
  const [found, setFound] = useState({});
  const latest = assets.value.get(id);
  const other = run && run !== latest?.run_id;
  useEffect(() => {
    if (!other) return;
    get(`${API}/assets`, { asset_id: id, run_id: run }).then((page) => page.items[0], () => undefined).then((asset) => setFound({ run, asset }));
  }, [id, run, other]);
  if (!other) return latest;
  return found.run === run ? found.asset : null;
}

/** The scores of a run, oldest first; what is new is added. The last `pending` may have become final, and are read again. */
function useScores(id, run, upTo, pending) {
  const [found, setFound] = useState({ key: '', rows: [], error: null });
  useEffect(() => {
    if (!run) return undefined;
    const stop = new AbortController();
    const key = `${id} ${run}`;
    const known = found.key === key ? found.rows : [];
    const since = (known.at(-pending) ?? known[0])?.ts ?? null;
    (async () => {
      const rows = known.slice(0, Math.max(0, known.findIndex((row) => row.ts === since)));
      const query = { asset_id: id, run_id: run, order: 'oldest', limit: PAGE, since };
      for await (const page of pages(`${API}/scores`, query, stop.signal)) {
        rows.push(...page.items);
      }
      setFound({ key, rows, error: null });
    })().catch((error) => {
      if (error.name !== 'AbortError') setFound({ key, rows: known, error: error.message });
    });
    return () => stop.abort();
  }, [id, run, upTo]);
  return found.key === `${id} ${run}` ? found : { rows: [], error: found.error };
}

/** What is known of a run's true anomalies; null until it is said. */
function useLabels(id, run) {
  const [found, setFound] = useState(null);
  useEffect(() => {
    setFound(null);
    if (!run) return undefined;
    const stop = new AbortController();
    get(`${API}/assets/${encodeURIComponent(id)}/labels`, { run_id: run }, stop.signal)
      .then(setFound, () => {}); // the course stands without them
    return () => stop.abort();
  }, [id, run]);
  return found;
}

function Title({ asset }) {
  const level = asset.alarm?.level ?? (unscored(asset) ? 'unscored' : 'quiet');
  return html`
    <div class="bar">
      <h1>${asset.asset_id}</h1>
      <span class=${`badge ${level}`}>${level === 'unscored' ? 'not scored' : level}</span>
      <span>run ${asset.run_id}</span>
      ${simulated(asset.simulated)}
      ${asset.dated_in_future && html`<span class="notice bad">its clock runs ahead: ${moment(asset.last_ts)}</span>`}
    </div>`;
}

function Figures({ asset, alarm, last, step, sure }) {
  const left = last?.life ?? alarm?.life;
  return html`
    <dl class="figures">
      <div><dt>Severity now</dt><dd>${times(asset.last_severity)} <small>of its warning threshold; at most ${times(asset.peak_severity)} in this run</small></dd></div>
      <div><dt>Since</dt><dd>${alarm ? `${step} ${alarm.onset_cycle}` : '–'} <small>${alarm ? `raised at ${moment(alarm.raised_ts)}` : 'no alarm is open'}</small></dd></div>
      ${alarm && html`<div><dt>How sure</dt><dd>${sure?.reach ?? 'not known'} <small>${sure ? `healthy windows reach this (of ${sure.windows.toLocaleString('en')} seen)` : 'the model has no table of healthy windows, or is another by now'}</small></dd></div>`}
      <div><dt>Held against it</dt><dd>${alarm ? EVIDENCE[alarm.evidence] : '–'}</dd></div>
      <div><dt>Left</dt><dd>${life(left, step, alarm?.life)} <small>${left ? 'in nine of ten cases; what the model was taught, not a promise' : 'the model knows no failures of such machines, or has too little to go by'}</small></dd></div>
      <div><dt>Last reading</dt><dd>${step} ${asset.last_cycle ?? '–'} <small>${moment(asset.last_ts)} (${ago(asset.last_ts, now.value)})</small></dd></div>
      <div><dt>Model</dt><dd><small>${last?.model ?? alarm?.model.name ?? '–'}</small></dd></div>
    </dl>`;
}

function Courses({ rows, alarms: mine, stories, asset, step, labels }) {
  const x = rows.map((row) => row.cycle);
  const marks = mine.flatMap((alarm) => [
    { x: alarm.onset_cycle, label: '◆', colour: 'warning' },
    ...(alarm.cleared_cycle === null ? [] : [{ x: alarm.cleared_cycle, label: 'cleared', colour: 'band' }]),
  ]);
  for (const alert of stories.flatMap((story) => story.alerts)) {
    if (alert.state !== 'cleared') marks.push({ x: alert.cycle, label: alert.state, colour: alert.level });
  }
  const truths = {
    regions: (labels?.items ?? []).map((each) => ({ from: each.first_cycle, to: each.last_cycle, colour: 'band' })),
    shaded: `true anomaly, by the data set's labels${labels?.disputed ? `, which are disputed: ${labels.disputed}` : ''}`,
  };
  const severity = rows.map((row) => row.severity);
  const { median, machines } = useSiblings(asset, x);
  const named = topSensors(rows);
  const lives = rows.map((row) => row.life);
  return html`
    <h2>Course of run ${asset.run_id}</h2>
    ${rows.some((row) => row.final_score !== null) ? html`
      <${Chart} title="Score at once, final score, and the threshold when the reading came (◆ where the final score crossed it)" step=${step} marks=${marks} ...${truths}
        data=${[x, ...['score', 'final_score', 'warning_threshold'].map((name) => rows.map((row) => row[name]))]}
        series=${[{ label: 'score at once', colour: 's1', width: 1 }, { label: 'final score', colour: 's4', width: 2 }, { label: 'threshold', colour: 'warning', dash: [5, 4] }]} />
      <p class="dim">A reading's final score is the mean over all windows it is in: known later. Alarms are of final scores, by the threshold that holds then.</p>` : html`
    <${Chart} title="Severity, as a multiple of its warning threshold (◆ where the data crossed it)" step=${step} least=${1.4} marks=${marks} ...${truths}
      data=${machines ? [x, severity, median] : [x, severity]} lines=${[{ at: 1, label: 'warning', colour: 'warning' }]}
      series=${[{ label: 'severity', colour: 's1', value: times },
        ...(machines ? [{ label: `median of ${machines} others of ${asset.fleet}`, colour: 's5', dash: [3, 3], value: times }] : [])]} />`}
    ${lives.some(Boolean) && html`
      <${Chart} title=${`Remaining life, ${step}s: most likely, and in nine of ten cases`} step=${step} marks=${[]}
        data=${[x, lives.map((one) => one?.high ?? null), lives.map((one) => one?.low ?? null), lives.map((one) => one?.expected ?? null)]}
        bands=${[{ series: [1, 2], fill: 'band' }]}
        series=${[
          { label: 'at most', colour: 'band', width: 0.8 },
          { label: 'at least', colour: 'band', width: 0.8 },
          { label: 'most likely', colour: 's1' },
        ]} />`}
    ${named.length > 0 && html`
      <${Chart} title="Whose the severity is: share of the sensors that have had most" step=${step} marks=${marks.filter((mark) => mark.label === 'raised')}
        data=${[x, ...named.map((name) => rows.map((row) => row.shares[name] ?? null))]}
        series=${named.map((name, index) => ({ label: name, colour: `s${index + 1}`, value: (value) => `${Math.round(100 * value)} %` }))} />`}`;
}

/** The sensors with the largest shares over the last readings. */
function topSensors(rows) {
  const sums = new Map();
  for (const row of rows.slice(-EVERY_SENSOR)) {
    for (const [name, share] of Object.entries(row.shares)) sums.set(name, (sums.get(name) ?? 0) + share);
  }
  return [...sums].sort((a, b) => b[1] - a[1]).slice(0, TOP).map(([name]) => name);
}

function Sensors({ alarm, last, fleet }) {
  const machine = machineOf(fleet);
  const meanings = new Map((machine?.channels ?? []).map((channel) => [channel.name, channel]));
  const channels = alarm?.channels
    ?? Object.entries(last?.shares ?? {}).sort((a, b) => b[1] - a[1]).map(([name, share]) => ({ name, share }));
  if (!channels.length) return null;
  return html`
    <h2>Sensors ${alarm ? 'when the alarm last changed' : 'at the last reading'}</h2>
    <${Table} heads=${['sensor', 'what it measures', 'unit', 'share', 'reads']}>${channels.map((channel) => html`
        <tr>
          <td><b>${channel.direction ? sensor(channel) : channel.name}</b></td>
          <td>${meanings.get(channel.name)?.meaning ?? ''}</td>
          <td>${meanings.get(channel.name)?.unit ?? ''}</td>
          <td class="nowrap"><meter value=${channel.share} max="1" aria-label=${`share of ${channel.name}`}></meter> ${Math.round(100 * channel.share)} %</td>
          <td>${channel.direction ? direction(channel) : ''}</td>
        </tr>`)}<//>`;
}

function Verdicts({ asset }) {
  const counts = Object.entries(asset.verdicts).filter(([, n]) => n);
  return html`
    <h2>Its readings</h2>
    <p>${counts.map(([kind, n]) => `${VERDICTS[kind] ?? kind} ${n.toLocaleString('en')}`).join(' · ')}
      ${asset.runs > 1 && ` · ${asset.runs} runs are stored`}</p>`;
}

/** The asset's other runs, the last to arrive first, each with its alarms. */
function Runs({ asset: { asset_id: id, run_id: shown, runs } }) {
  const [page, setPage] = useState({ items: [] });
  useEffect(() => {
    get(`${API}/assets/${encodeURIComponent(id)}/runs`).then(setPage, () => {});
  }, [id, runs]);
  const others = page.items.filter((run) => run.run_id !== shown);
  if (!others.length) return null;
  const mine = [...alarms.value.values()].filter((alarm) => alarm.asset_id === id);
  return html`
    <h2>Other runs</h2>
    <ul class="timeline">${others.map((run) => {
      const [first, ...more] = mine.filter((alarm) => alarm.run_id === run.run_id);
      return html`
      <li><a href=${`#/machine/${encodeURIComponent(id)}?run=${encodeURIComponent(run.run_id)}`}>${run.run_id}</a> to ${stepOf(run.fleet)} ${run.last_cycle ?? '?'}, at most ${times(run.peak_severity)}
        ${first && html`. <span class=${`badge ${first.level}`}>${first.level}</span> raised ${moment(first.raised_ts)}
        ${first.cleared_ts ? `, cleared ${moment(first.cleared_ts)}` : ''}${first.verdict ? `, ${first.verdict.verdict.replace('_', ' ')}${quoted(first.verdict.why)}` : ''}
        ${more.length > 0 && html` · ${count(more.length, 'further alarm')}`}`}</li>`;
    })}
    </ul>${page.next_cursor && html`<p class="dim">There are earlier ones.</p>`}`;
}

const ALARMS_TOLD = 20;

/** The alarms of a run with their alerts and what operators did; fetched again when one changes. */
function useStories(mine) {
  const [stories, setStories] = useState([]);
  const told = mine.slice(0, ALARMS_TOLD);
  useEffect(() => {
    const stop = new AbortController();
    Promise.all(told.map((alarm) => get(`${API}/alarms/${encodeURIComponent(alarm.alarm_id)}`, {}, stop.signal)))
      .then(setStories)
      .catch(() => {}); // the alarms above are there without it
    return () => stop.abort();
  }, [told.map((alarm) => `${alarm.alarm_id} ${alarm.version}`).join()]);
  return stories;
}

const DID = { judged: 'gave a verdict on', commented: 'commented on' };

function Timeline({ stories, step }) {
  // where a replay's clock runs ahead, alerts stand at the moment they arrived: people acted after them
  const items = stories.flatMap(({ alerts, events, raised_ts: raised, arrived_at: arrived }) => [
    ...events.map((event) => ({ at: event.at, event })).reverse(),
    ...alerts.map((alert) => ({ at: arrived && raised > arrived ? arrived : alert.ts, alert })).reverse(),
  ]);
  if (!items.length) return null;
  items.sort((a, b) => new Date(b.at) - new Date(a.at));
  return html`
    <h2>What happened, latest first</h2>
    <ol class="timeline">${items.map(({ alert, event }) => html`
      <li>${alert ? html`<${Told} alert=${alert} step=${step} />` : html`<${Done} event=${event} />`}</li>`)}
    </ol>`;
}

function Told({ alert, step }) {
  return html`
    <b>${alert.state}</b> <span class=${`badge ${alert.state === 'cleared' ? 'cleared' : alert.level}`}>${alert.level}</span>
    ${' '}${step} ${alert.cycle}, ${moment(alert.ts)} · severity ${number(alert.severity)}
    <br /><span class="dim">${alert.reason}</span>`;
}

function Done({ event }) {
  return html`
    ● <b>${event.who}</b> ${DID[event.action] ?? event.action} it${event.verdict ? `: ${event.verdict.replace('_', ' ')}` : ''}${quoted(event.why)},
    ${' '}${moment(event.at)}${event.until ? ` · until ${moment(event.until)}${event.ends_on_recovery ? ', or until it clears' : ''}` : ''}`;
}
