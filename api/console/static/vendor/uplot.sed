# Leaves out of uPlot what the console does not draw: time axes, bars, splines, steps;
s/^const FEAT_TIME          = true;/const FEAT_TIME = false;/
/(paths\.\(stepped\|bars\|spline\) /d
/uPlot\.\(fmtDate\|tzDate\|join\|rangeAsinh\) /d
s/let isTime = .*;/const isTime = false;/
s/scaleX\.time/false/
s/^\tconst _tzDate  = .*//
s/^\tconst _fmtDate = .*//
s/^\tconst _timeAxisSplits = .*//
s/^\tconst _timeAxisVals   = .*//
s/^\tconst _timeSeriesVal  = .*//
/^const \[ timeIncrs/d
s/isTime ?/false ?/
s/isTime && sc.distr == 1 ?/false ?/
s/= \(days\|months\)\.map(slice3)/= []/
s/^const localTz = .*/const localTz = null;/
# scales that are not linear, and plots of scattered points;
s/\b\w*\.*distr *== *\(2\|3\|4\|100\)\b/false/g
s/\bsc\.distr *>= *3 *&& *sc\.log *== *10/false/g
s/\bscaleX\.distr != 2/true/g
s/\bxScaleDistr *== *[234]/false/g
s/\bmode == 1\b/true/g
s/\bmode == 2\b/false/g
/^uPlot\.\(assign\|fmtNum\|rangeNum\|rangeLog\|orient\|pxRatio\) /d
/^	uPlot\.\(addGap\|clipGaps\) /d
/^\t\(distr\|log\|asinh\):/d
/sc\.clamp = /d
s/log ? positiveIdxs : nonNullIdxs/nonNullIdxs/
s/log ? isPositive : notNullish/notNullish/
/assign({}, facet, {scale/d
s/\bbase == 10/true/g
/^genIncrs(2, /d
/^const wholeIncrs = /d
# an x axis that stands upright;
s/\b\(scaleX\|sx\)\.ori == 0/true/g
s/\bscaleX\.ori == 1/false/g
s/\bori == 0 ? rectH : rectV/rectH/
/^const drawAccV = /d
s/let rotSrc = .*/const rotSrc = false;/
# scales that run backwards or follow another;
s/\b\(scaleOpts\|sc\|wsc\)\.from != null/false/g
s/\b\(sc\|wsc\)\.from == null/true/g
s/\b\(scale\|sc\)\.dir == -1/false/g
s/const dir = scaleX\.dir .*/const dir = 1;/
s/\(^\|[ (]\)dir == 1/\1true/g
s/\(^\|[ (]\)dir == -1/\1false/g
# ranges: each y scale of ours brings its own, x holds its data, and a single step has one on either side;
s/if (scaleKey != xScaleKey || (false && !isTime))/if (false)/
s/let rangeIsArr = .*/const rangeIsArr = false;/
s/\[_min, _max\] = rangeNum(_min, _max, rangePad, true)/[_min, _max] = [_min - 1, _max + 1]/
s/: snapNumY)/: null)/
# labels and turned numbers of axes;
s/\baxis\.label != null/false/g
s/axis\._rotate = side == 2 .*/axis._rotate = 0;/
/let angle = /d
s/\bangle\b/0/
s/\[axis\.font, axis\.labelFont\]/[axis.font]/
/^\t\t\taxis\.labelFont = /d
/^\tlabelFont,/d
/^\tlabel\(Gap\|Size\):/d
s/^const font  .*/const font = "12px system-ui";/
s/let _parts = .*/const _parts = [val];/
s/isArr(axis\.incrs)/false/
s/isArr(av) && !isArr(av\[0\]) ?/false ?/
s/axis\.align == [12] ?/false ?/
s/axis\.alignTo == 2 ?/false ?/
# legends of several values a series; what can be hidden, and never is;
/^\tlet multiValLegend = /d
/multiValLegend = getMultiVals != null;/d
s/\bmultiValLegend\b/false/g
s/^\tconst show\(Legend\|Cursor\) = .*/\tconst show\1 = true;/
s/\b\(markers\|select\|axis\|ticks\|grid\|legend\)\.show\b/true/g
s/\bborder\.show\b/false/g
s/\blegend\.live\b/true/g
s/\blegend\.isolate\b/false/g
s/if (cursor\.[xy])/if (true)/
s/\b\(pt\|then\) instanceof HTMLElement/true/
s/\bs\.label instanceof HTMLElement/false/
# series that are focused or faded, cursors that are locked;
/^\tconst \(cursorFocus\|cursorOnePt\|focus\) = /d
s/\b\(cursorFocus\|cursorOnePt\)\b/false/g
/^\tfocus: {/,/^\t},/d
s/\bopts\.focus != null/false/
/let shouldAlpha = /d
s/\bshouldAlpha\b/false/
s/if (ctxAlpha != .*)$/if (false)/
/cursor\._lock = \|^\t*ctxAlpha = 1;$/d
s/\bcursor\._*lock\b/false/g
# drags along y;
/^\tlet dragY = /d
s/dragX = dragY = drag\._x = drag\._y = false/dragX = drag._x = false/
s/dragX = dragY = true/dragX = true/
s/dragY = \(true\|sdrag\._y\|rawDY.*\|drag\.y.*\);/;/
/drag\._y = dragY;/d
s/drag\._y = false/false/
s/\bdragY\b/false/g
s/\bdrag\.y\b/false/g
s/\blet uni = .*/const uni = null;/
# round corners, shapes of one's own, gaps that are spanned;
s/endRad == 0 && baseRad == 0/true/
/^function rect(ori)/,/^}/s/ori == 0/true/
s/\b\(stroke\|fill\)Path instanceof Map/false/
s/getBBox = points\.bbox/getBBox = null/
s/let withProx = .*/const withProx = false;/
s/if (cursor\.dataIdx == null)/if (true)/
s/pxRoundGen([^)p]*)/round/
s/pxRoundGen(\(s\.\)*pxAlign);/round;/
s/\(\bs\.\|[^._]\b\)pxAlign == 1/ true/
s/const alignGaps = .*/const alignGaps = 0;/
s/!series\.spanGaps/true/
s/ || retNull;/;/
# hooks but draw, plugins, what changes a plot that is drawn, cursors of other scales, old browsers.
/^\t*fire("draw"/!s/^\(\t*\)fire("[^;]*;/\1;/
s/^\(\t*\)_fire !== false && fire.*/\1;/
/(opts\.plugins || \[\])/,/^\t});/d
/^\tself\.\(addSeries\|delSeries\|addBand\|setBand\|delBand\|batch\|setLegend\|valToIdx\|posToIdx\|setSelect\|setSeries\|setScale\|status\) = /d
s/^\t\tself\.status = 1;//
/^\tself\.\(redraw\|setCursor\) = /,/^\t};/d
/^\tObject\.defineProperty(self, 'rect'/,/^\t});/d
/^\tevents\["setSeries"\] = /,/^\t};/d
s/\bsyncOpts\.setSeries\b/false/g
s/if (syncOpts\.filters\.\(pub\|sub\)(.*))$/if (true)/
/^\t\tfilters: {/,/^\t\t},/d
/^\t\tmatch: \[/d
/^\tif (syncOpts\.match\.length/,/push/d
/let \[matchXKeys, matchYKeys\]/d
s/\bmatch[XY]Keys([^)]*)/true/g
s/\b[xy]KeySrc != null/true/
/^\tconst seriesIdxMatcher/d
/^\taddClass(root, opts\.class)/d
/addClass(\(row\|pt\), s\.class)/d
s/if (opts\.\(id != null\|title\))/if (false)/
s/const drawOrder = .*/const drawOrder = [drawAxesGrid, drawSeries];/
/^	on(dppxchange, win, () => {/d
/^uPlot\.sync = /d
s/^const domEnv = .*/const domEnv = true;/
s/^const microTask = .*/const microTask = queueMicrotask;/
s/o instanceof TypedArray/false/
/^const TypedArray = /d
