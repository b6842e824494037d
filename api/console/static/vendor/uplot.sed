# Leaves out of uPlot what the console does not draw: time axes, bars, splines, steps;
s/^const FEAT_TIME          = true;/const FEAT_TIME = false;/
/(paths\.\(stepped\|bars\|spline\) /d
/uPlot\.\(fmtDate\|tzDate\|join\|rangeAsinh\) /d
s/let isTime = .*;/const isTime = false;/
s/^\tconst _tzDate  = .*//
s/^\tconst _fmtDate = .*//
s/^\tconst _timeAxisSplits = .*//
s/^\tconst _timeAxisVals   = .*//
s/^\tconst _timeSeriesVal  = .*//
/^const \[ timeIncrs/d
s/isTime ?/false ?/
s/isTime && sc.distr == 1 ?/false ?/
# scales that are not linear, and plots of scattered points;
s/\b\w*\.*distr *== *\(2\|3\|4\|100\)\b/false/g
s/\bsc\.distr *>= *3 *&& *sc\.log *== *10/false/g
s/\bscaleX\.distr != 2/true/g
s/\bxScaleDistr *== *[234]/false/g
s/\bmode == 1\b/true/g
s/\bmode == 2\b/false/g
/^uPlot\.\(assign\|fmtNum\|rangeNum\|rangeLog\|orient\|pxRatio\) /d
/^	uPlot\.\(addGap\|clipGaps\) /d
# an x axis that stands upright.
s/\b\(scaleX\|sx\)\.ori == 0/true/g
s/\bscaleX\.ori == 1/false/g
s/\bori == 0 ? rectH : rectV/rectH/
