#!/usr/bin/env bash
# checkov on what the chart renders, and on the Dockerfile: every finding fails but those excused here.

set -euo pipefail
cd "$(dirname "$0")/../.."

tests/chart/tools.sh chart
tests/chart/tools.sh audit

excused=(
  CKV_K8S_21 # The namespace is given to helm, not written into objects.
  CKV_K8S_43 # Tags are fixed; image.digest is the operator's to set for their own registry.
  CKV_K8S_15 # A fixed tag needs no new pull at every start.
  CKV_K8S_11 # A hub that is throttled is late for everybody: no limit of the processor, on purpose.
  CKV_K8S_35 # The hub reads its secrets from variables, and never shows its environment.
)
# The pod of `helm test` makes one request and is gone.
of_a_test=(CKV_K8S_8 CKV_K8S_9 CKV2_K8S_6)
# Kubernetes asks the hub itself; there is no shell in the image to ask with.
of_the_image=(CKV_DOCKER_2)

join() {
  local IFS=,
  echo "$*"
}

check() {
  target/audit/bin/checkov --quiet --compact --skip-download "$@"
}

rendered=target/audit/rendered
rm -rf "$rendered"
mkdir -p "$rendered/all" "$rendered/test"
trial=config.auth.jwks_url=https://id.example.com/jwks.json,store.kind=postgres
trial+=,postgres.enabled=true,postgres.auth.existingSecret=postgres,nats.enabled=true

render() {
  local name=$1
  shift
  target/chart/bin/helm template live helm "$@" --no-hooks >"$rendered/all/$name.yaml"
  target/chart/bin/helm template live helm "$@" --show-only templates/tests/ready.yaml \
    >"$rendered/test/$name.yaml"
}
for values in helm/values-*.yaml; do
  render "$(basename "$values" .yaml)" --values "$values"
done
render trial --set "$trial"

check --framework kubernetes --directory "$rendered/all" --skip-check "$(join "${excused[@]}")"
check --framework kubernetes --directory "$rendered/test" \
  --skip-check "$(join "${excused[@]}" "${of_a_test[@]}")"
check --framework dockerfile --file Dockerfile --skip-check "$(join "${of_the_image[@]}")"
echo "audit: $(find "$rendered" -name '*.yaml' | wc -l) files and the Dockerfile, nothing found that is not excused"
