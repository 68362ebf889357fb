#!/usr/bin/env bash
# Runs the PostgreSQL tests of the queue on Citus 13: a coordinator and two workers on this
# machine, with PostgreSQL 15 as it is installed. Then it moves a schema between the
# workers under load, and kills a worker that has a synchronous standby. Everything that
# it starts ends with it. It needs what a build of Citus needs; in Debian: build-essential
# flex autoconf postgresql-15 postgresql-server-dev-15 libcurl4-openssl-dev liblz4-dev
# libzstd-dev libssl-dev libkrb5-dev libpam0g-dev libselinux1-dev libxslt1-dev.
#
#   CITUS_SOURCE  a directory with the source; without it, it is cloned
#   CITUS_BUILT   a directory for the build, which is kept and used again
set -euo pipefail

version=v13.2.2
script=$(realpath "$0")
queue=$(dirname "$(dirname "$script")")
postgres=/usr/lib/postgresql/15

# Tests that cannot pass on Citus. Those that need a server of their own skip themselves.
left_out=(
	TestServerStops               # it stops its server under load
	TestProgressOfAnotherTimeline # a timeline cannot be seen
	TestLateCommit                # it adds a trigger, which Citus does not support
	TestCheckFinds                # it drops a constraint by a name that Citus cannot change
	TestUpgrade                   # it loads an older queue from a script of several commands
)

# One user runs the servers, which refuse to run as root.
as=()
if [ "$(id -u)" = 0 ]; then as=(runuser -u postgres --); fi

running=() # data directories of the servers

# shellcheck disable=SC2317 # the trap runs it
end() {
	for data in "${running[@]}"; do
		"${as[@]}" "$bin/pg_ctl" -D "$data" -m immediate stop >/dev/null 2>&1 || true
	done
	rm -rf "$dir"
}

# build makes a copy of PostgreSQL with Citus in it.
build() {
	local source=${CITUS_SOURCE:-$dir/source}
	[ -d "$source" ] || git clone -q --depth 1 --branch $version https://github.com/citusdata/citus "$source"
	mkdir -p "$CITUS_BUILT/tree" "$CITUS_BUILT/usr/lib/postgresql" "$CITUS_BUILT/usr/share/postgresql"
	cp -a "$source/." "$CITUS_BUILT/tree"
	cp -a $postgres "$CITUS_BUILT/usr/lib/postgresql"
	cp -a /usr/share/postgresql/15 "$CITUS_BUILT/usr/share/postgresql"
	cd "$CITUS_BUILT/tree"
	# PostgreSQL 15.20 has a function of its own with this name.
	find src -name '*.[ch]' -exec sed -i 's/\bhave_createdb_privilege\b/citus_&/' {} +
	./configure -q PG_CONFIG=$postgres/bin/pg_config
	make -s -j"$(nproc)" extension with_llvm=no
	make -s install DESTDIR="$CITUS_BUILT" with_llvm=no
	touch "$CITUS_BUILT/done"
}

