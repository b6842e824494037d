// What operators do about alarms: one dialog for all of it, its keys, and what came of it.

import { API, send } from './api.js';
import { html, signal, useEffect, useRef, useState } from './html.js';
import { mayAct, now, put, session } from './store.js';
import { count, isShelved } from './words.js';

const AT_ONCE = 500;
const UNDO_MS = 10_000;
const HOURS = [1, 8, 24];
const VERDICTS = [['true_alarm', 'true alarm'], ['false_alarm', 'false alarm'], ['unknown', 'don’t know']];

/** By name: key, word, what the text is called, whether it must be there, when it can be done. */
const ACTIONS = {
  acknowledge: { key: 'a', word: 'Acknowledge', field: 'note', text: 'Note', can: (alarm) => !alarm.acknowledged && alarm.state !== 'closed' },
  shelve: { key: 's', word: 'Shelve', field: 'reason', text: 'Reason', needed: true, can: (alarm) => alarm.standing && !isShelved(alarm, now.value) },
  unshelve: { word: 'Unshelve', field: 'note', text: 'Note', can: (alarm) => isShelved(alarm, now.value) },
  verdict: { key: 'v', word: 'Verdict', on: ' on', field: 'found', text: 'What was found', can: () => true },
  comment: { key: 'c', word: 'Comment', on: ' on', field: 'comment', text: 'Comment', needed: true, can: () => true },
  close: { word: 'Close', field: 'note', text: 'Why nothing more is to be done', needed: true, can: (alarm) => alarm.acknowledged && alarm.state !== 'closed' },
};

/** What is being asked of the operator: {name, alarms, done}, or null. */
const asked = signal(null);
/** What was just done: {text, undo}, or null. */
const said = signal(null);
let forgetting = null;

/** Say what was done, for ten seconds, with a way back where there is one. */
export function say(text, undo = null) {
  said.value = { text, undo };
  clearTimeout(forgetting);
  forgetting = setTimeout(() => { said.value = null; }, UNDO_MS);
}

/** Ask for what an action needs, if it can be done. Name 'more' offers all. */
export function askFor(name, alarms, done = () => {}) {
  const able = name === 'more' ? alarms : alarms.filter(ACTIONS[name].can);
  if (!mayAct.value) say(`Your key is a ${session.value.role}’s; this needs the role operator.`);
  else if (able.length) asked.value = { name, alarms: able, done };
  else say(`${ACTIONS[name].word}: not possible as it stands.`);
}

/** Do what a key stands for; return whether it stands for anything. */
export function actByKey(event, alarms, done) {
  const name = Object.keys(ACTIONS).find((each) => ACTIONS[each].key === event.key);
  if (!name || !alarms.length || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest('input:not([type=checkbox]), select, textarea, dialog')) return;
  event.preventDefault();
  askFor(name, alarms, done);
}

/** The buttons of one alarm. */
export function Buttons({ alarm }) {
  if (!mayAct.value) return null;
  return Object.entries(ACTIONS).filter(([, action]) => action.can(alarm)).map(([name, { key, word }]) => html`
    <button onClick=${() => askFor(name, [alarm])} aria-keyshortcuts=${key}>${word}${key && html` <kbd aria-hidden="true">${key}</kbd>`}</button>`);
}

/** Who may act, where the reader may not. */
export function RoleNeeded({ what }) {
  return !mayAct.value && html`<p class="notice">Your key is a ${session.value.role}’s. ${what} needs the role <b>operator</b>.</p>`;
}

async function act({ name, alarms }, body) {
  const path = `${API}/alarms/`;
  if (alarms.length === 1) {
    put([await send('POST', `${path}${encodeURIComponent(alarms[0].alarm_id)}/${name}`, body)]);
    return 1;
  }
  let done = 0;
  for (let from = 0; from < alarms.length; from += AT_ONCE) {
    const ids = alarms.slice(from, from + AT_ONCE).map((alarm) => alarm.alarm_id);
    done += (await send('POST', `${path}${name}`, { ...body, alarm_ids: ids })).acknowledged;
  }
  return done;
}

