#!/bin/sh
# Builds the job image with rootless BuildKit and pushes it, unless the registry has it (IMAGE_MISSING=no).
#
# Needs IMAGE, IMAGE_MISSING, IMAGE_TAG and IMAGE_LOCK, as `python -m pipeline image status --env FILE` writes them, and
# GitLab's CI_REGISTRY, CI_REGISTRY_IMAGE, CI_REGISTRY_USER and CI_REGISTRY_PASSWORD. IMAGE_VARIANT, IMAGE_BASE and
# IMAGE_INDEX (a package index, without a password) may be set. Writes IMAGE, by digest, into image.env.
set -eu

: "${IMAGE:?}" "${IMAGE_MISSING:?}" "${IMAGE_TAG:?}" "${IMAGE_LOCK:?}"

case "$IMAGE_MISSING" in
  no)
    printf 'IMAGE=%s\n' "$IMAGE" > image.env
    printf '%s is in the registry: nothing to build\n' "$IMAGE"
    exit 0
    ;;
  yes) ;;
  *)
    printf 'error: IMAGE_MISSING must be yes or no; got %s: run image status first\n' "$IMAGE_MISSING" >&2
    exit 2
    ;;
esac

: "${CI_REGISTRY:?}" "${CI_REGISTRY_IMAGE:?}" "${CI_REGISTRY_USER:?}" "${CI_REGISTRY_PASSWORD:?}"

# What the job leaves behind must not hold the password: it lies in a folder that only this user reads, until the end.
private=$(mktemp -d)
trap 'rm -rf "$private"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
login=$(printf '%s:%s' "$CI_REGISTRY_USER" "$CI_REGISTRY_PASSWORD" | base64 | tr -d '\n')
(umask 077 && printf '{"auths":{"%s":{"auth":"%s"}}}\n' "$CI_REGISTRY" "$login" > "$private/config.json")
unset login
export DOCKER_CONFIG="$private"

set -- build --progress plain --frontend dockerfile.v0 \
  --local context=. --local dockerfile=docker \
  --opt "build-arg:VARIANT=${IMAGE_VARIANT:-cuda}" \
  --opt "build-arg:IMAGE_TAG=$IMAGE_TAG" \
  --opt "build-arg:LOCK_SHA256=$IMAGE_LOCK" \
  --opt "build-arg:COMMIT=${CI_COMMIT_SHA:-}" \
  --import-cache "type=registry,ref=$CI_REGISTRY_IMAGE/cache:${IMAGE_VARIANT:-cuda}" \
  --export-cache "type=registry,ref=$CI_REGISTRY_IMAGE/cache:${IMAGE_VARIANT:-cuda},mode=max,image-manifest=true,oci-mediatypes=true" \
  --output "type=image,name=$CI_REGISTRY_IMAGE:$IMAGE_TAG,push=true" \
  --metadata-file "$private/metadata.json"
if [ -n "${IMAGE_BASE:-}" ]; then set -- "$@" --opt "build-arg:BASE_IMAGE=$IMAGE_BASE"; fi
if [ -n "${IMAGE_INDEX:-}" ]; then set -- "$@" --opt "build-arg:PIP_EXTRA_INDEX_URL=$IMAGE_INDEX"; fi
buildctl-daemonless.sh "$@"

digest=$(sed -n 's/.*"containerimage\.digest": *"\(sha256:[0-9a-f]\{64\}\)".*/\1/p' "$private/metadata.json" | head -n 1)
if [ -z "$digest" ]; then
  echo 'error: BuildKit must tell the digest of what it pushed; got none: build again' >&2
  exit 75
fi
printf 'IMAGE=%s@%s\n' "$CI_REGISTRY_IMAGE" "$digest" > image.env
printf 'pushed %s@%s\n' "$CI_REGISTRY_IMAGE" "$digest"
