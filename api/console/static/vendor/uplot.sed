# Leaves out of uPlot what the console does not draw: time axes, bars, splines, steps.
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
