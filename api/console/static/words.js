// How numbers, times and states are said: one place, so that every page says them alike.

const RANK = { none: 0, warning: 1, critical: 2 };

/** Words for what became of readings, as a person says them. */
export const VERDICTS = {
  scored: 'scored',
  warming_up: 'warming up',
  gap: 'after a gap',
  late: 'late',
  duplicate: 'repeated',
  unknown_regime: 'conditions no model knows',
  rejected: 'refused',
};

export const EVIDENCE = {
  degradation: 'many sensors, a little each',
  channel: 'one sensor, much',
  frozen: 'a sensor does not move',
  life: 'little life is left',
  silent: 'no reading came in time',
  unscored: 'readings came, and no score in time',
};

export function rank(level) {
  return RANK[level] ?? 0;
}

/** '1.9×' of the warning threshold. */
export function times(severity) {
  if (severity === null || severity === undefined) return '–';
  return `${severity >= 100 ? Math.round(severity) : severity.toFixed(severity >= 10 ? 1 : 2)}×`;
}

export function number(value, digits = 3) {
  if (value === null || value === undefined) return '–';
  return Number(value.toPrecision(digits)).toLocaleString('en');
}

export function count(n, one, many = `${one}s`) {
  return `${n.toLocaleString('en')} ${n === 1 ? one : many}`;
}

/** How many healthy windows reach what so many of them stay below. */
export function reached(confidence) {
  const reach = 1000 * (1 - confidence);
  return `${reach < 1 ? 'fewer than 1' : Math.round(reach)} in 1,000`;
}

/** 'T50 ↑' with its share; the arrow has words for who cannot see it. */
export function sensor(channel) {
  return `${channel.name} ${channel.direction === 'high' ? '↑' : '↓'}`;
}

export function direction(channel) {
  const where = channel.direction === 'high' ? 'above' : 'below';
  const said = `${where} its healthy level`;
  if (!channel.against) return said;
  return `${said}, yet ${channel.against === 'high' ? 'above' : 'below'} what this state should give`;
}

/** How long is left, from a score's life, or an alert's, which knows how far the model looks. */
export function life(left, step, known = left) {
  if (!left) return 'not known';
  const [low, high] = [Math.round(left.low), Math.round(left.high)];
  if (known?.at_least && left.high >= known.high) return `more than ${low} ${step}s`;
  return low === high ? `${low} ${step}s` : `${low} to ${high} ${step}s`;
}

// Swedish writes 2026-01-31 12:00:00, which no reader takes for another day
const CLOCK = new Intl.DateTimeFormat('sv-SE', { timeStyle: 'medium' });
const DAY = new Intl.DateTimeFormat('sv-SE', { dateStyle: 'short', timeStyle: 'medium' });

export function clock(moment) {
  return CLOCK.format(moment);
}

/** Date, time and zone. */
export function moment(text) {
  if (!text) return '–';
  const when = new Date(text);
  return `${DAY.format(when)} ${zone(when)}`;
}

/** The zone of this screen, such as 'UTC+1'. */
export function zone(now = new Date()) {
  const minutes = -now.getTimezoneOffset();
  if (!minutes) return 'UTC';
  const [hours, rest] = [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60];
  return `UTC${minutes < 0 ? '−' : '+'}${hours}${rest ? `:${String(rest).padStart(2, '0')}` : ''}`;
}

/** '12 min ago', or 'in 3 h' where a clock runs ahead. */
export function ago(text, now) {
  if (!text) return '';
  const seconds = Math.round((now - new Date(text).getTime()) / 1000);
  const size = Math.abs(seconds);
  if (size < 5) return 'now';
  const [amount, unit] = inUnits(size);
  return seconds < 0 ? `in ${amount} ${unit}` : `${amount} ${unit} ago`;
}

export const lasting = (seconds) => inUnits(Math.round(seconds)).join(' ');

function inUnits(seconds) {
  if (seconds < 60) return [seconds, 's'];
  if (seconds < 3600) return [Math.floor(seconds / 60), 'min'];
  return seconds < 172800 ? [Math.floor(seconds / 3600), 'h'] : [Math.floor(seconds / 86400), 'days'];
}

/** ' (12 min ago)' behind a step; nothing where a replay's clock runs ahead of ours. */
export function sinceThen(text, now) {
  return text && new Date(text).getTime() <= now ? ` (${ago(text, now)})` : '';
}

/** Why an asset has no score, in words; null where it has one. */
export function unscored(asset) {
  if (asset.silent) return asset.silent.reason;
  if (asset.last_severity !== null) return null;
  const counts = Object.entries(asset.verdicts).filter(([kind, n]) => n && kind !== 'scored');
  if (asset.verdicts.scored) return null;
  const kinds = counts.sort((a, b) => b[1] - a[1]);
  if (!kinds.length) return 'no reading so far';
  const [kind, n] = kinds[0];
  if (kind === 'warming_up') return `warming up: ${count(n, 'reading')} so far`;
  if (kind === 'unknown_regime') return `no model knows its operating conditions (${count(n, 'reading')})`;
  if (kind === 'rejected') return `its readings are refused (${n.toLocaleString('en')}): see the dead letters`;
  return `${VERDICTS[kind]} (${count(n, 'reading')})`;
}

export function isShelved(alarm, now) {
  return Boolean(alarm.shelved) && new Date(alarm.shelved.until) > now;
}

/** Words for where an alarm stands with people: seen, set aside, closed. */
export function standing(alarm, now) {
  const { acknowledgement: seen, shelved, out_of_service: out, closed } = alarm;
  if (closed) return `closed by ${closed.who}${quoted(closed.why)}`;
  const words = alarm.state === 'cleared' ? ['cleared'] : [];
  if (isShelved(alarm, now)) words.push(`shelved until ${ending(shelved.until, now)} by ${shelved.who}${quoted(shelved.why)}`);
  if (out && new Date(out.until) > now) words.push(`out of service until ${ending(out.until, now)}${quoted(out.reason)}`);
  words.push(seen ? `acknowledged by ${seen.who}${quoted(seen.why)}` : 'unacknowledged');
  return words.join(' · ');
}

export function quoted(text) {
  return text ? ` “${text}”` : '';
}

function ending(until, now) {
  const left = Math.max(0, Math.round((new Date(until) - now) / 1000));
  return `${left < 86400 ? clock(new Date(until)).slice(0, 5) : moment(until)} (${lasting(left)} left)`;
}
