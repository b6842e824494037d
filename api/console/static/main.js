// The frame around every page: navigation, the state of the connection, keys.

import { ActionDialog } from './actions.js';
import { AlarmsPage } from './alarms.js';
import { FleetPage } from './fleet.js';
import { HealthPage } from './health.js';
import { html, render, signal, useEffect, useRef } from './html.js';
import { LoginPage } from './login.js';
import { MachinePage } from './machine.js';
import { MaintenancePage } from './maintenance.js';
import { ReplayPage } from './replay.js';
import { brokenSince, loaded, logOut, now, open, problem, session, start, stream, whole } from './store.js';
import { WhatIfPage } from './whatif.js';
import { clock, zone } from './words.js';

const PAGES = [
  ['fleet', 'Fleet', FleetPage],
  ['alarms', 'Alarms', AlarmsPage],
  ['maintenance', 'Maintenance', MaintenancePage],
  ['replay', 'Replay', ReplayPage],
  ['whatif', 'What if', WhatIfPage],
  ['health', 'Health', HealthPage],
];

const here = signal(place());

/** What the address says: a page, what it is about, and parameters. */
function place() {
  const [path, query] = location.hash.replace(/^#\/?/, '').split('?');
  const [page, ...rest] = path.split('/');
  return { page: page || 'fleet', about: rest.map(decodeURIComponent), parameters: new URLSearchParams(query) };
}

addEventListener('hashchange', () => {
  here.value = place();
  document.querySelector('main')?.focus({ preventScroll: true });
  scrollTo(0, 0);
});

const THEMES = ['auto', 'light', 'dark'];
const theme = signal(stored('theme', 'auto'));

function stored(name, otherwise) {
  try {
    return localStorage.getItem(`surgeline.${name}`) || otherwise;
  } catch {
    return otherwise;
  }
}

function nextTheme() {
  theme.value = THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length];
  try {
    localStorage.setItem('surgeline.theme', theme.value);
  } catch {
    // a browser that keeps nothing shows the theme until it is closed
  }
  paint();
}

function paint() {
  if (theme.value === 'auto') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme.value;
}

function Lamp() {
  if (stream.value === 'live') return html`<span class="lamp live">live</span>`;
  if (stream.value === 'connecting') return html`<span class="lamp connecting">connecting</span>`;
  const seconds = Math.round((now.value - brokenSince.value) / 1000);
  return html`<span class="lamp broken">not live for ${seconds} s, trying again</span>`;
}

function Top() {
  const { page } = here.value;
  return html`
    <header class="top">
      <a class="brand" href="#/fleet">Surgeline</a>
      <nav aria-label="Pages">
        ${PAGES.map(([name, title]) => html`
          <a href=${`#/${name}`} aria-current=${page === name ? 'page' : null}>
            ${title}${name === 'alarms' && open.value ? html` <b>${open.value}</b><span class="hidden"> open</span>` : ''}
          </a>`)}
      </nav>
      <div class="state">
        <span role="status"><${Lamp} /></span>
        ${session.value?.keys && session.value.logged_in && html`
          <span class="nowrap">${session.value.who} (${session.value.role})</span>
          <button class="plain" onClick=${logOut}>Log out</button>`}
        <time class="dim nowrap">${clock(now.value)} ${zone()}</time>
        <button class="plain" onClick=${nextTheme} aria-label=${`Theme: ${theme.value}. Change it`}>◐</button>
        <button class="plain" onClick=${() => { help.value = true; }} aria-label="Keys and help">?</button>
      </div>
    </header>`;
}

const help = signal(false);

function Help() {
  const box = useRef(null);
  useEffect(() => {
    if (help.value) box.current.showModal();
  }, [help.value]);
  if (!help.value) return null;
  const close = () => { help.value = false; };
  return html`
    <dialog ref=${box} onClose=${close} aria-labelledby="keys">
      <h1 id="keys">Keys</h1>
      <table>
        <tbody>
          <tr><td><kbd>/</kbd></td><td>find a machine</td></tr>
          <tr><td><kbd>j</kbd> <kbd>k</kbd></td><td>down, up in a list</td></tr>
          <tr><td><kbd>Enter</kbd></td><td>open what is marked</td></tr>
          <tr><td><kbd>x</kbd></td><td>select, or not, what is marked</td></tr>
          <tr><td><kbd>a</kbd> <kbd>s</kbd> <kbd>v</kbd> <kbd>c</kbd></td><td>acknowledge, shelve, give a verdict, comment</td></tr>
          <tr><td><kbd>g</kbd> then <kbd>f</kbd> <kbd>a</kbd> <kbd>m</kbd> <kbd>r</kbd> <kbd>w</kbd> <kbd>h</kbd></td><td>go to fleet, alarms, maintenance, replay, what if, health</td></tr>
          <tr><td><kbd>?</kbd></td><td>this help</td></tr>
        </tbody>
      </table>
      <p>Severity is a score over its own warning threshold: 1× is a warning, for every model and machine.</p>
      <p><a href="/docs">The API behind this page</a></p>
      <button onClick=${() => box.current.close()}>Close</button>
    </dialog>`;
}

let going = false;

addEventListener('keydown', (event) => {
  const typing = event.target.closest('input:not([type=checkbox]), select, textarea, dialog');
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (going) {
    going = false;
    event.stopImmediatePropagation(); // g a is a page, and acknowledges nothing
    const found = PAGES.find(([name]) => name[0] === event.key);
    if (found) location.hash = `#/${found[0]}`;
    return;
  }
  if (event.key === 'g') going = true;
  else if (event.key === '?') help.value = true;
  else if (event.key === '/') {
    const find = document.querySelector('input[type=search]');
    if (!find) return;
    event.preventDefault();
    find.focus();
  }
});

function App() {
  const { page, about, parameters } = here.value;
  const known = PAGES.find(([name]) => name === page);
  const Page = page === 'machine' ? MachinePage : known?.[2];
  useEffect(() => {
    document.title = `${page === 'machine' ? about[0] : known?.[1] ?? 'Not found'} · Surgeline`;
  }, [page, about[0]]);
  const stranger = session.value?.logged_in === false;
  return html`
    <a class="skip" href="#main" onClick=${(event) => { event.preventDefault(); document.querySelector('main').focus(); }}>Skip to the content</a>
    ${!stranger && html`<${Top} />`}
    <main tabindex="-1" id="main">
      ${problem.value && !stranger && html`<p class="notice bad" role="alert">${problem.value.message}</p>`}
      ${stranger ? html`<${LoginPage} />` : !(page === 'fleet' ? loaded : whole).value ? html`<p class="dim">Loading machines and alarms …</p>`
        : Page ? html`<${Page} about=${about} parameters=${parameters} />`
          : html`<p>There is no page “${page}”. <a href="#/fleet">To the fleet</a></p>`}
    </main>
    <${Help} />
    <${ActionDialog} />`;
}

paint();
start();
const root = document.getElementById('app');
root.replaceChildren();
render(html`<${App} />`, root);
