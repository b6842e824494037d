#!/bin/sh
# Replays C-MAPSS if its files are mounted, else the simulator. Further arguments go to the producer.
set -eu
if [ -e "${SURGELINE_DATA_DIR:?}/test_FD001.txt" ] || [ -e "$SURGELINE_DATA_DIR/cmapss/test_FD001.txt" ]; then
  dataset=FD001
else
  dataset=SIM
  echo "no C-MAPSS files in $SURGELINE_DATA_DIR: replaying SIMULATED engines" >&2
fi
exec python -m producer replay --dataset "$dataset" --progress none "$@"
