#!/bin/bash
# SOAK_JOBS measurements (24) on three machines while every twentieth meets a fault: the SSH
# client, its session over there, the agent or an image is killed, or the agent or an image
# stands still for a while; which, where and when comes from SOAK_SEED. In the end nothing may
# be lost, doubled or wrong, and no device stuck. For "wrong", SOAK_AGAIN (12) of the stored
# measurements are taken again, undisturbed. SOAK_FILE gets the figures as JSON.
set -u
. tests/e2e/tap
pid=
if ! command -v sqlite3 >/dev/null; then
	skip 'a soak' 'no sqlite3 installed'
	exit 0
fi
. tests/e2e/machines

n_candidates=$((${SOAK_JOBS:-24} / 3))
n_faults=0 kinds=
RANDOM=${SOAK_SEED:-1}
# 816 networks: as many as 2,400 jobs want.
sed 's/d_model: \[16, 48\]/d_model: [16, 32, 48]/; s/d_ff: \[32, 96\]/d_ff: [32, 48, 64, 96]/' \
	"$DIR/tiny.yaml" >"$DIR/wide.yaml"
cat >"$DIR/soak.yaml" <<E2
job: soak
data: "builtin:home?n=600"
space: $DIR/wide.yaml
seed: 3
objectives: [slot_f1, latency_us@one, latency_us@two, latency_us@three]
search: {initial: 12, batch: 12, population: 24, evolve: 2, refine: 1}
stop: {candidates: $n_candidates}
supernet: {epochs: 1}
final: {candidates: 1, seeds: 1, epochs: 1}
measure: {min_processes: 3, max_processes: 3, precision: 0.1, samples: 10, warmup: 1, min_sample_us: 200}
device_wait_s: 120
E2
query() { # query SQL: of the store, which another process writes
	sqlite3 -readonly -cmd '.timeout 5000' "$DIR/run/hawser.db" "$1" 2>/dev/null
}
pause() { # pause SECONDS PID...
	seconds=$1
	shift
	kill -STOP "$@" 2>/dev/null && sleep "$seconds" && kill -CONT "$@" 2>/dev/null
}
fault() { # fault KIND HOST: fails when there was nothing to hit
	case $1 in
	client) kill -9 $(pgrep -P "$pid" -f "^ssh .* $2 ") 2>/dev/null ;;
	session) kill -9 $(pgrep -P "$(cat "$S/$2/pid")") 2>/dev/null ;;
	agent) kill -9 $(pgrep -f "^$S/$2/home/agent/agent-") 2>/dev/null ;;
	still) pause 2 $(pgrep -f "^$S/$2/home/agent/agent-") ;;
	image) stopped=$(signal_image "$2" 19) && sleep 0.5 && kill -CONT "$stopped" 2>/dev/null ;;
	kill) signal_image "$2" 9 >/dev/null ;;
	esac
}
set -- client session agent still image kill
kind=$((RANDOM % $# + 1)) host=$((RANDOM % 3 + 1))
begin=$(date +%s)
"$HAWSER" search "$DIR/soak.yaml" --results "$DIR/run" >"$DIR/soak.out" 2>"$DIR/soak.err" &
pid=$!
while kill -0 $pid 2>/dev/null; do
	n=$(query 'SELECT count(*) FROM measurement')
	h=$(echo $hosts | cut -d ' ' -f $host)
	if [ "${n:-0}" -ge $((20 * n_faults + 1)) ]; then
		if fault "${!kind}" "$h"; then
			n_faults=$((n_faults + 1)) kinds="$kinds ${!kind}@$h"
		fi
		kind=$((RANDOM % $# + 1)) host=$((RANDOM % 3 + 1))
	fi
	sleep 0.05
done
check 'the job ends' wait $pid
pid=
took=$(($(date +%s) - begin))
# The job may end with some more than it was asked for.
total=$(query 'SELECT count(*) FROM job_candidate')
[ "${total:-0}" -ge $n_candidates ] || total=$n_candidates
lost=$((total * 3 - $(query "SELECT count(*) FROM (SELECT DISTINCT m.candidate, m.device_name
	FROM measurement m JOIN job_candidate USING(job, candidate))")))
doubled=$(query 'SELECT count(*) FROM (SELECT 1 FROM measurement
	GROUP BY candidate, build, device_name, look HAVING count(*) > 1)')
# A sound candidate that is blamed; a time that is none; runs that are missing.
wrong=$(query 'SELECT (SELECT count(*) FROM failure WHERE blames = 1) + (SELECT count(*) FROM measurement m
	WHERE NOT latency_ns > 0 OR n_runs <> (SELECT count(*) FROM run WHERE measurement = m.id))')
# ---- some of them once more, with nothing to disturb them but what else this machine does
ns_of() { # ns_of IMAGE's streams: the latency in ns by three processes
	"$DIR/again" "$DIR/$1.1" "$DIR/$1.2" "$DIR/$1.3"
}
# again IMAGE: it and the yardstick, in turns
again() {
	for i in 1 2 3; do
		"$1" time 1 10 200000 0 0 >"$DIR/image.$i" 2>/dev/null || return 1
		"$yard" time 1 10 200000 0 0 >"$DIR/yard.$i" 2>/dev/null || return 1
	done
	now=$(ns_of image) && yard_now=$(ns_of yard)
}
# agrees ID NS RATIO IMAGE: within 30 %, as it is or by what was measured beside it: a neighbour
# makes all slower, then and now, by less than three times
agrees() {
	now=
	for _ in 1 2 3 4 5 6 7 8; do
		again "$4" || break
		awk -v ns="$2" -v now="$now" -v ratio="$3" -v yard="$yard_ratio" -v yard_now="$yard_now" '
			function within(x, y, k) { return x < k * y && y < k * x }
			BEGIN { exit !(within(ns, now, 1.3) || within(ns, now, 3) &&
				within(ratio / yard, now / yard_now, 1.3)) }' && return
		sleep 1
	done
	echo "# measurement $1: $2 ns are stored, again: ${now:-no answer}"
	return 1
}
check 'the reader of records compiles' "${CC:-gcc}" -std=c11 -O1 -I. tests/e2e/again.c devices/proto/record.c -o "$DIR/again"
query "SELECT m.id, m.latency_ns, (SELECT reference_ratio FROM run WHERE measurement = m.id
	ORDER BY reference_ratio LIMIT 1 OFFSET 1), iif(b.path LIKE '/%', '', '$DIR/run/') || b.path
	FROM measurement m JOIN build b ON b.hash = m.build
	ORDER BY m.id * 2654435761 % 4294967296 LIMIT $((${SOAK_AGAIN:-12} + 1))" >"$DIR/sample"
IFS='|' read -r _ _ yard_ratio yard <"$DIR/sample"
n_again=0 off=0
while IFS='|' read -r id ns ratio image; do
	n_again=$((n_again + 1))
	agrees "$id" "$ns" "$ratio" "$image" || off=$((off + 1))
done < <(tail -n +2 "$DIR/sample")
[ $n_again -gt 0 ] || off=1
wrong=$((${wrong:-1} + off))
stuck=$(query "SELECT count(*) FROM device_state WHERE state <> 'idle'")
for h in $hosts; do
	"$HAWSER" device probe $h >/dev/null 2>&1 || stuck=$((stuck + 1))
done
for k in lost doubled wrong stuck; do
	if [ "${!k}" = 0 ]; then ok "none is $k"; else not_ok "none is $k" "${!k}"; fi
done
if [ $n_faults -ge $((n_candidates * 3 / 20)) ]; then ok "there were faults"; else not_ok "there were faults" "$n_faults"; fi
[ $n_failed -eq 0 ] || sed 's/^/# /' "$DIR/soak.err"
echo "# soak: $((total * 3)) jobs, $n_faults faults ($(printf '%s\n' $kinds | cut -d @ -f 1 |
	sort | uniq -c | awk '{ printf "%s%s %d", s, $2, $1; s = ", " }')), $took s, $n_again taken again: $lost lost, $doubled doubled, $wrong wrong, $stuck stuck"
[ -z "${SOAK_FILE:-}" ] || echo "{\"jobs\": $((total * 3)), \"faults\": $n_faults, \"seconds\": $took, \"again\": $n_again," \
	"\"lost\": $lost, \"doubled\": $doubled, \"wrong\": $wrong, \"stuck\": $stuck}" >"$SOAK_FILE"
finish
