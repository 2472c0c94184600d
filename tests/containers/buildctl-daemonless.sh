#!/bin/sh
# Has the daemon's BuildKit do what docker/build.sh asks of buildctl, which Debian does not package. The caches are not
# passed on: a daemon exports none to a registry.
set -eu
previous="" image="" metadata=""
for word; do
    shift
    case "$previous" in
      --opt) set -- "$@" --build-arg "${word#build-arg:}" ;;
      --output) image=${word#*name=} image=${image%%,*} ;;
      --metadata-file) metadata=$word ;;
    esac
    previous=$word
done
DOCKER_BUILDKIT=1 "$DOCKER" build --progress plain --file docker/Dockerfile --tag "$image" "$@" .
"$DOCKER" push "$image"
digest=$("$DOCKER" image inspect --format '{{index .RepoDigests 0}}' "$image")
printf '{"containerimage.digest": "%s"}\n' "${digest#*@}" > "$metadata"
