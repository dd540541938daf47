#!/bin/bash
# One job on three machines at once (tests/e2e/machines) that meets every fault of a farm, one
# after the other: each is survived, and the machine that was hit has its next measurement
# stored within 15 s. In the end one machine is another than it was: the job stops, says so,
# and goes on when it is back. Nothing is lost, doubled or blamed for it.
set -u
. tests/e2e/tap
pid=
small=two # the machine with little room for the agent
left=hw$((10000000 + $$))
ip netns add "$left-one" 2>/dev/null || left=
. tests/e2e/machines
[ -z "$left" ] || check 'what a run that was killed has left is gone' eval '! ip netns list | grep -q "^$left-"'

if [ -n "$spaces" ]; then
	sed '/ProxyJump/d' "$S/config" >"$S/direct"
	sed "s|$S/config|$S/direct|" "$DIR/config/hawser/devices/three.yaml" >"$DIR/direct.yaml"
	exits 'three is not reached but through two' 3 "$HAWSER" device probe "$DIR/direct.yaml"
fi

cat >"$DIR/job.yaml" <<E2
job: three
data: "builtin:home?n=600"
space: $DIR/tiny.yaml
seed: 3
objectives: [slot_f1, latency_us@one, latency_us@two, latency_us@three]
search: {initial: 2, batch: 1, population: 8, evolve: 2, refine: 1}
stop: {candidates: 300}
supernet: {epochs: 1}
final: {candidates: 1, seeds: 1, epochs: 1}
measure: {min_processes: 4, max_processes: 4, precision: 0.1, samples: 30, warmup: 1, min_sample_us: 500}
device_wait_s: 8
E2
job() { # starts it, or goes on
	"$HAWSER" search "$DIR/job.yaml" --results "$DIR/run" >"$DIR/job.out" 2>"$DIR/job.err" &
	pid=$!
}
lives() {
	kill -0 "${pid:-0}" 2>/dev/null
}
runs_on() { # runs_on HOST: a payload, now
	pgrep -f "^$S/$1/home/agent/[0-9a-f]*\.img " >/dev/null
}
mid_run() { # mid_run HOST: waits for one, as long as the job lives
	until runs_on "$1" || ! lives; do sleep 0.02; done
}
query() { # query SQL
	sqlite3 -readonly -cmd '.timeout 5000' "$DIR/run/hawser.db" "$1" 2>/dev/null
}
stored() { # stored HOST [SINCE]: so many measurements
	query "SELECT count(*) FROM measurement WHERE device_name = '$1' AND taken_s >= ${2:-0}"
}
# goes_on NAME HOST SINCE: the machine's next measurement is stored within 15 s of that second
goes_on() {
	n_before=$(stored "$2")
	while lives && [ "$(stored "$2")" -le "$n_before" ]; do sleep 0.1; done
	took=$(($(query "SELECT max(taken_s) FROM measurement WHERE device_name = '$2'") - $3))
	[ "$(stored "$2")" -gt "$n_before" ] || took=99
	if [ $took -le 15 ]; then ok "$1: the next is measured after $took s"; else not_ok "$1: the next is measured within 15 s" "$took s"; fi
}
# strike NAME HOST COMMAND...: in mid run there
strike() {
	what=$1 host=$2
	shift 2
	mid_run "$host"
	if "$@"; then goes_on "$what" "$host" "$(date +%s)"; else not_ok "$what" 'there was nothing to hit'; fi
}

if ! command -v sqlite3 >/dev/null; then
	skip 'a job with faults' 'no sqlite3 installed'
	exit 0
fi
job
# Held still one after the other: an image of each machine at the same time. A machine that is
# through with the candidate when the first is held has none: again with the next.
all_at_once() {
	held=
	for h in $hosts; do
		one=$(signal_image "$h" 19) || break
		held="$held $one"
	done
	kill -CONT $held 2>/dev/null
	[ "$(echo $held | wc -w)" -eq 3 ]
}
until [ "$(stored three)" -gt 0 ] 2>/dev/null || ! lives; do sleep 0.1; done # it has trained
tries=0
until all_at_once || [ $tries -eq 60 ] || ! lives; do tries=$((tries + 1)); done
if [ "$(echo $held | wc -w)" -eq 3 ]; then ok 'all three measure at once'; else not_ok 'all three measure at once' "not in $tries tries"; fi

# ---- connections, servers, agents, images
line_to() { # line_to HOST: the controller's ssh
	pgrep -P "$pid" -f "^ssh .* $1 "
}
kill_sessions() {
	kill -9 $(pgrep -P "$(cat "$S/$1/pid")")
}
kill_client() {
	kill -9 $(line_to "$1")
}
kill_server() { # and it comes back
	kill_host "$1" && start_host "$1"
}
agent_of() {
	pgrep -f "^$S/$1/home/agent/agent-"
}
kill_agent() {
	kill -9 $(agent_of "$1")
}
freeze() { # it neither answers nor ends
	frozen=$(agent_of "$1") && kill -STOP $frozen
}
kill_image() {
	signal_image "$1" 9 >/dev/null
}
strike 'a session is killed' three kill_sessions three
strike 'a client is killed' two kill_client two
strike 'a server is killed and comes back' one kill_server one
strike 'an agent is killed' two kill_agent two
strike 'an image is killed' one kill_image one
strike 'an agent freezes' two freeze two
if agent_of two | grep -qx "$frozen"; then not_ok 'the frozen one is gone'; else ok 'the frozen one is gone'; fi

