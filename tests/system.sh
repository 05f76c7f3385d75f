#!/bin/sh
# Makes sure that system packages the tests need are there: system.sh PACKAGE...
# Installs what is missing where that is possible, and otherwise says what to type.
set -eu
missing=""
for package in "$@"; do
    case $package in
        chromium) command -v chromium >/dev/null || command -v chromium-browser >/dev/null \
            || command -v google-chrome >/dev/null || missing="$missing chromium fonts-dejavu-core" ;;
        graphviz) command -v dot >/dev/null || missing="$missing graphviz" ;;
        g++) { command -v gcc && command -v g++; } >/dev/null || missing="$missing g++" ;;
        r-cran-reticulate) Rscript -e 'library(reticulate)' >/dev/null 2>&1 \
            || missing="$missing r-base-core r-cran-reticulate" ;;
        *) dpkg -s "$package" >/dev/null 2>&1 || missing="$missing $package" ;;
    esac
done
[ -z "$missing" ] && exit 0
if command -v apt-get >/dev/null; then
    if [ "$(id -u)" = 0 ]; then
        apt-get update -qq
        # shellcheck disable=SC2086
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
        exit 0
    fi
    echo "error: missing:$missing; type: sudo apt-get install$missing" >&2
else
    echo "error: missing:$missing; install them with this system's package manager" >&2
fi
exit 1
