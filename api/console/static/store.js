// What the pages show: fetched from the API, kept fresh by its stream, held in signals.

import { API, get, pages } from './api.js';
import { batch, computed, signal } from './html.js';
import { rank, unscored } from './words.js';

/** @type {import('./vendor/signals.js').Signal<Map<string, object>>} assets by id */
export const assets = signal(new Map());
/** Alarms by id: the latest alert of each, with when it was raised. */
export const alarms = signal(new Map());
export const fleets = signal([]);
export const readiness = signal(null);
export const now = signal(Date.now());
/** 'connecting', 'live' or 'broken': what the stream is. */
export const stream = signal('connecting');
export const problem = signal(null);
export const loaded = signal(false);
/** When the assets on the page were fetched, ms. */
export const fetchedAt = signal(0);
export const brokenSince = signal(0);

const ASSETS_PAGE = 1000;
const ALERTS_KEPT = 10_000;
const MANY = 1000;
const FAST_MS = 3000;
const SLOW_MS = 20_000;

/** Assets, worst first: level, severity, then the longest alarmed, then name. */
export const urgent = computed(() => {
  const rows = [...assets.value.values()].map((asset) => ({
    asset,
    alarm: asset.alarm ? alarms.value.get(asset.alarm.alarm_id) || null : null,
    why: unscored(asset),
  }));
  return rows.sort(
    (a, b) =>
      rank(b.asset.alarm?.level) - rank(a.asset.alarm?.level) ||
      Number(b.why !== null) - Number(a.why !== null) ||
      (b.asset.last_severity ?? -1) - (a.asset.last_severity ?? -1) ||
      a.asset.asset_id.localeCompare(b.asset.asset_id, 'en', { numeric: true }),
  );
});

/** How many are critical, in warning, quiet, not scored. */
export const tally = computed(() => {
  const counts = { critical: 0, warning: 0, quiet: 0, unscored: 0 };
  for (const { asset, why } of urgent.value) {
    if (asset.alarm) counts[asset.alarm.level] += 1;
    else if (why !== null) counts.unscored += 1;
    else counts.quiet += 1;
  }
  return counts;
});

/** What a fleet's machines are, or null. */
export function machineOf(fleet) {
  return fleets.value.find((each) => each.fleet === fleet)?.machine_type ?? null;
}

export function stepOf(fleet) {
  return machineOf(fleet)?.step.word ?? 'cycle';
}

/** Load everything once, then stay live. */
export async function start() {
  setInterval(() => { now.value = Date.now(); }, 1000);
  await Promise.all([attempt(loadFleets), attempt(loadAlerts), attempt(loadAssets), attempt(loadReadiness)]);
  loaded.value = true;
  follow();
  keepFresh();
  setInterval(() => attempt(loadReadiness), 10_000);
  setInterval(() => attempt(loadFleets), 60_000);
}

async function attempt(work) {
  try {
    await work();
    if (problem.value?.work === work.name) problem.value = null;
  } catch (error) {
    problem.value = { work: work.name, message: error.message };
  }
}

async function loadFleets() {
  fleets.value = (await get(`${API}/machines`)).items;
}

async function loadReadiness() {
  readiness.value = await get('/ready');
}

async function loadAssets() {
  const found = new Map();
  for await (const page of pages(`${API}/assets`, { limit: ASSETS_PAGE })) {
    for (const asset of page.items) found.set(asset.asset_id, asset);
  }
  batch(() => {
    assets.value = found;
    fetchedAt.value = Date.now();
  });
}

async function loadAlerts() {
  const found = [];
  for await (const page of pages(`${API}/alerts`, { limit: 1000 })) {
    found.push(...page.items);
    if (found.length >= ALERTS_KEPT) break;
  }
  alarms.value = found.reverse().reduce(taken, new Map());
}

/** Put an alert into its alarm; of several messages the highest sequence holds. */
function taken(known, alert) {
  const before = known.get(alert.alarm_id);
  const later = !before || alert.alarm_sequence >= before.alarm_sequence;
  const raised = alert.state === 'raised' ? alert : before?.raised ?? null;
  known.set(alert.alarm_id, { ...(later ? alert : before), raised });
  return known;
}

function keepFresh() {
  const pause = () => (assets.value.size > MANY ? SLOW_MS : FAST_MS);
  const again = async () => {
    if (!document.hidden) await attempt(loadAssets);
    setTimeout(again, pause());
  };
  setTimeout(again, pause());
}

function follow() {
  const source = new EventSource(`${API}/alerts/stream`);
  source.onopen = () => {
    stream.value = 'live';
  };
  source.onerror = () => {
    if (stream.value !== 'broken') brokenSince.value = Date.now();
    stream.value = 'broken';
  };
  for (const state of ['raised', 'escalated', 'cleared']) {
    source.addEventListener(state, (event) => take(JSON.parse(event.data)));
  }
}

let refreshing = null;

function take(alert) {
  alarms.value = taken(new Map(alarms.value), alert);
  clearTimeout(refreshing);
  refreshing = setTimeout(() => attempt(loadAssets), assets.value.size > MANY ? 2000 : 300);
}
