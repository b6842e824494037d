// What the pages show: fetched from the API, kept fresh by its stream, held in signals.

import { API, get, pages, send } from './api.js';
import { batch, computed, signal } from './html.js';
import { rank, unscored } from './words.js';

/** @type {import('@preact/signals').Signal<Map<string, object>>} assets by id */
export const assets = signal(new Map());
/** Alarms by id, as they stand: what the detector says, and what operators did. */
export const alarms = signal(new Map());
/** Who is logged in, and what they may do. */
export const session = signal(null);
export const mayAct = computed(() => ['operator', 'admin'].includes(session.value?.role));
export const fleets = signal([]);
export const readiness = signal(null);
export const now = signal(Date.now());
/** 'connecting', 'live', 'broken', or 'lost' where what was missed must be fetched: what the stream is. */
export const stream = signal('connecting');
export const problem = signal(null);
/** Whether the worst machines are here, and whether all are, with all alarms. */
export const loaded = signal(false);
export const whole = signal(false);
/** When the assets on the page were fetched, ms. */
export const fetchedAt = signal(0);
export const brokenSince = signal(0);

const WORST = 100;
const ASSETS_PAGE = 1000;
const ALARMS_KEPT = 10_000;
const FEW = 5;
const MANY = 1000;
const FAST_MS = 3000;
const SLOW_MS = 20_000;

/** Assets, worst first: level, what nobody has seen, severity, then name. */
export const urgent = computed(() => {
  const known = alarms.value;
  const rows = [...assets.value.values()].map((asset) => {
    const alarm = asset.alarm ? known.get(asset.alarm.alarm_id) || null : null;
    const why = unscored(asset);
    // one number for what is compared a hundred thousand times
    const urgency = 4 * rank(asset.alarm?.level) + 2 * !seen(alarm) + (why !== null);
    return { asset, alarm, why, urgency, severity: asset.last_severity ?? -1 };
  });
  return rows.sort(
    (a, b) => b.urgency - a.urgency || b.severity - a.severity || NAMES.compare(a.asset.asset_id, b.asset.asset_id),
  );
});

const NAMES = new Intl.Collator('en', { numeric: true });

const seen = (alarm) => Boolean(alarm?.acknowledged || alarm?.shelved);

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

/** How many alarms ask for somebody. */
export const open = computed(() => [...alarms.value.values()].filter((alarm) => alarm.standing).length);

/** Fleets whose model can be read, those with most machines first. */
export const able = computed(() => {
  const machines = {};
  for (const { fleet } of assets.value.values()) machines[fleet] = (machines[fleet] ?? 0) + 1;
  return fleets.value.filter((each) => !each.problem).sort((a, b) => (machines[b.fleet] ?? 0) - (machines[a.fleet] ?? 0));
});

/** What a fleet's machines are, or null. */
export function machineOf(fleet) {
  return fleets.value.find((each) => each.fleet === fleet)?.machine_type ?? null;
}

export function stepOf(fleet) {
  return machineOf(fleet)?.step.word ?? 'cycle';
}

/** Load the worst, then everything, and stay live. Where nobody is logged in, that comes first. */
export async function start() {
  await attempt(loadSession);
  if (!session.value) return setTimeout(start, FAST_MS);
  if (!session.value.logged_in) return undefined;
  setInterval(() => { now.value = Date.now(); }, 1000);
  attempt(loadReadiness); // it may take as long as what does not answer
  await Promise.all([attempt(loadFleets), attempt(loadAlarms), attempt(loadAssets)]);
  loaded.value = true;
  follow();
  await Promise.all([attempt(loadAlarms), attempt(loadAssets)]);
  whole.value = true;
  if (changed.size) refresh();
  keepFresh();
  setInterval(() => attempt(loadReadiness), 10_000);
  setInterval(() => attempt(loadFleets), 60_000);
  return undefined;
}

export async function logIn(key) {
  await send('POST', `${API}/login`, { key });
  location.reload();
}

export async function logOut() {
  await send('POST', `${API}/logout`);
  location.reload();
}

