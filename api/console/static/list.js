// A list of rows of which only those in sight exist: thousands of machines scroll as ten do.

import { html, useEffect, useLayoutEffect, useRef, useState } from './html.js';

const AROUND = 8;
const NARROW = 760;
const WIDE_ROW = 40;
const NARROW_ROW = 92;

/**
 * @param {object} props
 * @param {string} props.name class of the list, and of its columns
 * @param {object[]} props.rows everything, in order
 * @param {(row: object) => string} props.keyOf what tells rows apart
 * @param {(row: object) => string} props.hrefOf where a row leads
 * @param {(row: object) => object} props.cells the cells of a row
 * @param {string[]} props.heads names of the columns
 * @param {string} props.label what the list is of
 */
export function List({ name, rows, keyOf, hrefOf, cells, heads, label }) {
  const box = useRef(null);
  const [view, setView] = useState({ top: 0, height: 600, narrow: innerWidth <= NARROW });
  const [at, setAt] = useState(-1);
  const rowHeight = view.narrow ? NARROW_ROW : WIDE_ROW;

  useLayoutEffect(() => {
    const measure = () =>
      setView({ top: box.current.scrollTop, height: box.current.clientHeight, narrow: innerWidth <= NARROW });
    measure();
    addEventListener('resize', measure);
    return () => removeEventListener('resize', measure);
  }, []);

  useEffect(() => {
    const move = (event) => {
      if (event.target.closest('input, select, textarea, dialog, button')) return;
      if (event.key === 'j' || event.key === 'k') {
        const next = Math.min(rows.length - 1, Math.max(0, at + (event.key === 'j' ? 1 : -1)));
        setAt(next);
        const [above, below] = [next * rowHeight, (next + 1) * rowHeight];
        if (above < box.current.scrollTop) box.current.scrollTop = above;
        if (below > box.current.scrollTop + view.height) box.current.scrollTop = below - view.height;
      } else if (event.key === 'Enter' && rows[at] && !event.target.closest('a')) {
        location.hash = hrefOf(rows[at]);
      }
    };
    addEventListener('keydown', move);
    return () => removeEventListener('keydown', move);
  }, [rows, at, view]);

  const first = Math.max(0, Math.floor(view.top / rowHeight) - AROUND);
  const last = Math.min(rows.length, Math.ceil((view.top + view.height) / rowHeight) + AROUND);
  const room = `min(${rows.length * rowHeight}px, calc(100vh - 230px))`;
  return html`
    <div class=${`list ${name}`}>
      <div class="head" aria-hidden="true">${heads.map((head) => html`<span>${head}</span>`)}</div>
      <div class="scroll" ref=${box} tabindex="0" role="group" aria-label=${label}
           style=${{ height: room, minHeight: `${rowHeight}px` }}
           onScroll=${(event) => setView({ ...view, top: event.target.scrollTop, height: event.target.clientHeight })}>
        <div style=${{ height: `${rows.length * rowHeight}px` }}>
          ${rows.slice(first, last).map((row, index) => html`
            <a key=${keyOf(row)} class=${`row ${first + index === at ? 'at' : ''}`} href=${hrefOf(row)}
               style=${{ top: `${(first + index) * rowHeight}px` }}>
              ${cells(row)}
            </a>`)}
        </div>
      </div>
    </div>`;
}
