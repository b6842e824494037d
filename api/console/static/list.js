// A list of rows of which only those in sight exist: thousands of machines scroll as ten do.

import { html, useLayoutEffect, useRef, useState } from './html.js';

const AROUND = 8;
const NARROW = 1020;
const WIDE_ROW = 40;
const NARROW_ROW = 104;
const NARROW_TALL = 150;

/**
 * @param {object} props
 * @param {string} props.name class of the list, and of its columns
 * @param {object[]} props.rows everything, in order
 * @param {(row: object) => string} props.keyOf what tells rows apart
 * @param {(row: object) => string} props.hrefOf where a row leads
 * @param {(row: object) => object} props.cells the cells of a row
 * @param {string[]} props.heads names of the columns
 * @param {string} props.label what the list is of
 * @param {(row: object) => object} [props.before] what stands before a row's link, such as a checkbox
 * @param {(row: object) => object} [props.after] what stands after it, such as buttons
 * @param {(event: KeyboardEvent, row: object?) => void} [props.onKey] a key, and the row that is marked
 */
export function List({ name, rows, keyOf, hrefOf, cells, heads, label, before, after, onKey }) {
  const box = useRef(null);
  const [view, setView] = useState({ top: 0, height: 600, narrow: innerWidth <= NARROW });
  const [at, setAt] = useState(-1);
  const drawn = useRef(0);
  const rowHeight = !view.narrow ? WIDE_ROW : after ? NARROW_TALL : NARROW_ROW;

  useLayoutEffect(() => {
    const measure = () =>
      setView({ top: box.current.scrollTop, height: box.current.clientHeight, narrow: innerWidth <= NARROW });
    measure();
    addEventListener('resize', measure);
    return () => {
      removeEventListener('resize', measure);
      clearTimeout(drawn.current);
    };
  }, []);

  // in a task of its own: that of the scroll goes on to layout and paint, and both together take too long
  const scrolled = () => {
    clearTimeout(drawn.current);
    drawn.current = setTimeout(() => setView((before) => ({ ...before, top: box.current.scrollTop, height: box.current.clientHeight })));
  };

  // keys may come quicker than the page is drawn: what is marked is known at once
  const marked = useRef(-1);
  const mark = (index) => { marked.current = index; setAt(index); };

  useLayoutEffect(() => {
    const move = (event) => {
      const at = marked.current;
      if (event.target.closest('input:not([type=checkbox]), select, textarea, dialog')) return;
      if (event.key === 'j' || event.key === 'k') {
        const next = Math.min(rows.length - 1, Math.max(0, at + (event.key === 'j' ? 1 : -1)));
        mark(next);
        const [above, below] = [next * rowHeight, (next + 1) * rowHeight];
        if (above < box.current.scrollTop) box.current.scrollTop = above;
        if (below > box.current.scrollTop + view.height) box.current.scrollTop = below - view.height;
      } else if (event.key === 'Enter' && rows[at] && !event.target.closest('a, button, input')) {
        location.hash = hrefOf(rows[at]);
      } else {
        onKey?.(event, rows[at]);
      }
    };
    addEventListener('keydown', move);
    return () => removeEventListener('keydown', move);
  }, [rows, view, onKey]);

  const first = Math.max(0, Math.floor(view.top / rowHeight) - AROUND);
  const last = Math.min(rows.length, Math.ceil((view.top + view.height) / rowHeight) + AROUND);
  const room = `min(${rows.length * rowHeight}px, calc(100vh - 230px))`;
  return html`
    <div class=${`list ${name}`}>
      <div class="head" aria-hidden="true">${heads.map((head) => html`<span>${head}</span>`)}</div>
      <div class="scroll" ref=${box} tabindex="0" role="group" aria-label=${label}
           style=${{ height: room, minHeight: `${rowHeight}px` }}
           onScroll=${scrolled}>
        <div style=${{ height: `${rows.length * rowHeight}px` }}>
          ${rows.slice(first, last).map((row, index) => html`
            <div key=${keyOf(row)} class=${`line ${first + index === at ? 'at' : ''}`}
                 style=${{ top: `${(first + index) * rowHeight}px`, height: `${rowHeight}px` }} onFocusIn=${() => mark(first + index)}>
              ${before?.(row)}
              <a class="row" href=${hrefOf(row)}>${cells(row)}</a>
              ${after?.(row)}
            </div>`)}
        </div>
      </div>
    </div>`;
}