async function attempt(work) {
  if (session.value?.logged_in === false) return;
  try {
    await work();
    if (problem.value?.work === work.name) problem.value = null;
  } catch (error) {
    if (error.status === 401) session.value = { ...session.value, logged_in: false };
    problem.value = { work: work.name, message: error.message };
  }
}

async function loadSession() {
  session.value = await get(`${API}/session`);
}

async function loadFleets() {
  fleets.value = (await get(`${API}/machines`)).items;
}

async function loadReadiness() {
  readiness.value = await get('/ready');
}

/** All machines; at first only the worst, more than a screen of them. */
async function loadAssets() {
  const found = new Map();
  const known = assets.value;
  let news = false;
  for await (const page of pages(`${API}/assets`, loaded.value ? { limit: ASSETS_PAGE } : { limit: WORST, order: 'urgency' })) {
    for (const asset of page.items) {
      // what is as it was stays what it was: ten thousand new objects are work for the garbage collector
      const before = known.get(asset.asset_id);
      const is = same(before, asset) ? before : asset;
      news ||= is !== before;
      found.set(asset.asset_id, is);
    }
    if (!loaded.value) break;
  }
  batch(() => {
    if (news || found.size !== known.size) assets.value = found;
    fetchedAt.value = Date.now();
  });
}

/** Whether two answers say the same. */
function same(a, b) {
  if (a === b) return true;
  if (!a || !b || typeof a !== 'object' || typeof b !== 'object') return false;
  const names = Object.keys(b);
  return names.length === Object.keys(a).length && names.every((name) => same(a[name], b[name]));
}

/** All alarms, worst first; at first only a page of them. */
async function loadAlarms() {
  const found = new Map();
  for await (const page of pages(`${API}/alarms`, { limit: loaded.value ? 500 : WORST })) {
    for (const alarm of page.items) found.set(alarm.alarm_id, alarm);
    if (!whole.value) put(page.items); // rows wait for theirs
    if (!loaded.value || found.size >= ALARMS_KEPT) break;
  }
  alarms.value = found;
}

/** Put alarms as they now stand in their places. */
export function put(items) {
  const known = new Map(alarms.value);
  for (const alarm of items) known.set(alarm.alarm_id, alarm);
  alarms.value = known;
}

function keepFresh() {
  const pause = () => (assets.value.size > MANY ? SLOW_MS : FAST_MS);
  const again = async () => {
    if (!document.hidden) await attempt(loadAssets);
    setTimeout(again, pause());
  };
  setTimeout(again, pause());
}

const EVENTS = 'raised escalated cleared acknowledged commented shelved unshelved closed judged '
  + 'maintenance_planned maintenance_changed maintenance_ended';

function follow() {
  const source = new EventSource(`${API}/alarms/stream`);
  source.onopen = () => {
    if (stream.value === 'lost') refresh('*');
    stream.value = 'live';
  };
  source.onerror = () => {
    if (stream.value === 'live' || stream.value === 'connecting') brokenSince.value = Date.now();
    // a browser gives up a stream that was refused: begin anew, and fetch what was missed
    const lost = source.readyState === EventSource.CLOSED || stream.value === 'lost';
    stream.value = lost ? 'lost' : 'broken';
    if (source.readyState === EventSource.CLOSED && session.value.logged_in) setTimeout(follow, FAST_MS);
  };
  for (const name of EVENTS.split(' ')) {
    // maintenance of a fleet names no asset
    source.addEventListener(name, (event) => refresh(JSON.parse(event.data).asset_id ?? '*'));
  }
}

const changed = new Set();
let refreshing = null;

/** Fetch what changed, once all is here; many changes at once cost one fetch. */
function refresh(asset) {
  if (asset) changed.add(asset);
  if (!whole.value) return;
  refreshing ??= setTimeout(async () => {
    refreshing = null;
    const ids = [...changed];
    changed.clear();
    await attempt(ids.length > FEW || ids.includes('*') ? loadAlarms : async function loadAlarms() {
      const found = await Promise.all(ids.map((id) => get(`${API}/alarms`, { asset_id: id, limit: 500 })));
      put(found.flatMap((page) => page.items));
    });
    await attempt(loadAssets);
  }, assets.value.size > MANY ? 2000 : 300);
}
