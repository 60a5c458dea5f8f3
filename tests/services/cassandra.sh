#!/usr/bin/env bash
# A private Apache Cassandra, one node, on free ports of 127.0.0.1, in a directory that goes with it.
#
#   cassandra.sh install      Java 17, Maven and the jars, the latter under target/, if missing
#   cassandra.sh run [NAME=VALUE…]
#                             a node with these settings, until the standard input ends
#
# `run` prints `cassandra://HOST:PORT` when the node takes connections. Then it reads commands, a
# line each, and answers each with a line, `ok` or what went wrong:
#
#   crash   ends the server at once
#   start   starts it again on the same directory and port
#   pause   stops it where it is
#   resume  lets it go on
#
# The input ends with the program that holds its other end, however that ends; so no server is
# left behind by a test that was killed. ScyllaDB is not tried here.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

VERSION=5.0.8

here=$(dirname "$(readlink -f "$0")")
place=$(readlink -f "$here/../..")/target/cassandra
# SHA-256 of every jar, so that it is this one and no other.
wanted=$here/cassandra-jars.sha256

is_installed() {
  cmp -s "$wanted" "$place/installed.txt" && java_is_17 "$(java_bin)"
}

# Cassandra 5.0 runs on 11 and 17 only.
java_bin() {
  local each
  for each in /usr/lib/jvm/java-17-*/bin/java "$(command -v java 2>/dev/null)"; do
    ! java_is_17 "$each" || { echo "$each"; return; }
  done
}

java_is_17() {
  [ -x "${1:-}" ] && "$1" -version 2>&1 | grep -q 'version "17'
}

need_java() {
  [ -n "$(java_bin)" ] && command -v mvn >/dev/null && return 0
  install_packages openjdk-17-jre-headless maven
  [ -n "$(java_bin)" ] || die "there is no Java 17 after the installation"
}

