#!/usr/bin/env bash
# A private Kubernetes API server on free ports of 127.0.0.1, with its etcd and its controllers.
# Objects are admitted, stored and reconciled; there is no node, so no pod ever runs.
#
#   kube.sh install   the programs and the custom kinds of others, in a cache, if they are missing
#   kube.sh kinds     where the definitions of those kinds are
#   kube.sh run       a server, until the standard input ends
#
# `run` prints the path of a kubeconfig when the server is ready. `install` builds from Go modules,
# which takes minutes and Go 1.21 or later, so the cache is outside of the checkout: SYNCLINE_CACHE, or
# ~/.cache/syncline.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

KUBERNETES=1.36.3
ETCD=3.6.16
GATEWAY_API=1.6.3
PROMETHEUS_OPERATOR=0.85.0

cache=${SYNCLINE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/syncline}/kube-$KUBERNETES-$ETCD
bin=$cache/bin
kinds=$cache/kinds-$GATEWAY_API-$PROMETHEUS_OPERATOR

# module DIR: a module of our own, since `go install` takes none with replacements.
module() {
  mkdir -p "$1" && cd "$1"
  export GOFLAGS="-buildvcs=false -mod=mod -p=2"
}

build_etcd() (
  module "$cache/src/etcd"
  printf 'module local/etcd\n\ngo 1.26.0\n\nrequire go.etcd.io/etcd/server/v3 v%s\n' "$ETCD" >go.mod
  printf '//go:build tools\n\npackage tools\n\nimport _ "go.etcd.io/etcd/server/v3"\n' >tools.go
  go build -trimpath -ldflags "-s -w" -o "$bin/etcd" go.etcd.io/etcd/server/v3
)

