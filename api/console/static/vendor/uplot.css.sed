# Leaves out of uPlot's style what the console does not draw, or says itself.
s/\/\*[^*]*\*\///g
s/\.uplot, [^}]*}//
s/font-family: [^;]*;//
s/\.u-title[^}]*}//
s/\.u-inline:not[^}]*}//
s/, \.u-vt [^ ]*//g
s/\([:;,]\) /\1/g
s/ {/{/g
s/;}/}/g
