#!/bin/bash
# One job on three machines at once (tests/e2e/machines). A cable is pulled in the middle and
# put back; one machine dies for good.
set -u
. tests/e2e/tap
pid=
. tests/e2e/machines

if [ -n "$spaces" ]; then
	sed '/ProxyJump/d' "$S/config" >"$S/direct"
	sed "s|$S/config|$S/direct|" "$DIR/config/hawser/devices/three.yaml" >"$DIR/direct.yaml"
	exits 'three is not reached but through two' 3 "$HAWSER" device probe "$DIR/direct.yaml"
fi

# ---- a job on all three
cat >"$DIR/job.yaml" <<E2
job: three
data: "builtin:home?n=600"
space: $DIR/tiny.yaml
seed: 3
objectives: [slot_f1, latency_us@one, latency_us@two, latency_us@three]
search: {initial: 4, batch: 2, population: 8, evolve: 2, refine: 1}
stop: {candidates: 6}
supernet: {epochs: 1}
final: {candidates: 1, seeds: 1, epochs: 1}
measure: {min_processes: 4, max_processes: 4, precision: 0.1, samples: 30, warmup: 1, min_sample_us: 1000}
device_wait_s: 60
E2
job() { # job RESULTS [OPTION]
	"$HAWSER" search "$DIR/job.yaml" --results "$DIR/$@" >"$DIR/$1.out" 2>"$DIR/$1.err" &
	pid=$!
}
runs_on() { # runs_on HOST: a payload, now
	pgrep -f "^$S/$1/home/agent/[0-9a-f]*\.img " >/dev/null
}
job first
at_once=0
while kill -0 $pid 2>/dev/null; do
	n=0
	for h in $hosts; do runs_on $h && n=$((n + 1)); done
	[ $n -gt $at_once ] && at_once=$n
	sleep 0.01
done
check 'a job on three machines ends' wait $pid
pid=
if [ $at_once -eq 3 ]; then ok 'all three measured at once'; else not_ok 'all three measured at once' "$at_once did"; fi
sound() { # sound RESULTS NAME: every candidate has every latency
	"$HAWSER" front three --all --csv --results "$DIR/$1" >"$DIR/front.csv" 2>"$DIR/err"
	rows=$(($(wc -l <"$DIR/front.csv") - 1))
	full=$(tail -n +2 "$DIR/front.csv" | awk -F , '$9 > 0 && $14 > 0 && $19 > 0' | wc -l)
	if [ $rows -eq 6 ] && [ $full -eq 6 ]; then ok "$2"; else
		sed 's/^/# /' "$DIR/front.csv" "$DIR/$1.err"
		not_ok "$2" "$full of $rows rows are full"
	fi
}
sound first 'every candidate has three latencies'
check 'device list' "$HAWSER" device list --results "$DIR/first"
for h in $hosts; do prints "shows $h idle again" "^$h +ssh .*[0-9]{4}-[0-9]{2}-[0-9]{2} .* ready" out; done

# ---- a cable is pulled
if [ -n "$spaces" ]; then
	job second --no-final
	await 1000 runs_on one
	line=$(pgrep -P $pid -f "^ssh .* one ")
	if [ -n "$line" ]; then ok 'there is a connection'; else not_ok 'there is a connection'; fi
	ip link set "$net.1" down
	begin=$(date +%s)
	await 300 eval '! kill -0 $line 2>/dev/null'
	took=$(($(date +%s) - begin))
	if [ $took -le 10 ]; then ok 'a pulled cable is noticed within 10 s'; else not_ok 'a pulled cable is noticed within 10 s' "$took s"; fi
	ip link set "$net.1" up
	check 'with the cable back the job ends' wait $pid
	pid=
	sound second 'and nothing is missing'
fi

# ---- a machine freezes: its agent neither answers nor ends
job frozen --no-final
await 1000 runs_on two
kill -STOP $(pgrep -f "^$S/two/home/agent/")
check 'beside a frozen machine the job goes on, and ends with a new agent' wait $pid
pid=
sound frozen 'and nothing is missing'
if pgrep -f "^$S/two/home/agent/" >/dev/null; then not_ok 'the frozen one is gone'; else ok 'the frozen one is gone'; fi

# ---- a machine dies, and another one answers in its place
sed -i 's/^device_wait_s: .*/device_wait_s: 0/' "$DIR/job.yaml"
job third --no-final
await 1000 runs_on one
kill_host one
ssh-keygen -q -t ed25519 -N '' -f "$S/one/other_key"
[ "$(id -u)" -ne 0 ] || chown 47110:47110 "$S/one/other_key"
sed -i 's/other_key\|host_key$/other_key/' "$S/one/sshd_config"
start_host one
wait $pid
code=$?
pid=
if [ $code -eq 3 ]; then ok 'without a machine the job stops'; else not_ok 'without a machine the job stops' "exit code $code"; fi
cp "$DIR/third.err" "$DIR/err"
prints 'and says which, and that its key is another' "^hawser: device 'one'.*host key of 'one.* is not the one that is known.*the same command goes on" err
check 'device list' "$HAWSER" device list --results "$DIR/third"
prints 'shows it' "^one .*host key" out
kill_host one
sed -i 's/other_key$/host_key/' "$S/one/sshd_config"
start_host one
job third --no-final
check 'with the machine back the same command ends it' wait $pid
pid=
sound third 'and nothing is missing'
finish
