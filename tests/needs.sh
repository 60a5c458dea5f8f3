#!/usr/bin/env bash
# What a machine may lack, installed from Debian's packages if it does.
#
#   tests/needs.sh node    Node.js 20.19 or later, with npm
#   tests/needs.sh go      Go 1.21 or later, which fetches a newer one by itself where a module asks for it
#
# To be sourced for the functions alone.

# Installs packages, with sudo unless it is root's.
install() {
  local as=()
  [ "$(id -u)" = 0 ] || as=(sudo)
  echo "installing $*"
  "${as[@]}" apt-get update -q && "${as[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -yq "$@"
}

node_is_new() {
  command -v npm >/dev/null &&
    node -e 'const [major, minor] = process.versions.node.split(".").map(Number);
      process.exit(major > 20 || (major === 20 && minor >= 19) ? 0 : 1)' 2>/dev/null
}

# What is older, or nothing, is replaced by the system's packages only if those are new enough.
need_node() {
  if ! node_is_new; then
    install nodejs npm || return 1
    node_is_new || { echo "Node.js 20.19 or later is needed: https://nodejs.org"; return 1; }
  fi
  echo "node $(node --version), npm $(npm --version)"
}

go_is_new() {
  local version
  version=$(go env GOVERSION 2>/dev/null) && [[ $version =~ ^go1\.([0-9]+) ]] && ((BASH_REMATCH[1] >= 21))
}

need_go() {
  if ! go_is_new; then
    install golang-go || return 1
    go_is_new || { echo "Go 1.21 or later is needed: https://go.dev"; return 1; }
  fi
  go version
}

export -f install node_is_new need_node go_is_new need_go

case "${1:-}" in
  node) need_node ;;
  go) need_go ;;
esac
