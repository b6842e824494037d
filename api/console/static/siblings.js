// What other machines of the fleet were like at the same point of their run: the median of their severity.

import { API, get, offered } from './api.js';
import { useEffect, useMemo, useState } from './html.js';
import { assets } from './store.js';

const MOST = 16;
const FEWEST = 3;
const POINTS = 200;

/** Medians at the steps of x, null where fewer than three machines came so far: {median, machines}. */
export function useSiblings(asset, x) {
  const [courses, setCourses] = useState([]);
  useEffect(() => {
    setCourses([]);
    if (!asset) return undefined;
    const stop = new AbortController();
    Promise.all(chosen(asset).map((other) =>
      offered(get(`${API}/scores/plot`, { asset_id: other.asset_id, run_id: other.run_id, points: POINTS }, stop.signal))))
      .then((found) => setCourses(found.filter(Boolean).map((one) => one.points)))
      .catch(() => {}); // the machine's own course stands without it
    return () => stop.abort();
  }, [asset?.asset_id, asset?.run_id]);
  const median = useMemo(() => medians(courses, x), [courses, x.length]);
  return { machines: courses.length, median };
}

/** Siblings, spread evenly over the fleet's names. */
function chosen({ asset_id: own, fleet }) {
  const others = [...assets.value.values()].filter((each) => each.fleet === fleet && each.asset_id !== own && each.last_severity !== null);
  const every = Math.max(1, others.length / MOST);
  return others.length < FEWEST ? [] : Array.from({ length: Math.min(MOST, others.length) }, (_, n) => others[Math.floor(n * every)]);
}

/** Median over machines of the latest severity at or before each step of x. */
export function medians(courses, x) {
  const places = courses.map(() => 0);
  return x.map((step) => {
    const values = courses.flatMap((points, which) => {
      while (places[which] + 1 < points.length && points[places[which] + 1].cycle <= step) places[which] += 1;
      const [at, end] = [points[places[which]], points.at(-1)];
      return at && at.cycle <= step && step <= end.cycle && at.severity !== null ? [at.severity] : [];
    }).sort((a, b) => a - b);
    if (values.length < FEWEST) return null;
    const middle = values.length >> 1;
    return values.length % 2 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
  });
}
