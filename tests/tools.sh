#!/bin/sh
# Installs what the tests need beside Python: gitlab-ci-local (npm) and rsync, which it calls, and a browser. Where that is
# not possible it says so, and the tests of the pipeline or of the pages are skipped with that reason.
set -u
cd "$(dirname "$0")/.." || exit 1

apt() { # PACKAGE...
    if [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
        export DEBIAN_FRONTEND=noninteractive
        apt-get install --yes --no-install-recommends "$@" > /dev/null 2>&1 ||
            { apt-get update > /dev/null 2>&1 && apt-get install --yes --no-install-recommends "$@" > /dev/null; }
    else
        false
    fi
}

command -v rsync > /dev/null || apt rsync ||
    echo "note: the tests of the GitLab pipeline are skipped: install rsync" >&2
command -v chromium > /dev/null || command -v chromium-browser > /dev/null || command -v google-chrome > /dev/null ||
    apt chromium || echo "note: the tests of the pages are skipped: install Chromium" >&2
command -v npm > /dev/null || apt nodejs npm ||
    echo "note: the tests of the GitLab pipeline are skipped: install Node.js 20 with npm" >&2
if command -v npm > /dev/null && [ ! node_modules/.package-lock.json -nt package-lock.json ]; then
    npm ci --no-audit --no-fund --loglevel=error ||
        echo "note: the tests of the GitLab pipeline are skipped: npm ci failed" >&2
fi
exit 0