# Its own requirements and replacements, with the published modules for those in its tree.
build_kubernetes() (
  local source staging=v0.${KUBERNETES#1.} stamp=k8s.io/component-base/version program
  source=$(module_dir "k8s.io/kubernetes@v$KUBERNETES")
  module "$cache/src/kubernetes"
  {
    printf 'module local/kubernetes\n\n'
    grep -E '^go ' "$source/go.mod"
    grep -E '^godebug' "$source/go.mod" || true
    printf '\nrequire k8s.io/kubernetes v%s\n\n' "$KUBERNETES"
    sed -n '/^require (/,/^)/p' "$source/go.mod" |
      sed -E "s#(k8s.io/[a-z-]+) v0\\.0\\.0( |\$)#\\1 $staging\\2#"
    echo 'replace ('
    sed -nE "s#^\\s*(k8s.io/[a-z-]+) => ./staging.*#  \\1 => \\1 $staging#p" "$source/go.mod"
    echo ')'
  } >go.mod
  cp --no-preserve=mode "$source/go.sum" go.sum
  for program in kube-apiserver kube-controller-manager; do
    go build -trimpath -o "$bin/$program" -ldflags "-s -w -X $stamp.gitVersion=v$KUBERNETES
      -X $stamp.gitMajor=1 -X $stamp.gitMinor=$(cut -d. -f2 <<<"$KUBERNETES")" \
      "k8s.io/kubernetes/cmd/$program"
  done
)

# module_dir NAME@VERSION: where the module's files are, fetched if they are not.
module_dir() {
  (cd / && GOFLAGS=-mod=mod go mod download -json "$1") |
    sed -nE 's/^[[:space:]]*"Dir": "(.*)",?$/\1/p'
}

# The custom kinds that the chart may use.
copy_kinds() {
  local gateway operator
  gateway=$(module_dir "sigs.k8s.io/gateway-api@v$GATEWAY_API")
  operator=$(module_dir "github.com/prometheus-operator/prometheus-operator@v$PROMETHEUS_OPERATOR")
  rm -rf "$kinds.new" && mkdir -p "$kinds.new"
  cp --no-preserve=mode -t "$kinds.new" \
    "$gateway"/config/crd/standard/gateway.networking.k8s.io_httproutes.yaml \
    "$operator"/example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml \
    "$operator"/example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml &&
    rm -rf "$kinds" && mv "$kinds.new" "$kinds"
}

is_installed() {
  [ -x "$bin/etcd" ] && [ -x "$bin/kube-apiserver" ] && [ -x "$bin/kube-controller-manager" ] &&
    [ -d "$kinds" ]
}

install_all() {
  is_installed && return 0
  . "$(dirname "$(readlink -f "$0")")/../needs.sh"
  need_go >&2
  command -v curl >/dev/null || install curl >&2
  command -v openssl >/dev/null || install openssl >&2
  mkdir -p "$bin"
  (
    flock 9
    [ -x "$bin/etcd" ] || build_etcd >&2
    [ -x "$bin/kube-apiserver" ] && [ -x "$bin/kube-controller-manager" ] || build_kubernetes >&2
    [ -d "$kinds" ] || copy_kinds >&2
  ) 9>"$cache/lock"
  is_installed || die "something is missing after the installation"
}

# start PROGRAM ARGUMENT…: ends with this shell; its number is added to $started.
start() {
  local name=$1
  shift
  setpriv --pdeathsig TERM "$bin/$name" "$@" </dev/null >"$dir/$name.log" 2>&1 &
  started+=($!)
}

clean_up() {
  # The controllers first, the database last.
  local at
  for ((at = ${#started[@]} - 1; at >= 0; at--)); do
    kill -TERM "${started[at]}" 2>/dev/null || true
    wait "${started[at]}" 2>/dev/null || true
  done
  rm -rf "$dir"
}

# wait_for LOG COMMAND…: until it succeeds, a minute at most.
wait_for() {
  local log=$1
  shift
  for _ in $(seq 600); do
    ! "$@" 2>/dev/null || return 0
    kill -0 "${started[-1]}" 2>/dev/null || break
    sleep 0.1
  done
  tail -n 20 "$dir/$log.log" >&2
  die "$log does not get ready"
}

api_is_ready() {
  [ "$(curl -sk -m 2 -H "Authorization: Bearer $token" "https://127.0.0.1:$api/readyz")" = ok ]
}

run() {
  install_all
  dir=$(mktemp -d "${TMPDIR:-/tmp}/syncline-kube.XXXXXX")
  started=()
  trap clean_up EXIT
  trap 'exit 143' TERM INT HUP
  chmod 700 "$dir"
  local api client peer controllers token
  api=$(free_port) client=$(free_port) peer=$(free_port) controllers=$(free_port)
  # Made for this server, gone with its directory.
  token=$(head -c 18 /dev/urandom | od -An -tx1 | tr -d ' \n')
  echo "$token,admin,admin,system:masters" >"$dir/tokens.csv"
  openssl genrsa -out "$dir/accounts.key" 2048 2>/dev/null
  cat >"$dir/kubeconfig" <<CONFIG
apiVersion: v1
kind: Config
clusters: [{name: test, cluster: {server: "https://127.0.0.1:$api", insecure-skip-tls-verify: true}}]
users: [{name: admin, user: {token: "$token"}}]
contexts: [{name: test, context: {cluster: test, user: admin}}]
current-context: test
CONFIG
  start etcd --data-dir "$dir/etcd" --log-level warn --unsafe-no-fsync \
    --listen-client-urls "http://127.0.0.1:$client" --advertise-client-urls "http://127.0.0.1:$client" \
    --listen-peer-urls "http://127.0.0.1:$peer" --initial-advertise-peer-urls "http://127.0.0.1:$peer" \
    --initial-cluster "default=http://127.0.0.1:$peer"
  wait_for etcd port_taken "$client"
  start kube-apiserver --etcd-servers "http://127.0.0.1:$client" --secure-port "$api" \
    --bind-address 127.0.0.1 --advertise-address 127.0.0.1 --cert-dir "$dir/certificates" \
    --service-account-key-file "$dir/accounts.key" --service-account-signing-key-file "$dir/accounts.key" \
    --service-account-issuer https://kubernetes.default.svc --token-auth-file "$dir/tokens.csv" \
    --authorization-mode RBAC --service-cluster-ip-range 10.96.0.0/16 --endpoint-reconciler-type none
  wait_for kube-apiserver api_is_ready
  start kube-controller-manager --kubeconfig "$dir/kubeconfig" --leader-elect=false \
    --bind-address 127.0.0.1 --secure-port "$controllers" --cert-dir "$dir/controller-certificates" \
    --service-account-private-key-file "$dir/accounts.key"
  wait_for kube-controller-manager port_taken "$controllers"
  echo "$dir/kubeconfig"
  # Until whoever asked for it is gone.
  cat >/dev/null
}

case "${1:-}" in
  install) install_all ;;
  kinds) echo "$kinds" ;;
  run) run ;;
  *) die "usage: $0 install | kinds | run" ;;
esac
