#!/bin/sh
# Installs what the tests need beside Python: gitlab-ci-local (npm) and rsync, which it calls, a browser and, where
# PART=containers asks for its tests, a daemon of containers; and a C++ compiler, by which PyTorch compiles passes. Where
# that is not possible it says so, and the tests of the part are skipped with that reason.
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
command -v "${CXX:-g++}" > /dev/null || apt g++ || echo "note: the tests of compiled passes are skipped: install g++" >&2
command -v npm > /dev/null || apt nodejs npm ||
    echo "note: the tests of the GitLab pipeline are skipped: install Node.js 20 with npm" >&2
if [ "${PART:-}" = containers ]; then
    if ! unshare --net --mount --pid --fork true 2> /dev/null; then
        echo "note: the tests of containers are skipped: this machine lets us have no namespaces of our own" >&2
    else
        for program in /usr/bin/docker dockerd docker-registry debootstrap iptables slirp4netns; do
            command -v "$program" > /dev/null || absent=yes
        done
        [ -z "${absent:-}" ] || apt docker.io docker-registry debootstrap iptables slirp4netns ||
            echo "note: the tests of containers do not run: install docker.io docker-registry debootstrap slirp4netns" >&2
    fi
fi
if command -v npm > /dev/null && [ ! node_modules/.package-lock.json -nt package-lock.json ]; then
    npm ci --no-audit --no-fund --loglevel=error ||
        echo "note: the tests of the GitLab pipeline are skipped: npm ci failed" >&2
fi
exit 0