# ---- a cable is pulled
if [ -n "$spaces" ]; then
	mid_run one
	line=$(line_to one)
	if [ -n "$line" ]; then ok 'there is a connection'; else not_ok 'there is a connection'; fi
	begin=$(date +%s)
	ip link set "$net.1" down
	await 300 eval '! kill -0 $line 2>/dev/null'
	took=$(($(date +%s) - begin))
	if [ $took -le 10 ]; then ok 'a pulled cable is noticed within 10 s'; else not_ok 'a pulled cable is noticed within 10 s' "$took s"; fi
	ip link set "$net.1" up
	goes_on 'with the cable back' one "$(date +%s)"
fi

# ---- a full disk, in mid upload; two has a small one
state_is() { # state_is HOST STATE
	[ "$(query "SELECT state FROM device_state WHERE name = '$1'")" = "$2" ]
}
fill_disk() { # all but 300 kB, old images included: they would give way
	cat /dev/zero 2>/dev/null >"$1/filler"
	rm -f "$1"/*.img "$1"/*.part
	cat /dev/zero 2>/dev/null >>"$1/filler"
	truncate -s -300K "$1/filler"
}
if [ "$(id -u)" -eq 0 ]; then
	room=/proc/$(cat "$S/two/pid")/root$S/two/home/agent
	until state_is two quarantined || ! lives; do
		fill_disk "$room"
		sleep 0.2
	done
	check 'a machine with a full disk is quarantined' state_is two quarantined
	check 'device list' "$HAWSER" device list --results "$DIR/run"
	prints 'and it is said why' "^two .*(no space left|No space left)" out
	if [ -z "$(ls "$room" | grep '\.img$\|\.part$')" ]; then ok 'no part of an image is left there'; else not_ok 'no part of an image is left there'; fi
	rm "$room/filler"
	goes_on 'with room again' two "$(date +%s)"
	for image in "$room"/*.img; do
		name=$(basename "$image" .img)
		[ "$(sha256sum <"$image" | cut -c 1-64)" = "$name" ] || not_ok 'images are what they are called' "$name"
	done
else
	skip 'a full disk' 'only root can mount a small one'
fi

# ---- a machine dies, and another one answers in its place
mid_run one
kill_host one
ssh-keygen -q -t ed25519 -N '' -f "$S/one/other_key"
[ "$(id -u)" -ne 0 ] || chown 47110:47110 "$S/one/other_key"
sed -i 's/host_key$/other_key/' "$S/one/sshd_config"
start_host one
wait $pid
code=$?
pid=
if [ $code -eq 3 ]; then ok 'without a machine the job stops'; else not_ok 'without a machine the job stops' "exit code $code"; fi
cp "$DIR/job.err" "$DIR/err"
prints 'and says which, and that its key is another' "^hawser: device 'one'.*host key of 'one.* is not the one that is known.*the same command goes on" err
check 'device list' "$HAWSER" device list --results "$DIR/run"
prints 'shows it' "^one .*host key" out
kill_host one
sed -i 's/other_key$/host_key/' "$S/one/sshd_config"
start_host one
n_candidates=$(($(query 'SELECT count(*) FROM job_candidate') + 1))
sed -i "s/^stop: .*/stop: {candidates: $n_candidates}/" "$DIR/job.yaml"
job
check 'with the machine back the same command ends it' wait $pid
pid=

# ---- what it came to
check 'front' "$HAWSER" front three --all --csv --results "$DIR/run"
rows=$(($(wc -l <"$DIR/out") - 1))
full=$(tail -n +2 "$DIR/out" | awk -F , '$9 > 0 && $14 > 0 && $19 > 0' | wc -l)
if [ $rows -ge $n_candidates ] && [ $full -eq $rows ]; then ok 'every candidate has three latencies'; else
	sed 's/^/# /' "$DIR/out" "$DIR/job.err"
	not_ok 'every candidate has three latencies' "$full of $rows rows are full"
fi
doubled=$(query 'SELECT count(*) FROM (SELECT 1 FROM measurement GROUP BY candidate, build, device_name, look HAVING count(*) > 1)')
if [ "$doubled" = 0 ]; then ok 'none is measured twice'; else not_ok 'none is measured twice' "$doubled"; fi
blamed=$(query 'SELECT count(*) FROM failure WHERE blames = 1')
if [ "$blamed" = 0 ]; then ok 'none is blamed'; else not_ok 'none is blamed' "$(query 'SELECT detail FROM failure')"; fi
check 'device list' "$HAWSER" device list --results "$DIR/run"
for h in $hosts; do prints "shows $h idle again" "^$h +ssh .*[0-9]{4}-[0-9]{2}-[0-9]{2} .* ready" out; done
finish