# One at a time: tests that begin at once would take each other's files away.
install() {
  is_installed && return 0
  need_java
  mkdir -p "$place"
  (
    flock 9
    ! is_installed || exit 0
    rm -rf "$place/lib" "$place/installed.txt"
    cat >"$place/pom.xml" <<P
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>local</groupId><artifactId>node</artifactId><version>1</version><packaging>pom</packaging>
<dependencies><dependency><groupId>org.apache.cassandra</groupId>
<artifactId>cassandra-all</artifactId><version>$VERSION</version></dependency></dependencies></project>
P
    (cd "$place" && mvn -q -B -ntp --strict-checksums -DoutputDirectory="$place/lib" \
      org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies) >&2 || exit 1
    rm -f "$place"/lib/*-osx-*.jar "$place"/lib/*-windows-*.jar
    # The copy is the last thing made, so a set-up that was cut short is done again.
    (cd "$place/lib" && sha256sum --quiet -c "$wanted") >&2 && cp "$wanted" "$place/installed.txt"
  ) 9>"$place.lock"
  is_installed || die "the jars are not those that were wanted"
}

# The settings, of which those given replace ours. Half a segment of the commit log is the most
# that a commit may have.
configure() {
  local -A settings=(
    [commitlog_sync]=periodic
    [commitlog_segment_size]=32MiB
    [commitlog_total_space]=512MiB
    [read_request_timeout]=5000ms
    [write_request_timeout]=5000ms
    [cas_contention_timeout]=2000ms
    [memtable_heap_space]=128MiB
    [memtable_offheap_space]=128MiB
  )
  local each
  for each in "$@"; do settings[${each%%=*}]=${each#*=}; done
  [ "${settings[commitlog_sync]}" != periodic ] || settings[commitlog_sync_period]=10000ms
  mkdir -p "$dir/conf" "$dir/tmp"
  {
    cat <<Y
cluster_name: syncline
num_tokens: 1
partitioner: org.apache.cassandra.dht.Murmur3Partitioner
endpoint_snitch: SimpleSnitch
seed_provider:
  - class_name: org.apache.cassandra.locator.SimpleSeedProvider
    parameters: [{ seeds: "127.0.0.1:$storage_port" }]
listen_address: 127.0.0.1
storage_port: $storage_port
rpc_address: 127.0.0.1
start_native_transport: true
native_transport_port: $port
data_file_directories: ["$dir/data"]
commitlog_directory: $dir/commitlog
saved_caches_directory: $dir/saved_caches
hints_directory: $dir/hints
cdc_raw_directory: $dir/cdc
key_cache_size: 16MiB
concurrent_reads: 16
concurrent_writes: 32
auto_snapshot: false
disk_failure_policy: die
commit_failure_policy: die
dynamic_snitch: false
Y
    for each in "${!settings[@]}"; do echo "$each: ${settings[$each]}"; done
  } >"$dir/conf/cassandra.yaml"
  cat >"$dir/conf/logback.xml" <<L
<configuration><appender name="F" class="ch.qos.logback.core.FileAppender"><file>$dir/system.log</file>
<encoder><pattern>%-5level [%thread] %date{ISO8601} %F:%L - %msg%n</pattern></encoder></appender>
<root level="WARN"><appender-ref ref="F"/></root></configuration>
L
}

# What Java 17 must open to Cassandra 5.0, as its own jvm17-server.options has it.
EXPORTS="java.base/jdk.internal.misc java.base/jdk.internal.ref java.base/sun.nio.ch
  java.base/java.lang.ref java.base/java.lang.reflect
  java.management.rmi/com.sun.jmx.remote.internal.rmi java.rmi/sun.rmi.registry
  java.rmi/sun.rmi.server java.rmi/sun.rmi.transport.tcp java.sql/java.sql
  jdk.attach/sun.tools.attach jdk.compiler/com.sun.tools.javac.file"
OPENS="java.base/sun.nio.ch java.base/java.io java.base/java.lang java.base/java.lang.module
  java.base/java.lang.reflect java.base/java.math java.base/java.net java.base/java.nio
  java.base/java.nio.charset java.base/java.nio.file.spi java.base/java.util
  java.base/java.util.concurrent java.base/java.util.concurrent.atomic
  java.base/jdk.internal.loader java.base/jdk.internal.math java.base/jdk.internal.module
  java.base/jdk.internal.ref java.base/jdk.internal.reflect java.base/jdk.internal.util.jar
  java.base/jdk.internal.vm java.base/sun.nio.fs jdk.compiler/com.sun.tools.javac
  jdk.management.jfr/jdk.management.jfr jdk.management/com.sun.management.internal
  jdk.naming.dns/com.sun.jndi.dns"

# Starts the node and waits until it takes connections. Fails if it ends before.
start() {
  # A node that is started again keeps its ports; one that did not start gets others.
  if [ "${configured:-}" != "$port" ]; then
    storage_port=$(free_port)
    rm -rf "$dir"/*
    configure "${given[@]}"
    configured=$port
  fi
  local flags=() each
  for each in $EXPORTS; do flags+=(--add-exports "$each=ALL-UNNAMED"); done
  for each in $OPENS; do flags+=(--add-opens "$each=ALL-UNNAMED"); done
  # Should this shell be killed, the server is ended.
  setpriv --pdeathsig KILL "$java" -server "-Xms$heap" "-Xmx$heap" -Xss512k -XX:+UseG1GC \
    -XX:MaxDirectMemorySize=512m -XX:+PerfDisableSharedMem -XX:+ExitOnOutOfMemoryError \
    -Djdk.attach.allowAttachSelf=true -Djava.net.preferIPv4Stack=true \
    -Dio.netty.tryReflectionSetAccessible=true "-Djava.io.tmpdir=$dir/tmp" \
    "-Djna.tmpdir=$dir/tmp" "-Dorg.xerial.snappy.tempdir=$dir/tmp" \
    "-Dcassandra.config=file://$dir/conf/cassandra.yaml" \
    "-Dlogback.configurationFile=$dir/conf/logback.xml" "-Dcassandra.storagedir=$dir" \
    "-Dcassandra.logdir=$dir" -Dcassandra-foreground=yes \
    -Dcassandra.skip_wait_for_gossip_to_settle=0 -Dcassandra.ring_delay_ms=100 \
    -Dcassandra.superuser_setup_delay_ms=0 "${flags[@]}" \
    "-javaagent:$(ls "$place"/lib/jamm-*.jar)" -cp "$dir/conf:$place/lib/*" \
    org.apache.cassandra.service.CassandraDaemon </dev/null >>"$dir/out.log" 2>&1 &
  server=$!
  for _ in $(seq 1800); do
    ! port_taken "$port" || return 0
    kill -0 "$server" 2>/dev/null || break
    sleep 0.1
  done
  return 1
}

end() {
  [ -n "${server:-}" ] || return 0
  kill -KILL "$server" 2>/dev/null || true
  wait "$server" 2>/dev/null || true
  server=
}

signal_all() {
  kill "-$1" "$server"
}

clean_up() {
  end
  rm -rf "$dir"
}

run() {
  given=("$@")
  heap=${SYNCLINE_CASSANDRA_HEAP:-768m}
  install
  java=$(java_bin)
  dir=$(mktemp -d "${TMPDIR:-/tmp}/syncline-cassandra.XXXXXX")
  trap clean_up EXIT
  trap 'exit 143' TERM INT HUP
  start_somewhere "$dir/out.log"
  echo "cassandra://127.0.0.1:$port"
  obey
}

case "${1:-}" in
  install) install ;;
  run) shift && run "$@" ;;
  *) die "usage: $0 install | run [NAME=VALUE…]" ;;
esac