port() {
	python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

sql() { # port, statement
	psql -qXAt -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$1" -U postgres -c "$2"
}

launch() { # data directory
	running+=("$1")
	"${as[@]}" "$bin/pg_ctl" -s -D "$1" -l "$1.log" -w start
}

# server starts a server with Citus.
server() { # name, port
	local data=$dir/$1
	"${as[@]}" "$bin/initdb" -D "$data" --no-sync -A trust -U postgres -E UTF8 --locale=C >/dev/null
	cat >>"$data/postgresql.conf" <<-END
		port = $2
		listen_addresses = '127.0.0.1'
		unix_socket_directories = '$dir'
		shared_preload_libraries = 'citus'
		wal_level = logical
		max_connections = 300
		max_prepared_transactions = 300
		citus.enable_schema_based_sharding = on
		citus.enable_statistics_collection = off
		citus.node_conninfo = 'sslmode=disable'
	END
	launch "$data"
	sql "$2" 'CREATE EXTENSION citus'
}

# standby starts a synchronous standby of a server.
standby() { # name, port, port of the server
	local data=$dir/$1
	"${as[@]}" "$bin/pg_basebackup" -D "$data" -h 127.0.0.1 -p "$3" -U postgres -R --checkpoint=fast
	echo "port = $2" >>"$data/postgresql.conf"
	launch "$data"
	sql "$3" "ALTER SYSTEM SET synchronous_standby_names = '*'"
	sql "$3" 'SELECT pg_reload_conf()' >/dev/null
}

# node_of prints the port of the worker that has the schema of the test.
node_of() {
	sql "$coordinator" "SELECT DISTINCT nodeport FROM citus_shards WHERE table_name = '$SCHEMA.webhooks_queue'::regclass"
}

# move moves the schema to the other worker, and back.
move() {
	local at
	at=$(node_of)
	for to in $((worker1 + worker2 - at)) "$at"; do
		sql "$coordinator" "SELECT citus_schema_move('$SCHEMA', '127.0.0.1', $to)" >/dev/null
	done
}

# fail_over kills the worker that has the schema, and promotes its standby.
fail_over() {
	local at name=worker1 to=$standby1
	at=$(node_of)
	if [ "$at" = "$worker2" ]; then name=worker2 to=$standby2; fi
	kill -9 "$(head -1 "$dir/$name/postmaster.pid")"
	"${as[@]}" "$bin/pg_ctl" -s -D "$dir/${name/worker/standby}" -w promote
	sql "$coordinator" "SELECT citus_update_node(nodeid, '127.0.0.1', $to, force => true, lock_cooldown => 100)
		FROM pg_dist_node WHERE nodeport = $at" >/dev/null
}

# tests runs tests on the coordinator.
tests() { # arguments of go test
	local result=0
	PGTEST_DSN="postgres://postgres@127.0.0.1:$coordinator/postgres?sslmode=disable" \
		go test -count=1 -timeout 30m -v "$@" >"$dir/out" 2>&1 || result=$?
	grep -E '^ *--- (FAIL|SKIP)|^(FAIL|ok|panic)|_test\.go:' "$dir/out" || true
	return $result
}

certify() {
	local status=0 names
	server coordinator "$coordinator"
	server worker1 "$worker1"
	server worker2 "$worker2"
	sql "$coordinator" "SELECT citus_set_coordinator_host('127.0.0.1', $coordinator),
		citus_add_node('127.0.0.1', $worker1), citus_add_node('127.0.0.1', $worker2)" >/dev/null
	sql "$coordinator" 'SELECT citus_version()'
	cd "$queue"
	echo '== the tests that use PostgreSQL'
	names=$(grep -l 'sharedServer\|eachEngine' ./*_test.go | xargs sed -n 's/^func \(Test[A-Z][A-Za-z0-9]*\).*/\1/p' | paste -sd'|')
	tests . -run "^($names)\$" -skip "$(IFS='|'; echo "${left_out[*]}")|/sqlite\$" || status=1
	echo '== three gateways'
	tests .. -run 'TestGateways$' || status=1
	echo '== a schema moves to the other worker and back, under load'
	PGTEST_COMMAND="$script move" tests . -run TestWhileServersChange || status=1
	echo '== a worker with a synchronous standby is killed under load'
	standby standby1 "$standby1" "$worker1"
	standby standby2 "$standby2" "$worker2"
	PGTEST_COMMAND="$script fail_over" tests . -run TestWhileServersChange || status=1
	return $status
}

if [ "${1:-}" = move ]; then
	move
elif [ "${1:-}" = fail_over ]; then
	fail_over
else
	dir=$(mktemp -d /tmp/citus-XXXXXX)
	bin=${CITUS_BUILT:=$dir/built}$postgres/bin
	if [ "${#as[@]}" -gt 0 ]; then chown postgres "$dir"; fi
	trap end EXIT
	[ -e "$CITUS_BUILT/done" ] || (build)
	coordinator=$(port) worker1=$(port) worker2=$(port) standby1=$(port) standby2=$(port)
	export dir bin coordinator worker1 worker2 standby1 standby2
	certify
fi
