#!/bin/sh
# Writes the lock files of the image from pyproject.toml; needs uv (in the extra `dev`).
set -eu
cd "$(dirname "$0")/../.."
lock() {
  # universal: one file for every Python and processor an image may have
  uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
    --no-annotate --custom-compile-command "make lock" "$@"
}
lock pyproject.toml --extra postgres --output-file deploy/docker/serving.lock
lock pyproject.toml --extra postgres --extra mlflow --output-file deploy/docker/serving-mlflow.lock
echo 'hatchling>=1.25' | lock - --output-file deploy/docker/build.lock