export function ActionDialog() {
  const box = useRef(null);
  const [problem, setProblem] = useState(null);
  const [sending, setSending] = useState(false);
  const { name, alarms, done } = asked.value ?? {};
  useEffect(() => {
    setProblem(null);
    if (name && !box.current.open) box.current.showModal();
  }, [asked.value]);
  if (!name) return html`<${Said} />`;
  const about = alarms.length === 1 ? alarms[0].asset_id : count(alarms.length, 'alarm');
  const close = () => box.current.close();
  const submit = async (event) => {
    event.preventDefault();
    const { operator, hours, recovery, verdict, text } = Object.fromEntries(new FormData(event.target));
    const body = { [ACTIONS[name].field]: text };
    if (operator) body.operator = keep(operator);
    if (hours) Object.assign(body, { duration_s: hours * 3600, ends_on_recovery: Boolean(recovery) });
    if (verdict) body.verdict = verdict;
    setSending(true);
    try {
      const n = await act({ name, alarms }, body);
      close();
      done();
      const undo = name === 'shelve' ? () => act({ name: 'unshelve', alarms }, { operator: body.operator }) : null;
      say(`${ACTIONS[name].word}: done for ${alarms.length > 1 ? `${n} of ${about}` : about}.`, undo);
    } catch (error) {
      setProblem(error.message);
    }
    setSending(false);
  };
  return html`
    <dialog ref=${box} onClose=${() => { asked.value = null; }} aria-labelledby="asked">
      <h1 id="asked">${name === 'more' ? about : `${ACTIONS[name].word}${ACTIONS[name].on ?? ''} ${about}`}</h1>
      ${alarms.length === 1 && html`<p class="dim">${alarms[0].reason}</p>`}
      ${name === 'more'
        ? html`<p class="bar"><${Buttons} alarm=${alarms[0]} /><button onClick=${close}>Cancel</button></p>`
        : html`<form onSubmit=${submit}>
            ${problem && html`<p class="notice bad" role="alert">${problem}</p>`}
            <${Fields} name=${name} />
            <p class="bar"><button class="primary" disabled=${sending}>${ACTIONS[name].word}${alarms.length > 1 ? ` ${alarms.length}` : ''}</button>
              <button type="button" onClick=${close}>Cancel</button></p>
          </form>`}
    </dialog>`;
}

function Fields({ name }) {
  const { text, needed } = ACTIONS[name];
  return html`
    ${name === 'shelve' && html`
      <fieldset><legend>For how long</legend>
        ${HOURS.map((hours) => html`<label class="choice"><input type="radio" name="hours" value=${hours} defaultChecked=${hours === 1} /> ${hours} h</label>`)}
        <label class="choice"><input type="checkbox" name="recovery" /> ends earlier when the alarm clears</label>
      </fieldset>`}
    ${name === 'verdict' && html`
      <fieldset><legend>Was the machine as the alarm said?</legend>
        ${VERDICTS.map(([value, word]) => html`<label class="choice"><input type="radio" name="verdict" required value=${value} /> ${word}</label>`)}
      </fieldset>`}
    <label>${text}${needed ? '' : ' (may be empty)'} <textarea name="text" rows="3" maxlength="2000" required=${needed} autofocus></textarea></label>
    <${NameField} />`;
}

/** Asks who it is, where no keys say so. */
export function NameField() {
  return !session.value.keys && html`<label>Your name <input name="operator" maxlength="100" autocomplete="name" defaultValue=${kept()} placeholder="local" /></label>`;
}

/** Says what was done, with a way back where there is one. */
function Said() {
  const { text, undo } = said.value ?? {};
  const back = () => undo().then(() => say('Undone.'), (error) => say(error.message));
  return html`<div class="said" role="status">${text && html`<p>${text} ${undo && html`<button onClick=${back}>Undo</button>`}</p>`}</div>`;
}

const NAME = 'surgeline.operator';

function kept() {
  try {
    return localStorage.getItem(NAME) ?? '';
  } catch {
    return '';
  }
}

/** Who it is, for what is done without a form. */
export const me = () => ({ operator: (!session.value.keys && kept()) || undefined });

export function keep(name) {
  try {
    localStorage.setItem(NAME, name);
  } catch {
    // a browser that keeps nothing asks again
  }
  return name;
}
