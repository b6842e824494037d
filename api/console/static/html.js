// The one place where the page's libraries meet: markup, hooks and signals for all modules.

import { h, htm } from './vendor/libraries.js';

export { batch, computed, effect, render, signal, useEffect, useLayoutEffect, useMemo, useRef, useState } from './vendor/libraries.js';
export const html = htm.bind(h);

/** A table whose rows become cards on a narrow screen; of the heads, the last may be for ears only. */
export function Table({ heads, ears, children }) {
  return html`
    <div class="wide"><table class="stack">
      <thead><tr>${heads.map((head) => html`<th>${head}</th>`)}${ears && html`<th><span class="hidden">${ears}</span></th>`}</tr></thead>
      <tbody>${children}</tbody>
    </table></div>`;
}

/** Marks what comes from a simulator, if it does. */
export const simulated = (is) => is && html`<span class="simulated">SIMULATED</span>`;
